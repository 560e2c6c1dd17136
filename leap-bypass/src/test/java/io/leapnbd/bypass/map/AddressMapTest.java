package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Objects;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AddressMapTest {

    private static final int SLAB_SHIFT = 20;
    private static final int PAGE = 4096;
    private static final UUID OLD = UUID.randomUUID();
    private static final UUID NEW = UUID.randomUUID();

    private StateFile state;
    private AddressMap map;

    @BeforeEach
    void open() {
        state = StateFile.inMemory(4L << SLAB_SHIFT, SLAB_SHIFT);
        map = new AddressMap(state, 4L << SLAB_SHIFT, SLAB_SHIFT);
    }

    @AfterEach
    void close() {
        state.close();
    }

    @Test
    void onlyWrittenPagesOfALostSlabAreLost() {
        int slab = 1;
        long base = 1L << SLAB_SHIFT;
        map.map(slab, Placement.of(0, OLD, 1, 1));
        map.markWritten(base + PAGE, 2 * PAGE);

        assertThat(loseAll(0, OLD)).isEqualTo(2);

        assertThat(map.placement(slab)).isNull();
        assertThat(map.damaged(slab)).isTrue();
        assertThat(map.anyLost(base, PAGE)).isFalse();
        assertThat(map.anyLost(base + PAGE, PAGE)).isTrue();
        assertThat(map.anyWritten(base, 1L << SLAB_SHIFT)).isFalse();
    }

    /** Seed 3350 of the simulation: a donor that is told of a lost page that was trimmed since calls a blank page lost. */
    @Test
    void aSlabIsNotPlacedIfItsDonorsWereToldOfALostPageThatWasTrimmedSince() {
        map.map(0, Placement.of(0, OLD, 1, 1));
        map.markWritten(0, 2 * PAGE);
        loseAll(0, OLD);
        long[] told = map.lostPages(0);

        assertThat(map.markBlankIfNowhere(0, PAGE)).isTrue();
        assertThat(map.map(0, Placement.of(0, NEW, 1, 2), told)).isFalse();
        assertThat(map.map(0, Placement.of(0, NEW, 2, 3), map.lostPages(0))).isTrue();
        assertThat(map.markBlankIfNowhere(PAGE, PAGE)).isFalse();
        assertThat(map.anyLost(PAGE, PAGE)).isTrue();
    }

    @Test
    void slabsOfOtherDonorsAndIncarnationsAreKept() {
        map.map(0, Placement.of(0, OLD, 1, 1));
        map.map(1, Placement.of(1, OLD, 1, 2));
        map.map(2, Placement.of(0, NEW, 1, 3));
        map.markWritten(0, 3L << SLAB_SHIFT);

        loseAll(0, OLD);

        assertThat(map.placement(0)).isNull();
        assertThat(map.placement(1)).isNotNull();
        assertThat(map.placement(2)).isNotNull();
    }

    @Test
    void aPageWrittenWholeIsHealedAndOneWrittenInPartIsNot() {
        int slab = 0;
        map.map(slab, Placement.of(0, OLD, 1, 1));
        map.markWritten(0, 4 * PAGE);
        loseAll(0, OLD);
        Placement now = Placement.of(0, NEW, 2, 2);
        map.map(slab, now);

        assertThat(map.partlyLost(100, PAGE)).isTrue();
        assertThat(map.partlyLost(0, PAGE)).isFalse();
        map.markHealed(slab, now, 1, 0, 2 * PAGE + 100);

        assertThat(map.anyLost(0, 2 * PAGE)).isFalse();
        assertThat(map.anyLost(2 * PAGE, PAGE)).isTrue();
        assertThat(map.damaged(slab)).isTrue();
        map.markHealed(slab, now, 1, 2 * PAGE, 2 * PAGE);
        assertThat(map.damaged(slab)).isFalse();
    }

    @Test
    void aWriteThatEndsAfterItsDonorWasLostHealsNothing() {
        int slab = 0;
        Placement gone = Placement.of(0, OLD, 1, 1);
        map.map(slab, gone);
        map.markWritten(0, PAGE);
        loseAll(0, OLD);
        map.map(slab, Placement.of(0, NEW, 2, 2));

        map.markHealed(slab, gone, 1, 0, PAGE);

        assertThat(map.anyLost(0, PAGE)).isTrue();
    }

    @Test
    void aTrimMakesWholePagesBlankAlsoLostOnes() {
        int slab = 0;
        map.map(slab, Placement.of(0, OLD, 1, 1));
        map.markWritten(0, 3 * PAGE);
        loseAll(0, OLD);

        map.markBlank(100, 2 * PAGE);

        assertThat(map.anyLost(0, PAGE)).isTrue();
        assertThat(map.anyLost(PAGE, PAGE)).isFalse();
        assertThat(map.blank(PAGE, PAGE)).isTrue();
    }

    /** Scale (C): a server with 16 TiB in slabs of 64 MiB has a heap of 46 MB in all. */
    @Test
    void aSlabThatIsNowhereTakesEightBytesOfHeap() {
        int slabs = 1 << 14;
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (StateFile wide = StateFile.inMemory((long) slabs << 26, 26)) {
            // Compiled, so that looking at memory allocates nothing.
            for (int i = 0; i < 20; i++) {
                assertThat(new AddressMap(wide, (long) slabs << 26, 26).mappedSlabs())
                        .isZero();
            }
            long before = threads.getCurrentThreadAllocatedBytes();
            AddressMap blank = new AddressMap(wide, (long) slabs << 26, 26);
            long bytes = threads.getCurrentThreadAllocatedBytes() - before;
            assertThat(blank.slabs()).isEqualTo(slabs);
            assertThat(bytes).isLessThan(8L * slabs + (64 << 10));

            before = threads.getCurrentThreadAllocatedBytes();
            for (int slab = 0; slab < 1000; slab++) {
                blank.map(slab, Placement.of(0, OLD, slab, slab));
            }
            // Most of it is garbage of writing the row.
            assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(1000L * 1000);
            assertThat(blank.pagesWritten()).isZero();
        }
    }

    private long loseAll(int donor, UUID process) {
        long pages = 0;
        for (int slab = 0; slab < map.slabs(); slab++) {
            Placement placement = map.placement(slab);
            if (placement != null
                    && placement.primary().donor() == donor
                    && placement.primary().incarnation().equals(process)) {
                pages += Objects.requireNonNull(map.remove(slab, placement.primary(), () -> 1))
                        .pagesLost();
            }
        }
        return pages;
    }
}
