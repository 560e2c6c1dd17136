package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.SealTable;
import io.leapnbd.nbd.spi.NbdError;
import java.io.IOException;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What the rules of docs/seals.md are for, one at a time, over donors that follow a script. */
class SealsTest extends ScriptedDeviceTests {

    private static final int SLABS = 4;
    private static final int EIO = NbdError.EIO.code();

    private void open(int donors, int copies) throws IOException {
        open(SLABS, donors, copies, 8_000);
    }

    @Test
    void withOneCopyAPageThatIsNotWhatWasWrittenIsAnErrorUntilItIsWrittenAgain() throws IOException {
        open(1, 1);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.write(PAGE, page(2))).isZero();
        device.stores.getFirst().flip(0, 0);
        assertThat(driver.readError(0, PAGE)).isEqualTo(EIO);
        assertThat(driver.readError(100, 10)).as("of a part of it").isEqualTo(EIO);
        assertThat(driver.write(100, new byte[10])).as("of a part of it").isEqualTo(EIO);
        assertThat(driver.readError(0, 2 * PAGE)).isEqualTo(EIO);
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(2));
        assertThat(device.figures.unfit(0)).isPositive();
        assertThat(driver.write(0, page(3))).isZero();
        assertThat(driver.read(0, PAGE)).isEqualTo(page(3));
    }

    @Test
    void withOneCopyAPageThatWasChangedOnItsWayOnlyIsReadAgain() throws IOException {
        open(1, 1);
        assertThat(driver.write(0, page(1))).isZero();
        device.stores.getFirst().flipsOneIn = 2;
        for (int i = 0; i < 50; i++) {
            DeviceDriver.Read read = driver.startRead(0, PAGE);
            if (DeviceDriver.join(read.error()) == 0) {
                assertThat(read.bytes()).isEqualTo(page(1));
            }
        }
        assertThat(device.figures.unfit(0)).isPositive();
        device.stores.getFirst().flipsOneIn = 0;
        assertThat(driver.read(0, PAGE)).isEqualTo(page(1));
    }

    @Test
    void withTwoCopiesAPageThatIsNotWhatWasWrittenIsReadFromTheOtherAndWrittenAnew() throws IOException {
        open(2, 2);
        for (int i = 0; i < 16; i++) {
            assertThat(driver.write((long) i * PAGE, page(i))).isZero();
        }
        for (ScriptedStore bad : device.stores) {
            bad.flip(0, 5);
            Awaiting.that("it is found and mended", () -> {
                assertThat(driver.read(4L * PAGE, 3 * PAGE)).startsWith(page(4)).endsWith(page(6));
                return bad.holds(0, 5, page(5));
            });
        }
        for (int donor = 0; donor < 2; donor++) {
            assertThat(device.figures.unfit(donor)).isPositive();
            assertThat(device.figures.mended(donor)).isPositive();
        }
    }

    @Test
    void aPageThatDoesNotFitDoesNotReachTheCache() throws IOException {
        open(1, 1);
        assertThat(driver.write(0, page(1))).isZero();
        device.stores.getFirst().flip(0, 0);
        assertThat(driver.cache(0, PAGE)).isZero();
        assertThat(driver.readError(0, PAGE)).isEqualTo(EIO);
        assertThat(device.cache.figures().hits()).isZero();
    }

    @Test
    void partsOfAPageAreMergedWithWhatTheRightCopyHas() throws IOException {
        open(2, 2);
        assertThat(driver.write(0, page(1))).isZero();
        byte[] expected = page(1);
        for (ScriptedStore bad : device.stores) {
            bad.flip(0, 0);
            Arrays.fill(expected, 50, 150, (byte) device.stores.indexOf(bad));
            assertThat(driver.write(50, Arrays.copyOfRange(expected, 50, 150))).isZero();
            assertThat(driver.read(0, PAGE)).isEqualTo(expected);
            assertThat(bad.holds(0, 0, expected)).isTrue();
        }
    }

    @Test
    void zerosInPartsOfPagesAreWrittenAndTheRestStays() throws IOException {
        open(2, 2);
        byte[] expected = new byte[3 * PAGE];
        for (int i = 0; i < 3; i++) {
            System.arraycopy(page(i), 0, expected, i * PAGE, PAGE);
        }
        assertThat(driver.write(0, expected)).isZero();
        assertThat(driver.zero(100, 2 * PAGE, false)).isZero();
        Arrays.fill(expected, 100, 100 + 2 * PAGE, (byte) 0);
        assertThat(driver.read(0, 3 * PAGE)).isEqualTo(expected);
        assertThat(driver.trim(2 * PAGE + 200, 100)).isZero();
        Arrays.fill(expected, 2 * PAGE + 200, 2 * PAGE + 300, (byte) 0);
        assertThat(driver.read(0, 3 * PAGE)).isEqualTo(expected);
    }

    @Test
    void zerosThatADonorAnswersForAPageThatHoldsDataAreNotBelieved() throws IOException {
        open(1, 1);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.write(PAGE, new byte[PAGE])).isZero();
        device.stores.getFirst().blank(0, 0);
        device.stores.getFirst().blank(0, 1);
        assertThat(driver.readError(0, PAGE)).isEqualTo(EIO);
        assertThat(driver.read(PAGE, PAGE)).containsOnly(0);
    }

    @Test
    void whatLiesUnderABlankPageIsNotGivenOut() throws IOException {
        open(1, 1);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.write(PAGE, page(2))).isZero();
        assertThat(driver.trim(PAGE, PAGE)).isZero();
        device.stores.getFirst().flip(0, 1);
        assertThat(driver.read(0, 2 * PAGE)).startsWith(page(1)).endsWith(new byte[PAGE]);
    }

    @Test
    void twoPagesThatADonorHasSwappedAreNotBelieved() throws IOException {
        open(1, 1);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.write(PAGE, page(2))).isZero();
        device.stores.getFirst().swap(0, 0, 1);
        assertThat(driver.readError(0, PAGE)).isEqualTo(EIO);
        assertThat(driver.readError(PAGE, PAGE)).isEqualTo(EIO);
    }

    @Test
    void aFillTakesAPageFromTheCopyThatHasItRight() throws IOException {
        open(4, 3);
        for (int i = 0; i < 16; i++) {
            assertThat(driver.write((long) i * PAGE, page(i))).isZero();
        }
        Placement before = placement();
        device.stores.get(before.member(0).donor()).flip(0, 3);
        device.stores.get(before.member(2).donor()).restart();
        Awaiting.that(
                "there are three copies again",
                () -> placement().live() == 3 && !placement().has(before.member(2)));
        for (int i = 0; i < 3; i++) {
            assertThat(device.stores.get(placement().member(i).donor()).holds(0, 3, page(3)))
                    .isTrue();
        }
    }

    /** It is looked for, and lost if it is nowhere: the fill ends, and the slab has its copies again. */
    @Test
    void aFillEndsWithoutAPageThatNoCopyHasAndThePageIsLostUntilItIsWritten() throws IOException {
        open(3, 2);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.write(PAGE, page(3))).isZero();
        ScriptedStore left = device.stores.get(placement().member(0).donor());
        left.flip(0, 0);
        Member gone = placement().member(1);
        device.stores.get(gone.donor()).restart();
        // Until it is noticed there are two copies still.
        Awaiting.that(
                "there are two copies again",
                () -> !placement().has(gone) && placement().live() == 2);
        assertThat(device.figures.unfit(device.stores.indexOf(left))).isPositive();
        assertThat(driver.readError(0, PAGE)).isEqualTo(EIO);
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(3));
        assertThat(driver.write(0, page(2))).isZero();
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
    }

    /** Copies may differ where a write was not acknowledged: whatever a read returns stays, and both copies have it. */
    @Test
    void afterAWriteThatFailedOneOfTheTwoPagesIsChosenForGood() throws IOException {
        open(2, 2);
        assertThat(driver.write(0, page(1))).isZero();
        ScriptedStore one = device.stores.get(0);
        one.keepsPlacementsToItself = true;
        device.stores.get(1).holdsEverything = true;
        assertThat(driver.write(0, page(2))).isEqualTo(EIO);
        assertThat(isOpen(0)).isTrue();
        one.keepsPlacementsToItself = false;
        letGo(1);
        Awaiting.that(
                "both are live", () -> placement().live() == 2 && placement().told());
        byte[] chosen = driver.read(0, PAGE);
        assertThat(Arrays.equals(chosen, page(1)) || Arrays.equals(chosen, page(2)))
                .isTrue();
        assertThat(isOpen(0)).isFalse();
        for (ScriptedStore store : device.stores) {
            assertThat(store.holds(0, 0, chosen)).isTrue();
        }
    }

    /** All of its pages, also those that are read while the copies of another one are looked at. Else a later read of the other copy is older. */
    @Test
    void afterAWriteOfSeveralPagesThatFailedEachIsChosenForGood() throws IOException {
        int pages = 5;
        open(2, 2);
        writeThatOneCopyMisses(pages);
        byte[] chosen = driver.read(0, pages * PAGE);
        for (int i = 0; i < pages; i++) {
            assertThat(isOpen(i)).as("page %d", i).isFalse();
            for (ScriptedStore store : device.stores) {
                assertThat(store.holds(0, i, Arrays.copyOfRange(chosen, i * PAGE, (i + 1) * PAGE)))
                        .isTrue();
            }
        }
    }

    /** Else the other copy might be read later, and be older than what was read before. */
    @Test
    void aReadOfAPageWhoseWriteFailedEndsWhenEachCopyHasItOrIsLeftOut() throws IOException {
        open(2, 2);
        writeThatOneCopyMisses(1);
        device.stores.get(1).holdsEverything = true;
        byte[] chosen = driver.read(0, PAGE);
        assertThat(isOpen(0)).isFalse();
        assertThat(placement().live()).isEqualTo(1);
        assertThat(device.stores.get(0).holds(0, 0, chosen)).isTrue();
    }

    /** The first donor has done it, the second one never does it, and both are live. */
    private void writeThatOneCopyMisses(int pages) throws IOException {
        byte[] old = new byte[pages * PAGE];
        Arrays.fill(old, (byte) 1);
        byte[] fresh = new byte[pages * PAGE];
        Arrays.fill(fresh, (byte) 2);
        assertThat(driver.write(0, old)).isZero();
        device.stores.get(0).keepsPlacementsToItself = true;
        device.stores.get(1).holdsEverything = true;
        assertThat(driver.write(0, fresh)).isEqualTo(EIO);
        device.stores.get(0).keepsPlacementsToItself = false;
        device.stores.get(1).holdsEverything = false;
        Awaiting.that(
                "both are live", () -> placement().live() == 2 && placement().told());
        for (int i = 0; i < pages; i++) {
            assertThat(isOpen(i)).isTrue();
        }
        assertThat(device.stores.get(0).holds(0, 0, Arrays.copyOf(fresh, PAGE))).isTrue();
        assertThat(device.stores.get(1).holds(0, 0, Arrays.copyOf(old, PAGE))).isTrue();
    }

    /** Its first write: the zeros before it are right, too. */
    @Test
    void aBlankPageWhoseFirstWriteFailedIsZerosOrTheNewPage() throws IOException {
        open(SLABS, 1, 1, 400);
        assertThat(driver.write(PAGE, page(1))).isZero();
        device.stores.getFirst().holdsEverything = true;
        assertThat(driver.write(0, page(2))).isEqualTo(EIO);
        device.stores.getFirst().holdsEverything = false;
        assertThat(driver.read(0, 2 * PAGE)).startsWith(new byte[PAGE]).endsWith(page(1));
        assertThat(isOpen(0)).isFalse();
    }

    @Test
    void aPageIsSealedWhenItsWriteOrTrimIsAcknowledgedAndOpenBefore() throws IOException {
        open(1, 1);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(isOpen(0)).isFalse();
        device.stores.getFirst().holdsAnswers = true;
        CompletableFuture<Integer> trim = driver.startTrim(0, PAGE);
        Awaiting.that("the donor has the trim", () -> device.links.getFirst().answersHeld() > 0);
        assertThat(isOpen(0)).isTrue();
        device.stores.getFirst().holdsAnswers = false;
        device.links.getFirst().loop.execute(device.links.getFirst()::letAnswersGo);
        assertThat(DeviceDriver.join(trim)).isZero();
        assertThat(isOpen(0)).isFalse();
    }

    @Test
    void aWriteToAPageWaitsForTheOneBeforeItAndReadsInBetweenReturnEither() throws IOException {
        open(1, 1);
        assertThat(driver.write(0, page(1))).isZero();
        ScriptedStore store = device.stores.getFirst();
        store.holdsAnswers = true;
        CompletableFuture<Integer> first = driver.startWrite(0, page(2));
        Awaiting.that("the donor has the write", () -> device.links.getFirst().answersHeld() > 0);
        CompletableFuture<Integer> second = driver.startWrite(0, page(3));
        store.holdsAnswers = false;
        driver.awaitTurn();
        assertThat(second).isNotDone();
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
        device.links.getFirst().loop.execute(device.links.getFirst()::letAnswersGo);
        assertThat(DeviceDriver.join(first)).isZero();
        assertThat(DeviceDriver.join(second)).isZero();
        assertThat(driver.read(0, PAGE)).isEqualTo(page(3));
    }

    private boolean isOpen(long page) {
        return SealTable.open(Objects.requireNonNull(device.map.seals()).word(page));
    }

    private void letGo(int donor) {
        device.stores.get(donor).holdsEverything = false;
        ScriptedStore.Link link = device.links.get(donor);
        link.loop.execute(link::letGo);
    }

    private Placement placement() {
        return Objects.requireNonNull(device.map.placement(0));
    }
}
