package io.leapnbd.prefetch;

/** Linux's swap read-ahead: after a miss the aligned cluster around the page, as large as {@link SwapInWindow} says. */
final class ReadAheadPrefetcher implements Prefetcher {

    private final long pages;
    private final SwapInWindow window = new SwapInWindow(true);

    ReadAheadPrefetcher(long pages) {
        this.pages = pages;
    }

    @Override
    public int demand(long page, boolean hit, int connection, long nanos, long[] candidates) {
        if (hit) {
            window.hit();
            return 0;
        }
        return Candidates.cluster(page, window.next(page), pages, candidates);
    }
}
