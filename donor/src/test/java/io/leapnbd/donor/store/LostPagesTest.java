package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.io.IOException;
import java.util.BitSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A6, F1: a donor tells a page that is lost from one that is blank, so that no lost page becomes zeros. */
class LostPagesTest {

    private static final int SLAB = Settings.SLAB;

    /** Pages 0, 3 and 66 of 256. */
    private static final long[] LOST = {0b1001, 0b100, 0, 0};

    private SlabStore store;
    private Lent slab;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(Settings.slabs(2));
        Claim claim = Lent.claim(store, "a", 1);
        slab = grant(claim, 1, 0, LOST);
    }

    @AfterEach
    void close() {
        store.close();
    }

    private Lent grant(Claim claim, long server, int counter, long... lost) {
        Granted granted = store.grant(claim, 0, Version.ofGrant(server, counter), lost);
        assertThat(granted.status()).isEqualTo(Status.OK);
        return new Lent(store, claim, granted.handle(), server);
    }

    private PageMarks marks(Lent of) {
        MarkedPages pages = store.pages(of.claim(), of.handle(), 0, SLAB);
        assertThat(pages.status()).isEqualTo(Status.OK);
        return pages.marks();
    }

    private void assertLost(int... lost) {
        PageMarks marks = marks(slab);
        BitSet told = new BitSet();
        for (int page = 0; page < marks.pages(); page++) {
            told.set(page, marks.lost(page));
        }
        assertThat(told.stream().toArray()).isEqualTo(lost);
    }

    @Test
    void aLostPageIsNotReadAndItsNeighboursAre() {
        assertThat(slab.tryRead(0, PAGE)).isEqualTo(Status.PAGE_LOST);
        assertThat(slab.tryRead(3 * PAGE + 100, 1)).isEqualTo(Status.PAGE_LOST);
        assertThat(slab.tryRead(2 * PAGE, 3 * PAGE)).isEqualTo(Status.PAGE_LOST);
        assertThat(slab.tryRead(66 * PAGE, PAGE)).isEqualTo(Status.PAGE_LOST);
        assertThat(slab.read(PAGE, 2 * PAGE)).isEqualTo(new byte[2 * PAGE]);
        assertThat(slab.tryRead(3 * PAGE, 0)).isEqualTo(Status.OK);
        assertLost(0, 3, 66);
    }

    @Test
    void aPageThatIsCalledLostLaterIsNotReadAnyMoreUntilItIsWrittenWithAHigherVersion() {
        assertThat(slab.write(PAGE, 2 * PAGE, 5, 5)).isEqualTo(Status.OK);
        assertThat(store.lose(slab.claim(), slab.handle(), PAGE, PAGE, slab.version(6)))
                .isEqualTo(Status.OK);
        assertThat(slab.tryRead(PAGE, PAGE)).isEqualTo(Status.PAGE_LOST);
        assertThat(slab.tryRead(2 * PAGE, PAGE)).isEqualTo(Status.OK);
        assertLost(0, 1, 3, 66);
        // A late write, and a part of one.
        assertThat(slab.write(PAGE, PAGE, 5, 5)).isEqualTo(Status.OK);
        assertThat(slab.write(PAGE, PAGE / 2, 7, 7)).isEqualTo(Status.PAGE_LOST);
        assertLost(0, 1, 3, 66);
        assertThat(slab.write(PAGE, PAGE, 7, 7)).isEqualTo(Status.OK);
        // A late loss.
        assertThat(store.lose(slab.claim(), slab.handle(), PAGE, PAGE, slab.version(6)))
                .isEqualTo(Status.OK);
        assertThat(slab.tryRead(PAGE, PAGE)).isEqualTo(Status.OK);
        assertLost(0, 3, 66);
    }

    @Test
    void aWriteOfAPartOfALostPageChangesNothing() {
        assertThat(slab.write(100, 8, 1, 1)).isEqualTo(Status.PAGE_LOST);
        // Its last page is lost and cut; the pages before it are not written either.
        assertThat(slab.write(PAGE, 2 * PAGE + 1, 2, 2)).isEqualTo(Status.PAGE_LOST);
        // Its first one is.
        assertThat(slab.write(3 * PAGE + 1, 2 * PAGE - 1, 3, 3)).isEqualTo(Status.PAGE_LOST);
        assertThat(slab.trim(3 * PAGE, PAGE - 1, 4)).isEqualTo(Status.PAGE_LOST);
        assertThat(slab.trim(3 * PAGE + 1, 2 * PAGE, 5)).isEqualTo(Status.PAGE_LOST);
        assertLost(0, 3, 66);
        PageMarks marks = marks(slab);
        for (int page = 0; page < marks.pages(); page++) {
            assertThat(marks.written(page)).isFalse();
        }
        assertThat(slab.write(0, 0, 6, 6)).isEqualTo(Status.OK);
        assertLost(0, 3, 66);
    }

    @Test
    void aWriteOrTrimOfTheWholePageEndsTheLoss() {
        assertThat(slab.write(3 * PAGE, PAGE, 1, 1)).isEqualTo(Status.OK);
        assertThat(slab.read(3 * PAGE, PAGE)).isEqualTo(Pages.array(1, PAGE));
        assertThat(slab.trim(66 * PAGE, PAGE, 2)).isEqualTo(Status.OK);
        assertThat(slab.read(66 * PAGE, PAGE)).isEqualTo(new byte[PAGE]);
        assertLost(0);
        assertThat(marks(slab).written(3)).isTrue();
        assertThat(marks(slab).written(66)).isFalse();

        // One that covers it whole, and others in part.
        assertThat(slab.write(0, PAGE + 5, 3, 3)).isEqualTo(Status.OK);
        assertThat(slab.read(0, PAGE + 5)).isEqualTo(Pages.array(3, PAGE + 5));
        assertLost();
    }

    @Test
    void theNextServerIsToldOfWhatIsLost() {
        slab.write(PAGE, PAGE, 1, 1);
        slab = slab.as(Lent.claim(store, "a", 2), 2);
        assertLost(0, 3, 66);
        assertThat(marks(slab).written(1)).isTrue();
        assertThat(slab.tryRead(0, PAGE)).isEqualTo(Status.PAGE_LOST);
        assertThat(slab.write(0, PAGE, 0, 2)).isEqualTo(Status.OK);
        assertLost(3, 66);
    }

    /** A grant that was answered before is not done again: its pages are what they have become since. */
    @Test
    void theSameGrantAgainLosesNothing() {
        slab.write(0, PAGE, 1, 1);
        Lent again = grant(slab.claim(), 1, 0, LOST);
        assertThat(again.handle()).isEqualTo(slab.handle());
        assertThat(again.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
        assertLost(3, 66);
    }

    @Test
    void aHigherGrantHasItsOwnLosses() {
        slab.write(0, PAGE, 1, 1);
        Lent next = grant(slab.claim(), 1, 1, 0b10);
        assertThat(slab.tryRead(0, PAGE)).isEqualTo(Status.NOT_OWNER);
        slab = next;
        assertLost(1);
        assertThat(slab.read(0, PAGE)).isEqualTo(new byte[PAGE]);
        assertThat(store.grant(slab.claim(), 0, Version.ofGrant(1, 0), LOST).status())
                .isEqualTo(Status.STALE);
        assertLost(1);
    }

    /** The memory of a slab that was handed back, marks and all, is blank to the next. */
    @Test
    void lossesEndWithTheSlab() {
        assertThat(store.free(slab.claim(), slab.handle(), Version.ofGrant(1, 0)))
                .isEqualTo(Status.OK);
        Claim other = requireNonNull(store.hello(Hellos.claim("b", 1)).claim());
        for (int index = 0; index < 2; index++) {
            Lent blank = Lent.grant(store, other, 1, index);
            assertThat(blank.read(0, SLAB)).isEqualTo(new byte[SLAB]);
        }
    }

    @Test
    void marksThatAreLongerThanASlabAreRefused() {
        assertThat(store.grant(slab.claim(), 1, 1, new long[SLAB / PAGE / Long.SIZE + 1])
                        .status())
                .isEqualTo(Status.BAD_REQUEST);
        assertThat(store.freeSlabs()).isEqualTo(1);
    }

    @Test
    void marksAreToldByGranules() {
        int granule = PageMarks.GRANULE;
        slab.write(65 * PAGE, PAGE, 1, 1);
        PageMarks second =
                store.pages(slab.claim(), slab.handle(), granule, granule).marks();
        assertThat(second.pages()).isEqualTo(64);
        assertThat(second.writtenWord(0)).isEqualTo(0b10);
        assertThat(second.lostWord(0)).isEqualTo(0b100);
        assertThat(store.pages(slab.claim(), slab.handle(), PAGE, granule).status())
                .isEqualTo(Status.BAD_REQUEST);
        assertThat(store.pages(slab.claim(), slab.handle(), 0, PAGE).status()).isEqualTo(Status.BAD_REQUEST);
        assertThat(store.pages(slab.claim(), slab.handle(), granule, SLAB).status())
                .isEqualTo(Status.OUT_OF_RANGE);
        assertThat(store.pages(slab.claim(), slab.handle(), -granule, granule).status())
                .isEqualTo(Status.OUT_OF_RANGE);
        assertThat(store.pages(slab.claim(), slab.handle(), 0, -granule).status())
                .isEqualTo(Status.OUT_OF_RANGE);
    }
}
