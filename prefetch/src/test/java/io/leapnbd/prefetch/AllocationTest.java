package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Nothing on the way of a page may allocate: invariant 8. */
class AllocationTest {

    private static final int STEPS = 50_000;

    /** What the measurement itself, or a compiler thread's doings in this one, may cost in all. */
    private static final long NOISE_BYTES = 4096;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final long[] candidates = new long[Prefetcher.MAX_CANDIDATES];

    private long allocatedBy(Runnable work) {
        work.run();
        long before = threads.getCurrentThreadAllocatedBytes();
        work.run();
        return threads.getCurrentThreadAllocatedBytes() - before;
    }

    @Test
    void theCacheAllocatesNothingAtWork() {
        try (Arena memory = Arena.ofConfined()) {
            PageCache cache = new PageCache(memory.allocate(64L * PageCache.PAGE_SIZE));
            SplittableRandom random = new SplittableRandom(1);
            RecordingWaiter waiter = new RecordingWaiter();

            long bytes = allocatedBy(() -> {
                for (int i = 0; i < STEPS; i++) {
                    long page = random.nextInt(200);
                    int slot = cache.claim(page);
                    if (slot >= 0) {
                        boolean waits = cache.await(PageCache.inFlightSlot(cache.lookup(page)), page, waiter);
                        cache.publish(slot, i);
                        if (waits) {
                            cache.release(slot);
                        }
                    }
                    int found = cache.lookup(random.nextInt(200));
                    if (found >= 0) {
                        cache.consume(found);
                    }
                    if (i % 8 == 0) {
                        cache.beginWrite(page, 32);
                        cache.endWrite(page, 32);
                    }
                }
            });

            assertThat(cache.figures().hits()).isGreaterThan(STEPS / 10);
            assertThat(bytes).isLessThan(NOISE_BYTES);
        }
    }

    @ParameterizedTest
    @EnumSource
    void noPolicyAllocatesWhenItDecides(PrefetchPolicy policy) {
        Prefetcher prefetcher = policy.prefetcher(1 << 20, LeapSettings.PUBLISHED);
        SplittableRandom random = new SplittableRandom(1);

        long bytes = allocatedBy(() -> {
            long page = 0;
            for (int i = 0; i < STEPS; i++) {
                page = random.nextInt(10) == 0 ? random.nextInt(1 << 20) : (page + 3) & ((1 << 20) - 1);
                prefetcher.demand(page, (i & 3) != 0, 0, i, candidates);
            }
        });

        assertThat(bytes).isLessThan(NOISE_BYTES);
    }
}
