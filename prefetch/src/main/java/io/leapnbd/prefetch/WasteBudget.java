package io.leapnbd.prefetch;

/**
 * The cap on wasted fetches: each fetch is paid for when it is made and paid back when its page is demanded, and each demand
 * brings a little. So among any d demands at most d times {@link #PER_DEMAND} and {@link #MOST} fetches can have been
 * wasted, whatever the accesses are.
 */
final class WasteBudget {

    /** What a demand brings, in fetches. */
    static final float PER_DEMAND = Float.parseFloat(System.getProperty("per","1"));

    /** The most that can be saved up, in fetches. */
    static final float MOST = 768;

    private float left = MOST;

    void demanded() {
        left = Math.min(MOST, left + PER_DEMAND);
    }

    boolean allows() {
        return left >= 1;
    }

    void fetched() {
        left--;
    }

    void used() {
        left = Math.min(MOST, left + 1);
    }

    /** How much is left, 0 to 1. */
    float fill() {
        return left / MOST;
    }
}
