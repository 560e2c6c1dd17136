package io.leapnbd.prefetch;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * What the cache counts. Each thread adds to a stripe of its own, as far as thread numbers allow, so that event loops do
 * not pass a cache line around; unlike a LongAdder it never allocates.
 */
final class CacheCounters {

    static final int ADDS = 0;
    static final int HITS = 1;
    static final int MISSES = 2;
    static final int IN_FLIGHT_HITS = 3;
    static final int PAGES_USED = 4;
    static final int EVICTED = 5;
    static final int EVICTED_UNUSED = 6;
    static final int INVALIDATED = 7;
    static final int ABORTED = 8;
    static final int NO_ROOM = 9;

    private static final int STRIPES = 16;
    /** Longs; 128 bytes, because processors fetch lines in pairs. */
    private static final int STRIDE = 16;

    private final AtomicLongArray counts = new AtomicLongArray(STRIPES * STRIDE);

    void add(int counter) {
        int stripe = (int) Thread.currentThread().threadId() & (STRIPES - 1);
        counts.getAndIncrement(stripe * STRIDE + counter);
    }

    long sum(int counter) {
        long sum = 0;
        for (int stripe = 0; stripe < STRIPES; stripe++) {
            sum += counts.get(stripe * STRIDE + counter);
        }
        return sum;
    }
}
