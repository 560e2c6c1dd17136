package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SlabStoreTest {

    private static final int SLAB = Settings.SLAB;

    private SlabStore store;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(Settings.slabs(3));
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Test
    void aFreshSlabReadsAsZeros() {
        Lent slab = Lent.grant(store, "a", 1, 0);

        assertThat(slab.read(0, SLAB)).isEqualTo(new byte[SLAB]);
    }

    @Test
    void whatWasWrittenIsReadAtAnyAlignment() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        byte[] model = new byte[SLAB];
        int[][] ranges = {{0, PAGE}, {SLAB - PAGE, PAGE}, {100, 1}, {PAGE - 1, 2}, {5 * PAGE + 512, 3 * PAGE}, {0, SLAB}
        };
        long count = 1;
        for (int[] range : ranges) {
            assertThat(slab.write(range[0], range[1], count, count)).isEqualTo(Status.OK);
            System.arraycopy(Pages.array(count, range[1]), 0, model, range[0], range[1]);
            count++;

            assertThat(slab.read(0, SLAB)).isEqualTo(model);
            assertThat(slab.read(range[0], range[1]))
                    .isEqualTo(Arrays.copyOfRange(model, range[0], range[0] + range[1]));
        }
    }

    @Test
    void buffersWithoutAnAddressWorkToo() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        ByteBuf heap = Unpooled.wrappedBuffer(Pages.array(1, 2 * PAGE));
        CompositeByteBuf composite = Unpooled.compositeBuffer()
                .addComponent(Pages.rubbish(PAGE))
                .addComponent(Unpooled.wrappedBuffer(new byte[PAGE]));
        try {
            assertThat(store.write(slab.claim(), slab.handle(), 10, 2 * PAGE - 7, slab.version(1), heap, 7))
                    .isEqualTo(Status.OK);
            assertThat(store.read(slab.claim(), slab.handle(), 10, 2 * PAGE - 7, composite, 7))
                    .isEqualTo(Status.OK);
            composite.setIndex(7, 2 * PAGE);
            assertThat(Pages.content(composite)).isEqualTo(Arrays.copyOfRange(Pages.array(1, 2 * PAGE), 7, 2 * PAGE));
        } finally {
            heap.release();
            composite.release();
        }
    }

    @Test
    void theBuffersIndicesStayAndNothingBesideTheRangeIsTouched() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        ByteBuf into = Pages.rubbish(3 * PAGE);
        try {
            store.read(slab.claim(), slab.handle(), 0, PAGE, into, PAGE);

            assertThat(into.readerIndex()).isZero();
            assertThat(into.writerIndex()).isEqualTo(3 * PAGE);
            assertThat(Pages.content(into.slice(0, PAGE))).containsOnly(0xa5);
            assertThat(Pages.content(into.slice(PAGE, PAGE))).containsOnly(0);
            assertThat(Pages.content(into.slice(2 * PAGE, PAGE))).containsOnly(0xa5);
        } finally {
            into.release();
        }
    }

    @Test
    void aBufferThatIsTooSmallIsRefusedBeforeAByteIsCopied() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        ByteBuf small = Pages.rubbish(PAGE);
        try {
            assertThatThrownBy(() -> store.read(slab.claim(), slab.handle(), 0, PAGE, small, 1))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> store.write(slab.claim(), slab.handle(), 0, PAGE, slab.version(1), small, -1))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(slab.read(0, PAGE)).isEqualTo(new byte[PAGE]);
        } finally {
            small.release();
        }
    }

    @Test
    void anOlderVersionLeavesThePageAsItIsAndSucceeds() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, PAGE, 10, 10);
        slab.write(PAGE, PAGE, 5, 5);

        // One range, of which the first page is newer.
        assertThat(slab.write(0, 2 * PAGE, 7, 7)).isEqualTo(Status.OK);

        assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(10, PAGE));
        assertThat(slab.read(PAGE, PAGE)).isEqualTo(Arrays.copyOfRange(Pages.array(7, 2 * PAGE), PAGE, 2 * PAGE));
        assertThat(store.statistics().stalePages()).isEqualTo(1);
    }

    @Test
    void theSameVersionIsAppliedAgain() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, PAGE, 3, 3);
        assertThat(slab.write(0, PAGE, 3, 3)).isEqualTo(Status.OK);

        assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(3, PAGE));
        assertThat(store.statistics().stalePages()).isZero();
    }

    @Test
    void aTrimHasAVersionToo() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, PAGE, 10, 10);
        assertThat(slab.trim(0, PAGE, 9)).isEqualTo(Status.OK);
        assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(10, PAGE));

        slab.trim(0, PAGE, 12);
        assertThat(slab.write(0, PAGE, 11, 11)).isEqualTo(Status.OK);
        assertThat(slab.read(0, PAGE)).isEqualTo(new byte[PAGE]);
    }

    @Test
    void aTrimOfPartOfAPageZeroesThatPart() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, 2 * PAGE, 1, 1);
        slab.trim(PAGE - 16, 32, 2);

        byte[] expected = Pages.array(1, 2 * PAGE);
        Arrays.fill(expected, PAGE - 16, PAGE + 16, (byte) 0);
        assertThat(slab.read(0, 2 * PAGE)).isEqualTo(expected);
        assertThat(written(slab)).isEqualTo(bits(0, 2));
    }

    @Test
    void aWriteToPartOfATrimmedPageFindsZerosAround() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, PAGE, 1, 1);
        slab.trim(0, PAGE, 2);
        slab.write(100, 50, 3, 3);

        byte[] expected = new byte[PAGE];
        System.arraycopy(Pages.array(3, 50), 0, expected, 100, 50);
        assertThat(slab.read(0, PAGE)).isEqualTo(expected);
    }

    @Test
    void theMarksTellWhichPagesAreWritten() {
        Lent slab = Lent.grant(store, "a", 1, 4);
        slab.write(0, 3 * PAGE, 1, 1);
        slab.write(SLAB - 1, 1, 2, 2);
        slab.trim(PAGE, PAGE, 3);
        slab.trim(10 * PAGE, 1, 4);

        BitSet expected = bits(0, 1);
        expected.set(2);
        expected.set(SLAB / PAGE - 1);
        assertThat(written(slab)).isEqualTo(expected);
    }

    @Test
    void aListGoesByIndexAndTellsTheGrants() {
        Claim claim = Lent.claim(store, "a", 2);
        int nine = store.grant(claim, 9, Version.ofGrant(2, 5)).handle();
        int four = store.grant(claim, 4, Version.ofGrant(1, 0)).handle();
        Lent.grant(store, "b", 1, 6);

        Listing all = store.list(claim, 0);
        assertThat(all.status()).isEqualTo(Status.OK);
        assertThat(all.slabs().more()).isFalse();
        assertThat(all.slabs().size()).isEqualTo(2);
        assertThat(new long[] {
                    all.slabs().index(0), all.slabs().handle(0), all.slabs().generation(0)
                })
                .containsExactly(4, four, Version.ofGrant(1, 0));
        assertThat(new long[] {
                    all.slabs().index(1), all.slabs().handle(1), all.slabs().generation(1)
                })
                .containsExactly(9, nine, Version.ofGrant(2, 5));
        assertThat(store.list(claim, 5).slabs().size()).isEqualTo(1);
        assertThat(store.list(claim, 5).slabs().index(0)).isEqualTo(9);
        assertThat(store.list(claim, 10).slabs().size()).isZero();
        assertThat(store.list(claim, 0, 47).slabs().more()).isTrue();
        assertThat(store.list(claim, 0, 48).slabs().more()).isFalse();
    }

    @Test
    void grantingAnIndexAgainAnswersTheSameSlab() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        slab.write(0, PAGE, 1, 1);

        assertThat(store.grant(slab.claim(), 7, Version.ofGrant(1, 0)))
                .isEqualTo(new Granted(Status.OK, slab.handle()));
        assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
        assertThat(store.freeSlabs()).isEqualTo(2);
    }

    /** A3: a grant never returns what an older server held there. */
    @Test
    void aHigherGrantOfAHeldIndexIsABlankSlabAndALowerOneIsRefused() {
        Lent slab = Lent.grant(store, "a", 3, 7);
        slab.write(0, PAGE, 1, 1);

        assertThat(store.grant(slab.claim(), 7, Version.ofGrant(2, 9))).isEqualTo(new Granted(Status.STALE, 0));
        Granted higher = store.grant(slab.claim(), 7, Version.ofGrant(3, 1));
        assertThat(higher.status()).isEqualTo(Status.OK);
        assertThat(higher.handle()).isNotEqualTo(slab.handle());
        assertThat(slab.tryRead(0, PAGE)).isEqualTo(Status.NOT_OWNER);
        Lent fresh = new Lent(store, slab.claim(), higher.handle(), 3);
        assertThat(fresh.read(0, PAGE)).isEqualTo(new byte[PAGE]);
        assertThat(store.freeSlabs()).isEqualTo(2);
    }

    @Test
    void aHigherGrantWorksInAFullStore() {
        Claim claim = Lent.claim(store, "a", 1);
        for (int index = 0; index < 3; index++) {
            Lent.grant(store, claim, 1, index);
        }
        assertThat(store.grant(claim, 1, Version.ofGrant(1, 1)).status()).isEqualTo(Status.OK);
    }

    @Test
    void moreThanThereIsIsRefusedAndComesBackWhenFreed() {
        Claim claim = Lent.claim(store, "a", 1);
        Lent first = Lent.grant(store, claim, 1, 0);
        Lent.grant(store, claim, 1, 1);
        Lent.grant(store, claim, 1, 2);
        assertThat(store.freeSlabs()).isZero();
        assertThat(store.grant(claim, 3, 1)).isEqualTo(new Granted(Status.NO_SPACE, 0));

        assertThat(store.free(claim, first.handle(), Version.ofGrant(1, 0))).isEqualTo(Status.OK);
        assertThat(store.freeSlabs()).isEqualTo(1);
        Lent.grant(store, claim, 1, 3);
    }

    @Test
    void aFreedSlabIsBlankForTheNextHoweverSoonItIsLent() throws IOException {
        try (SlabStore single = SlabStore.open(Settings.slabs(1))) {
            Claim a = Lent.claim(single, "a", 1);
            Claim b = Lent.claim(single, "b", 1);
            for (int round = 0; round < 50; round++) {
                Lent mine = Lent.grant(single, round % 2 == 0 ? a : b, 1, round);
                assertThat(mine.read(0, SLAB)).isEqualTo(new byte[SLAB]);
                assertThat(written(mine)).isEqualTo(new BitSet());
                mine.write(0, SLAB, 1, round);
                single.free(mine.claim(), mine.handle(), Version.ofGrant(1, 0));
            }
        }
    }

    @Test
    void aHandleIsNotUsedAgainSoon() {
        Claim claim = Lent.claim(store, "a", 1);
        Set<Integer> handles = new HashSet<>();
        for (int round = 0; round < 1000; round++) {
            Lent slab = Lent.grant(store, claim, 1, 0);
            assertThat(handles.add(slab.handle())).isTrue();
            store.free(claim, slab.handle(), Version.ofGrant(1, 0));
            assertThat(slab.tryRead(0, PAGE)).isEqualTo(Status.NOT_OWNER);
        }
    }

    @Test
    void handlesOfOthersAreNotServed() {
        Lent mine = Lent.grant(store, "a", 1, 0);
        Lent theirs = Lent.grant(store, "b", 1, 0);
        theirs.write(0, PAGE, 1, 1);
        Lent stolen = new Lent(store, mine.claim(), theirs.handle(), 1);

        assertThat(stolen.tryRead(0, PAGE)).isEqualTo(Status.NOT_OWNER);
        assertThat(stolen.write(0, PAGE, 9, 9)).isEqualTo(Status.NOT_OWNER);
        assertThat(stolen.trim(0, PAGE, 9)).isEqualTo(Status.NOT_OWNER);
        assertThat(store.free(mine.claim(), theirs.handle(), Version.ofGrant(1, 0)))
                .isEqualTo(Status.NOT_OWNER);
        for (int handle : new int[] {0, -1, Integer.MAX_VALUE, Integer.MIN_VALUE, 3, mine.handle() + 4}) {
            assertThat(new Lent(store, mine.claim(), handle, 1).tryRead(0, 1)).isEqualTo(Status.NOT_OWNER);
            assertThat(store.free(mine.claim(), handle, Version.ofGrant(1, 0))).isEqualTo(Status.NOT_OWNER);
        }
        assertThat(theirs.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
    }

    @Test
    void rangesBeyondTheSlabAreRefused() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        int[][] ranges = {
            {SLAB, 1},
            {SLAB - 1, 2},
            {-1, 1},
            {0, -1},
            {-1, -1},
            {Integer.MAX_VALUE, 1},
            {1, Integer.MAX_VALUE},
            {0, SLAB + 1},
            {Integer.MIN_VALUE, Integer.MIN_VALUE},
            {Integer.MAX_VALUE, Integer.MAX_VALUE}
        };
        ByteBuf buf = Pages.rubbish(16);
        try {
            for (int[] range : ranges) {
                assertThat(store.read(slab.claim(), slab.handle(), range[0], range[1], buf, 0))
                        .isEqualTo(Status.OUT_OF_RANGE);
                assertThat(store.write(slab.claim(), slab.handle(), range[0], range[1], slab.version(1), buf, 0))
                        .isEqualTo(Status.OUT_OF_RANGE);
                assertThat(slab.trim(range[0], range[1], 1)).isEqualTo(Status.OUT_OF_RANGE);
            }
        } finally {
            buf.release();
        }
        assertThat(slab.tryRead(SLAB, 0)).isEqualTo(Status.OK);
        assertThat(slab.tryRead(0, 0)).isEqualTo(Status.OK);
    }

    @Test
    void versionsOutOfRangeAreRefused() {
        Lent slab = Lent.grant(store, "a", 3, 0);
        for (long version : new long[] {0, -1, Long.MIN_VALUE, Version.MAX_REQUEST + 1, Long.MAX_VALUE}) {
            assertThat(store.trim(slab.claim(), slab.handle(), 0, PAGE, version))
                    .isEqualTo(Status.BAD_REQUEST);
        }
        assertThat(store.grant(slab.claim(), 1, 0).status()).isEqualTo(Status.BAD_REQUEST);
        assertThat(store.grant(slab.claim(), -1, 1).status()).isEqualTo(Status.BAD_REQUEST);
        assertThat(store.trim(slab.claim(), slab.handle(), 0, PAGE, Version.MAX_REQUEST))
                .isEqualTo(Status.OK);
    }

    /** A12: the sum of base and version never reaches the marks beside it. */
    @Test
    void versionsDoNotRunIntoTheMarksOfAPage() {
        Lent first = Lent.grant(store, "a", 1, 0);
        assertThat(store.trim(first.claim(), first.handle(), 0, PAGE, Version.MAX_REQUEST))
                .isEqualTo(Status.OK);
        Lent second = first.as(Lent.claim(store, "a", 2), 2);
        assertThat(store.trim(second.claim(), second.handle(), 0, PAGE, Version.MAX_REQUEST))
                .isEqualTo(Status.BAD_REQUEST);
        assertThat(store.trim(second.claim(), second.handle(), 0, PAGE, Version.MAX_REQUEST - 1))
                .isEqualTo(Status.OK);
        assertThat(second.read(0, PAGE)).isEqualTo(new byte[PAGE]);
    }

    /** F8: who has claimed nothing learns no handle and changes nothing. */
    @Test
    void anObserverSeesAndChangesNothing() {
        Lent slab = Lent.grant(store, "a", 1, 3);
        Admission admission = store.hello(Hellos.observe("a"));
        Claim observer = requireNonNull(admission.claim());

        assertThat(requireNonNull(admission.reply()).epoch()).isEqualTo(1);
        assertThat(requireNonNull(admission.reply()).content()).isEqualTo(Hellos.CONTENT);
        assertThat(requireNonNull(admission.reply()).heldSlabs()).isEqualTo(1);
        assertThat(store.list(observer, 0).status()).isEqualTo(Status.NOT_CLAIMED);
        assertThat(store.pages(observer, slab.handle(), 0, SLAB).status()).isEqualTo(Status.NOT_CLAIMED);
        assertThat(store.note(observer, 1, ByteBuffer.allocate(1))).isEqualTo(Status.NOT_CLAIMED);
        Lent seen = slab.as(observer, 1);
        assertThat(seen.tryRead(0, PAGE)).isEqualTo(Status.NOT_CLAIMED);
        assertThat(seen.write(0, PAGE, 1, 1)).isEqualTo(Status.NOT_CLAIMED);
        assertThat(seen.trim(0, PAGE, 1)).isEqualTo(Status.NOT_CLAIMED);
        assertThat(store.grant(observer, 0, 1).status()).isEqualTo(Status.NOT_CLAIMED);
        assertThat(store.free(observer, slab.handle(), Version.ofGrant(1, 0))).isEqualTo(Status.NOT_CLAIMED);
        assertThat(store.ping(observer)).isEqualTo(Status.OK);
        assertThat(slab.read(0, PAGE)).isEqualTo(new byte[PAGE]);
    }

    @Test
    void statisticsCountWhatWasDone() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, 2 * PAGE, 1, 1);
        slab.read(0, PAGE);
        slab.trim(0, PAGE, 2);
        slab.tryRead(SLAB, 1);

        StoreStatistics statistics = store.statistics();
        assertThat(statistics.totalSlabs()).isEqualTo(3);
        assertThat(statistics.lentSlabs()).isEqualTo(1);
        assertThat(statistics.reads()).isEqualTo(2);
        assertThat(statistics.bytesRead()).isEqualTo(PAGE);
        assertThat(statistics.writes()).isEqualTo(1);
        assertThat(statistics.bytesWritten()).isEqualTo(2 * PAGE);
        assertThat(statistics.bytesTrimmed()).isEqualTo(PAGE);
        assertThat(statistics.refused()).isEqualTo(1);
        assertThat(statistics.exports()).singleElement().satisfies(export -> {
            assertThat(export.name()).isEqualTo("a");
            assertThat(export.slabs()).isEqualTo(1);
            assertThat(export.links()).isEqualTo(1);
            assertThat(export.epoch()).isEqualTo(1);
        });
    }

    @Test
    void aClosedStoreRefusesWithoutTouchingMemory() throws IOException {
        SlabStore other = SlabStore.open(Settings.slabs(1));
        Lent slab = Lent.grant(other, "a", 1, 0);
        other.close();
        other.close();

        assertThat(slab.tryRead(0, PAGE)).isEqualTo(Status.FENCED);
        assertThat(slab.write(0, PAGE, 1, 1)).isEqualTo(Status.FENCED);
        assertThat(other.grant(slab.claim(), 1, 1).status()).isEqualTo(Status.FENCED);
        assertThat(other.hello(Hellos.claim("a", 2)).status()).isEqualTo(Status.NO_SPACE);
        slab.claim().close();
    }

    private static BitSet written(Lent slab) {
        MarkedPages marked = slab.store().pages(slab.claim(), slab.handle(), 0, SLAB);
        assertThat(marked.status()).isEqualTo(Status.OK);
        BitSet written = new BitSet();
        for (int page = 0; page < marked.marks().pages(); page++) {
            written.set(page, marked.marks().written(page));
        }
        return written;
    }

    private static BitSet bits(int from, int to) {
        BitSet bits = new BitSet();
        bits.set(from, to);
        return bits;
    }
}
