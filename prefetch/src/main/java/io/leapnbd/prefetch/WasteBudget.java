package io.leapnbd.prefetch;

/**
 * The hard cap on wasted fetches: each fetch is paid for when it is made and paid back when its page is demanded, and each
 * demand brings one. So among any d demands at most d + {@link #MOST} fetches can be wasted, whatever the accesses are.
 *
 * <p>Well before the cap it makes fetches dearer: {@link #worthFetching}.
 */
final class WasteBudget {

    /** The most that can be saved up, in fetches. */
    static final int MOST = 768;

    /**
     * The odds that are asked for when nothing is covered. Fewer would often only look like a gain: of many estimates those
     * that are too high are acted on.
     */
    private static final float LEAST_ODDS = 0.15f;

    /** What is asked for besides when everything is covered: then there is little to gain and room to lose. */
    private static final float COVERED_ODDS = 0.15f;

    /** What is asked for besides when the budget is used up. */
    private static final float SPENT_ODDS = 0.2f;

    private static final float COVERAGE_MEMORY = 2048;

    private int left = MOST;
    private float coverage;
    private float worthFetching = LEAST_ODDS + COVERED_ODDS;

    void demanded(boolean hit) {
        left = Math.min(MOST, left + 1);
        coverage += ((hit ? 1 : 0) - coverage) / COVERAGE_MEMORY;
        worthFetching = LEAST_ODDS + COVERED_ODDS * coverage + SPENT_ODDS * (MOST - left) / MOST;
    }

    /** The odds from which on a page is to be fetched. */
    float worthFetching() {
        return worthFetching;
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
