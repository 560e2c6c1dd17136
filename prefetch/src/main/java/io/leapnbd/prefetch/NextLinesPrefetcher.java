package io.leapnbd.prefetch;

/** The next N pages after every miss: the Next-N-Line of the Leap paper's comparison (Table 2). */
final class NextLinesPrefetcher implements Prefetcher {

    /** N; as many as Leap prefetches at most. */
    static final int LINES = 8;

    private final long pages;

    NextLinesPrefetcher(long pages) {
        this.pages = pages;
    }

    @Override
    public int demand(long page, boolean hit, int connection, long nanos, long[] candidates) {
        return hit ? 0 : Candidates.along(page, 1, LINES, pages, candidates);
    }
}
