package io.leapnbd.prefetch;

/**
 * What the kernel code that was published with Leap does where it departs from the paper (its mm/swap_state.c, for Linux
 * 4.4): the trend is the paper's, with H = 32 and N_split = 4; the window is Linux's for swap-in, never below 4 and never
 * suspended, and counts the demanded page, so at most 7 pages are prefetched; without a trend it reads the aligned cluster,
 * as Linux does. For comparison with figures obtained on that kernel. Its one history for all processes is what a block
 * device sees anyway. Of the kernel's start, when its history is full of zeros that vote, nothing is kept.
 */
final class LeapKernelPrefetcher implements Prefetcher {

    private static final int HISTORY = 32;
    private static final int SPLIT = 4;

    private final long pages;
    private final AccessHistory history = new AccessHistory(HISTORY);
    private final SwapInWindow window = new SwapInWindow(false);

    LeapKernelPrefetcher(long pages) {
        this.pages = pages;
    }

    @Override
    public int demand(long page, boolean hit, int connection, long nanos, long[] candidates) {
        history.record(page);
        if (hit) {
            window.hit();
            return 0;
        }
        int size = window.next(page);
        long trend = MajorityTrend.find(history, SPLIT);
        return trend == MajorityTrend.NONE
                ? Candidates.cluster(page, size, pages, candidates)
                : Candidates.along(page, trend, size - 1, pages, candidates);
    }
}
