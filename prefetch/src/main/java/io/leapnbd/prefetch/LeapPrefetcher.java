package io.leapnbd.prefetch;

/**
 * Leap's prefetcher as published (Al Maruf and Chowdhury, "Effectively Prefetching Remote Memory with Leap", USENIX ATC
 * '20, sections 3.2 and 4.2).
 *
 * <p>Every look-up enters the {@link AccessHistory}. A miss asks the {@link PrefetchWindow} how far to go and
 * {@link MajorityTrend} where: along the trend when there is one; else, for as long as earlier hits keep the window
 * open, to both sides of the page by the trend that was found last, nearest first, its own direction first. (The paper's
 * "pages around P_t with the latest Δ_maj" leaves the sides open; this takes "around" at its word.) A page "follows
 * the trend" when the newest delta is the trend found with that delta counted.
 *
 * <p>Settings may be changed from any thread; they count from the next demand on, with an empty history.
 */
public final class LeapPrefetcher implements Prefetcher {

    private final long pages;

    /** What was asked for last; any thread writes it, the owner reads it. */
    private volatile LeapSettings wanted;

    // The owner's.
    private LeapSettings settings;
    private AccessHistory history;
    private PrefetchWindow window;
    private long lastTrend = MajorityTrend.NONE;

    // Written by the owner only, read by anybody.
    private volatile long trendsFound;
    private volatile int windowInUse;

    /**
     * A prefetcher for one stream.
     *
     * @param pages the device's size
     */
    public LeapPrefetcher(long pages, LeapSettings settings) {
        this.pages = pages;
        this.wanted = settings;
        this.settings = settings;
        history = new AccessHistory(settings.history());
        window = new PrefetchWindow(settings.maxWindow());
    }

    /** Changes the settings. */
    public void reconfigure(LeapSettings settings) {
        wanted = settings;
    }

    /** Misses at which there was a trend. */
    @Override
    public long trendsFound() {
        return trendsFound;
    }

    /** Pages of the last window; 0 when suspended. */
    @Override
    public int windowInUse() {
        return windowInUse;
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer
    public int demand(long page, boolean hit, int connection, long nanos, long[] candidates) {
        LeapSettings newest = wanted;
        if (!newest.equals(settings)) {
            settings = newest;
            history = new AccessHistory(newest.history());
            window = new PrefetchWindow(newest.maxWindow());
            lastTrend = MajorityTrend.NONE;
        }
        history.record(page);
        if (hit) {
            window.hit();
            return 0;
        }
        long trend = MajorityTrend.find(history, settings.split());
        int size = window.next(trend != MajorityTrend.NONE && history.delta(0) == trend);
        windowInUse = size;
        if (trend != MajorityTrend.NONE) {
            trendsFound++;
            lastTrend = trend;
            return Candidates.along(page, trend, size, pages, candidates);
        }
        return lastTrend == MajorityTrend.NONE ? 0 : Candidates.around(page, lastTrend, size, pages, candidates);
    }
}
