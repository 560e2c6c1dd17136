package io.leapnbd.prefetch;

/**
 * The hard cap on wasted bandwidth. Each fetch is paid for when it is made and paid back when its page is demanded. A demand
 * brings one; if nobody had demanded anything for a while, it brings one more for each fetch that there was time for, one after the
 * other, up to {@link #MOST_A_DEMAND} in all. So, whatever the accesses are, waste takes no more of the link in the long run than one
 * more reader would that has one page on its way at any time; and among any d demands that leave no time between them at most
 * d + {@link #MOST} fetches can be wasted, among any others eight times d.
 *
 * <p>Well before the cap it makes fetches dearer: {@link #worthFetching}. When the link is idle, it makes some cheaper.
 */
final class WasteBudget {

    /** The most that can be saved up, in fetches. */
    static final int MOST = 768;

    /** The most that a demand brings, however long nobody has demanded anything. */
    static final int MOST_A_DEMAND = 8;

    /** The odds that are asked for when nothing is covered; at fewer, more are taken for good than are. */
    private static final float LEAST_ODDS = 0.12f;

    /** What is asked for besides when everything is covered: then there is little to gain and room to lose. */
    private static final float COVERED_ODDS = 0.15f;

    // The same of a page that is wanted at once or not at all, when the link is idle: a fetch that is wasted delays
    // nobody then.
    private static final float IDLE_LEAST_ODDS = 0.002f;
    private static final float IDLE_COVERED_ODDS = 0.06f;

    /** What is asked for besides when the budget is used up. */
    private static final float SPENT_ODDS = 0.2f;

    /** The link is idle when so many fetches could be made between two demands. */
    private static final int IDLE_FETCHES = 2;

    private static final float COVERAGE_MEMORY = 2048;
    private static final float IDLE_MEMORY = 256;

    private int left = MOST;
    private float coverage;
    private float idle;
    private float spent;

    /**
     * A page is demanded.
     *
     * @param hit whether it was there, or on its way
     * @param passed nanoseconds since the demand before; 0 if they come at once
     * @param fetch nanoseconds that a fetch takes, more than 0
     */
    void demanded(boolean hit, long passed, long fetch) {
        coverage = Fading.of(coverage + ((hit ? 1 : 0) - coverage) / COVERAGE_MEMORY);
        int brought = 1;
        if (passed > 0) {
            int spare = spare(passed, fetch);
            brought += spare;
            idle = Fading.of(idle + ((spare >= IDLE_FETCHES ? 1 : 0) - idle) / IDLE_MEMORY);
        }
        left = Math.min(MOST, left + brought);
        spent = SPENT_ODDS * (MOST - left) / MOST;
    }

    /** Fetches that there was time for besides the one that was demanded: as many as count. */
    private static int spare(long passed, long fetch) {
        int fetches = 1;
        while (fetches < MOST_A_DEMAND && passed >= (fetches + 1) * fetch) {
            fetches++;
        }
        return fetches - 1;
    }

    /** The odds from which on a page is to be fetched. */
    float worthFetching() {
        return LEAST_ODDS + COVERED_ODDS * coverage + spent;
    }

    /** The same of a page that is wanted at once or not at all. */
    float worthFetchingAtOnce() {
        float whenIdle = IDLE_LEAST_ODDS + IDLE_COVERED_ODDS * coverage * coverage + spent;
        return worthFetching() + idle * (whenIdle - worthFetching());
    }

    boolean allows() {
        return left > 0;
    }

    void fetched() {
        left--;
    }

    void used() {
        left = Math.min(MOST, left + 1);
    }
}
