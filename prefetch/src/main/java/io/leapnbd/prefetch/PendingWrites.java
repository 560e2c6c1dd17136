package io.leapnbd.prefetch;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Which pages have a write or trim in flight: counters striped by groups of 32 neighbouring pages, because the kernel
 * writes 128 KiB at a time. A stripe that is shared by chance only refuses a prefetch that could have been made; with 128
 * writes in flight that is less than two in a hundred. A range of more than {@link #WIDE} groups counts for all pages.
 *
 * <p>All accesses are volatile, because {@link PageCache} relies on their total order with those to slot words and index
 * entries.
 */
class PendingWrites {

    private static final int GROUP_SHIFT = 5;
    private static final int STRIPES = 1 << 14;

    /** Groups; 32 MiB, the largest write that NBD clients send. */
    private static final long WIDE = 256;

    private final AtomicIntegerArray stripes;
    private final AtomicInteger wide = new AtomicInteger();

    /** Enough stripes for any number of writes that clients have in flight. */
    PendingWrites() {
        this(STRIPES);
    }

    /** As many stripes as said; a power of two. */
    PendingWrites(int stripes) {
        this.stripes = new AtomicIntegerArray(stripes);
    }

    /** Whether a write may be in flight to {@code page}; never false when one is. */
    boolean covers(long page) {
        return wide.get() != 0 || stripes.get(stripe(page >>> GROUP_SHIFT)) != 0;
    }

    void begin(long firstPage, long count) {
        add(firstPage, count, 1);
    }

    void end(long firstPage, long count) {
        add(firstPage, count, -1);
    }

    private void add(long firstPage, long count, int delta) {
        long first = firstPage >>> GROUP_SHIFT;
        long last = (firstPage + count - 1) >>> GROUP_SHIFT;
        if (last - first >= WIDE) {
            check(wide.addAndGet(delta));
            return;
        }
        for (long group = first; group <= last; group++) {
            check(stripes.addAndGet(stripe(group), delta));
        }
    }

    private static void check(int inFlight) {
        if (inFlight < 0) {
            throw new IllegalStateException("a write ended that had not begun");
        }
    }

    private int stripe(long group) {
        return (int) PageIndex.mix(group) & (stripes.length() - 1);
    }
}
