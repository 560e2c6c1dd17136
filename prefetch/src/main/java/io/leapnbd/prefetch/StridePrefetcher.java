package io.leapnbd.prefetch;

/** When the last two deltas agree, the pages that follow in the same stride; strict where Leap takes a majority. */
final class StridePrefetcher implements Prefetcher {

    /** Pages a prefetch; as many as Leap prefetches at most. */
    static final int DEPTH = 8;

    private final long pages;
    private final AccessHistory history = new AccessHistory(2);

    StridePrefetcher(long pages) {
        this.pages = pages;
    }

    @Override
    public int demand(long page, boolean hit, int connection, long nanos, long[] candidates) {
        history.record(page);
        if (hit || history.size() < 2 || history.delta(0) != history.delta(1)) {
            return 0;
        }
        return Candidates.along(page, history.delta(0), DEPTH, pages, candidates);
    }
}
