package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.SealedPages.Before;
import io.leapnbd.bypass.map.SealedPages.Seals;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SealedPagesTest {

    private static final int PAGES = 40;

    private final Seals seals = new Seals();
    private MemorySegment records = memory((long) PAGES * SealedPages.RECORD);
    private MemorySegment slots = memory(SealedPages.SLOTS_LENGTH);
    private SealedPages pages = new SealedPages(records, slots);

    private static MemorySegment memory(long bytes) {
        return MemorySegment.ofArray(new long[(int) (bytes / Long.BYTES)]);
    }

    private void kill() {
        // What a process leaves behind that is killed: its stores, and nothing else.
        records = memory(records.byteSize()).copyFrom(records);
        slots = memory(slots.byteSize()).copyFrom(slots);
        pages = new SealedPages(records, slots);
        pages.restore();
    }

    private static long tag(long stamp) {
        return stamp * 0x9e37_79b9_7f4a_7c15L;
    }

    private boolean begin(long page, long stamp, Before before) {
        return pages.begin(page, stamp, tag(stamp), ~tag(stamp), before);
    }

    /** Which stamps a page may have by what is known, the newest first; the tags have to be theirs. */
    private Set<Long> candidates(long page) {
        pages.look(page, seals);
        Set<Long> all = new LinkedHashSet<>();
        if (seals.trimmed()) {
            all.add(SealedPages.ZERO_PAGE);
        }
        add(all, seals.newest(), seals.newestFirst(), seals.newestSecond());
        if (seals.open()) {
            add(all, seals.before(), seals.beforeFirst(), seals.beforeSecond());
        }
        return all;
    }

    private static void add(Set<Long> all, long stamp, long first, long second) {
        if (stamp != SealedPages.NOTHING) {
            all.add(stamp);
            if (stamp != SealedPages.ZERO_PAGE) {
                assertThat(first).isEqualTo(tag(stamp));
                assertThat(second).isEqualTo(~tag(stamp));
            }
        }
    }

    /** Random writes and trims that succeed, fail, or are cut off by a kill; of each page it is known what it may be. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void whatWasAcknowledgedIsAlwaysKnown(int seed) {
        Random random = new Random(seed);
        long[] committed = new long[PAGES];
        long[] begun = new long[PAGES];
        long stamp = 1;
        for (int step = 0; step < 4000; step++) {
            int page = random.nextInt(PAGES);
            switch (random.nextInt(10)) {
                case 0, 1, 2, 3 -> {
                    Before before = committed[page] == 0 && begun[page] == 0 ? Before.BLANK : Before.KNOWN;
                    assertThat(begin(page, stamp, before)).isTrue();
                    if (before == Before.BLANK) {
                        committed[page] = SealedPages.ZERO_PAGE;
                    }
                    begun[page] = stamp++;
                }
                case 4 -> {
                    if (committed[page] != 0) {
                        pages.beginZeros(page);
                        begun[page] = SealedPages.ZERO_PAGE;
                    }
                }
                case 5, 6, 7 -> {
                    if (begun[page] != 0) {
                        pages.commit(page);
                        committed[page] = begun[page];
                        begun[page] = 0;
                    }
                }
                case 8 -> {
                    if (begun[page] != 0) {
                        // A look has found what was there before.
                        pages.look(page, seals);
                        boolean write = begun[page] != SealedPages.ZERO_PAGE;
                        boolean twice = !write && seals.before() != SealedPages.NOTHING && seals.open();
                        if (write || !twice) {
                            pages.settle(page, !write);
                            begun[page] = 0;
                        }
                    }
                }
                default -> kill();
            }
            if (committed[page] != 0) {
                Set<Long> known = candidates(page);
                assertThat(known).as("page %d at step %d", page, step).contains(committed[page]);
                if (begun[page] != 0) {
                    assertThat(known.iterator().next()).isEqualTo(begun[page]);
                } else {
                    assertThat(known).containsExactly(committed[page]);
                }
            }
        }
    }

    @Test
    void aPageThatWasLostHasNothingToComeBackTo() {
        assertThat(begin(3, 9, Before.LOST)).isTrue();
        assertThat(candidates(3)).containsExactly(9L);
        pages.settle(3, false);
        assertThat(candidates(3)).isEmpty();
        assertThat(pages.unknown(3)).isTrue();
    }

    /** The client of the write in between was told that it failed. */
    @Test
    void ofAPageThatIsOpenWhenItIsWrittenAgainTheAcknowledgedBytesStayKnown() {
        assertThat(begin(3, 5, Before.BLANK)).isTrue();
        pages.commit(3);
        assertThat(begin(3, 6, Before.KNOWN)).isTrue();
        assertThat(begin(3, 7, Before.KNOWN)).isTrue();
        assertThat(candidates(3)).containsExactly(7L, 5L);
    }

    @Test
    void aWriteIsGivenUpOnlyWhereOneWasBegun() {
        assertThat(begin(3, 5, Before.BLANK)).isTrue();
        pages.commit(3);
        assertThat(begin(3, 6, Before.KNOWN)).isTrue();
        pages.giveUpWrite(3);
        assertThat(candidates(3)).containsExactly(5L);
        // A trim that has failed may have left zeros.
        pages.beginZeros(3);
        pages.giveUpWrite(3);
        assertThat(candidates(3)).containsExactly(SealedPages.ZERO_PAGE, 5L);
    }

    @Test
    void slotsRunOutAndComeBack() {
        records = memory((SealedPages.SLOTS + 1L) * SealedPages.RECORD);
        pages = new SealedPages(records, slots);
        for (int page = 0; page < SealedPages.SLOTS; page++) {
            assertThat(begin(page, page + 1L, Before.BLANK)).isTrue();
        }
        assertThat(begin(SealedPages.SLOTS, 99_999, Before.BLANK)).isFalse();
        assertThat(pages.unknown(SealedPages.SLOTS)).isTrue();
        kill();
        assertThat(begin(SealedPages.SLOTS, 99_999, Before.BLANK)).isFalse();
        BitSet open = new BitSet();
        pages.forEachOpen(page -> open.set((int) page));
        assertThat(open.cardinality()).isEqualTo(SealedPages.SLOTS);
        pages.settle(77, false);
        assertThat(candidates(77)).containsExactly(SealedPages.ZERO_PAGE);
        assertThat(begin(SealedPages.SLOTS, 99_999, Before.BLANK)).isTrue();
        pages.forget(0, SealedPages.SLOTS);
        assertThat(begin(77, 88, Before.BLANK)).isTrue();
    }

    @Test
    void stampsThatAreInUseAreFound() {
        assertThat(begin(1, 5L << 50 | 1, Before.BLANK)).isTrue();
        pages.commit(1);
        assertThat(begin(2, 7L << 50 | 1, Before.BLANK)).isTrue();
        pages.commit(2);
        assertThat(begin(2, 9L << 50 | 1, Before.KNOWN)).isTrue();
        BitSet lives = new BitSet();
        pages.stamps(0, PAGES, 50, lives);
        assertThat(lives.stream()).containsExactly(5, 7, 9);
    }

    /** A reader on another loop sees a seal that the page had at one moment, and never half of one and half of another. */
    @Test
    void whoLooksWhileAnotherChangesSeesWholeSeals() throws InterruptedException {
        AtomicBoolean done = new AtomicBoolean();
        Thread writer = new Thread(() -> {
            for (long stamp = 1; stamp < 300_000; stamp++) {
                assertThat(begin(0, stamp, stamp == 1 ? Before.BLANK : Before.KNOWN))
                        .isTrue();
                pages.commit(0);
                // Its slot is used for another page.
                assertThat(begin(1, stamp + 1_000_000, Before.BLANK)).isTrue();
                pages.commit(1);
            }
            done.set(true);
        });
        writer.start();
        long looks = 0;
        while (!done.get() && writer.isAlive()) {
            Set<Long> seen = candidates(0);
            assertThat(seen.stream().allMatch(stamp -> stamp < 1_000_000 || stamp == SealedPages.ZERO_PAGE))
                    .isTrue();
            looks++;
        }
        writer.join();
        assertThat(done).isTrue();
        assertThat(looks).isPositive();
        assertThat(candidates(0)).containsExactly(299_999L);
    }
}
