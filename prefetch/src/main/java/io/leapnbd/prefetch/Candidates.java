package io.leapnbd.prefetch;

/** The shapes in which policies name pages; pages outside the device are left out. */
final class Candidates {

    private Candidates() {}

    /** {@code count} pages from {@code page} on, {@code delta} apart; none when {@code delta} is 0. */
    static int along(long page, long delta, int count, long pages, long[] candidates) {
        int n = 0;
        if (delta != 0) {
            for (int i = 1; i <= count; i++) {
                n = add(page + i * delta, pages, candidates, n);
            }
        }
        return n;
    }

    /** {@code count} pages to both sides of {@code page}, {@code delta} apart, first the one in {@code delta}'s direction. */
    static int around(long page, long delta, int count, long pages, long[] candidates) {
        int n = 0;
        if (delta != 0) {
            for (int i = 0; i < count; i++) {
                long distance = (i / 2 + 1) * delta;
                n = add((i & 1) == 0 ? page + distance : page - distance, pages, candidates, n);
            }
        }
        return n;
    }

    /**
     * The aligned cluster that {@code page} is in, without it and without page 0, which is the swap header: what Linux's
     * swapin_readahead reads.
     *
     * @param size pages, a power of two
     */
    static int cluster(long page, int size, long pages, long[] candidates) {
        int n = 0;
        long start = page & -(long) size;
        for (long candidate = Math.max(start, 1); candidate < start + size; candidate++) {
            if (candidate != page) {
                n = add(candidate, pages, candidates, n);
            }
        }
        return n;
    }

    /** Adds one page if the device has it. */
    static int add(long candidate, long pages, long[] candidates, int n) {
        if (candidate < 0 || candidate >= pages) {
            return n;
        }
        candidates[n] = candidate;
        return n + 1;
    }
}
