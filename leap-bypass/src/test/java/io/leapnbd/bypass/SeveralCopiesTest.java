package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.nbd.spi.NbdError;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What the rules of docs/replicas.md are for, one at a time, over donors that follow a script. */
class SeveralCopiesTest extends ScriptedDeviceTests {

    private static final int SLABS = 4;

    /** A copy may be silent for one second; a request may take eight. */
    private void open(int donors) throws IOException {
        open(SLABS, donors, 2, 8_000);
    }

    @Test
    void aWriteIsAcknowledgedWhenEveryCopyHasIt() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        device.stores.get(1).holdsAnswers = true;
        CompletableFuture<Integer> write = driver.startWrite(0, page(2));
        Awaiting.that("the other copy has the write", () -> device.links.get(1).answersHeld() > 0);
        driver.awaitTurn();
        assertThat(write).isNotDone();
        device.stores.get(1).holdsAnswers = false;
        device.links.get(1).loop.execute(device.links.get(1)::letAnswersGo);
        assertThat(DeviceDriver.join(write)).isZero();
        assertThat(placement().live()).isEqualTo(2);
    }

    /** Rule 2: first the others are told, then the row says so, and then the client hears of it. */
    @Test
    void aSilentCopyIsOutOfTheRowWhenTheWriteThatItMissedIsAcknowledged() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        int told = device.stores.get(0).placements.get();
        device.stores.get(1).holdsEverything = true;
        assertThat(driver.write(0, page(2))).isZero();
        SlabRow row = Objects.requireNonNull(device.state.row(0));
        assertThat(row.copies()).hasSize(1);
        assertThat(row.copies().getFirst().incarnation())
                .isEqualTo(device.stores.get(0).donor.incarnation());
        assertThat(device.stores.get(0).placements.get()).isGreaterThan(told);
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
    }

    /**
     * A donor that took a placement may believe that it is alone, whether it answered or not. So the copy that it was to leave out stays in
     * doubt: nobody is left out in its favour, until both have been told again.
     */
    @Test
    void aPlacementThatWasSentCountsAlthoughItWasNotAnswered() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        ScriptedStore one = device.stores.get(0);
        ScriptedStore other = device.stores.get(1);
        one.keepsPlacementsToItself = true;
        other.holdsEverything = true;
        assertThat(driver.write(0, page(2))).isEqualTo(NbdError.EIO.code());
        assertThat(states()).containsExactly(State.LIVE, State.COMPLETE);
        assertThat(Objects.requireNonNull(device.state.row(0)).copies().stream().map(SlabRow.Copy::state))
                .containsExactly(State.LIVE, State.COMPLETE);

        letGo(other);
        one.holdsEverything = true;
        assertThat(driver.write(0, page(3))).isEqualTo(NbdError.EIO.code());
        assertThat(placement().live()).isEqualTo(1);

        one.keepsPlacementsToItself = false;
        letGo(one);
        awaitTwoCopies();
        assertThat(driver.write(0, page(4))).isZero();
        other.holdsEverything = true;
        assertThat(driver.read(0, PAGE)).isEqualTo(page(4));
    }

    @Test
    void aReadGoesToAnotherCopyWhenTheFirstIsSilent() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        for (ScriptedStore silent : device.stores) {
            silent.holdsEverything = true;
            assertThat(driver.read(0, PAGE)).isEqualTo(page(1));
            letGo(silent);
            awaitTwoCopies();
        }
    }

    @Test
    void aReadThatWaitsForAFetchFromASilentDonorIsServedByTheOtherCopy() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        for (ScriptedStore silent : device.stores) {
            silent.holdsEverything = true;
            assertThat(driver.cache(0, PAGE)).isZero();
            assertThat(driver.read(0, PAGE)).isEqualTo(page(1));
            letGo(silent);
            awaitTwoCopies();
            assertThat(driver.write(0, page(1))).isZero();
        }
    }

    @Test
    void whenACopyIsGoneAnotherDonorIsFilledAndThenTheOtherMayGoToo() throws IOException {
        open(3);
        for (int i = 0; i < 10; i++) {
            assertThat(driver.write((long) i * PAGE, page(i + 1))).isZero();
        }
        assertThat(driver.trim(3 * PAGE, PAGE)).isZero();
        for (int round = 0; round < 3; round++) {
            Member goes = placement().primary();
            device.stores.get(goes.donor()).restart();
            Awaiting.that("it is gone", () -> !placement().has(goes));
            awaitTwoCopies();
            for (int i = 0; i < 10; i++) {
                assertThat(driver.read((long) i * PAGE, PAGE)).isEqualTo(i == 3 ? new byte[PAGE] : page(i + 1));
            }
        }
        assertThat(device.map.pagesLost()).isZero();
        assertThat(device.repairs.getFirst().progress().filled()).isPositive();
    }

    /** What it has is not given away before its donor is told: it must not be filled a second time at the same donor. */
    @Test
    void copiesOfASlabAreOnDifferentMachines() throws IOException {
        open(3);
        for (int slab = 0; slab < SLABS; slab++) {
            assertThat(driver.write((long) slab << SLAB_SHIFT, page(slab))).isZero();
            Placement at = Objects.requireNonNull(device.map.placement(slab));
            assertThat(at.member(0).donor()).isNotEqualTo(at.member(1).donor());
        }
    }

    private void letGo(ScriptedStore store) {
        store.holdsEverything = false;
        ScriptedStore.Link link = device.links.get(device.stores.indexOf(store));
        link.loop.execute(link::letGo);
    }

    private void awaitTwoCopies() {
        Awaiting.that(
                "both copies are live",
                () -> placement().live() == 2 && placement().told());
    }

    private Placement placement() {
        return Objects.requireNonNull(device.map.placement(0));
    }

    private List<State> states() {
        Placement at = placement();
        return IntStream.range(0, at.size()).mapToObj(at::state).toList();
    }
}
