package io.leapnbd.bypass.path;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * How long clients' reads took that donors answered, on one loop: counts by size, 16 to an octave. Only the loop records, which allocates nothing;
 * any thread may look. What it sees may be a little old, and is never less than before.
 */
public final class DemandLatencies {

    /** How many sizes are told apart. */
    static final int SIZES = 24 << DemandLatencies.SIZES_SHIFT;

    private static final int SIZES_SHIFT = 4;

    /** Below this nothing is told apart: 1.024 µs. */
    private static final int LOWEST_SHIFT = 10;

    private final AtomicLongArray counts = new AtomicLongArray(SIZES);

    /** None yet. */
    DemandLatencies() {}

    /** Counts one. On the loop. */
    void record(long nanos) {
        int size = sizeOf(nanos);
        counts.lazySet(size, counts.getPlain(size) + 1);
    }

    /** Adds the counts so far. Any thread. */
    void addTo(long[] sums) {
        for (int size = 0; size < SIZES; size++) {
            sums[size] += counts.get(size);
        }
    }

    /** Which count a latency belongs to. */
    static int sizeOf(long nanos) {
        if (nanos < 1L << LOWEST_SHIFT) {
            return 0;
        }
        int octave = Long.SIZE - 1 - Long.numberOfLeadingZeros(nanos);
        int within = (int) (nanos >>> (octave - SIZES_SHIFT)) & ((1 << SIZES_SHIFT) - 1);
        return Math.min(SIZES - 1, ((octave - LOWEST_SHIFT) << SIZES_SHIFT) + within);
    }

    /** The longest that a count is of, in nanoseconds. */
    static long longest(int size) {
        int octave = LOWEST_SHIFT + (size >>> SIZES_SHIFT);
        long within = (size & ((1 << SIZES_SHIFT) - 1)) + 1L;
        return (1L << octave) + (within << (octave - SIZES_SHIFT));
    }
}
