package io.leapnbd.prefetch;

/**
 * Leap's FindTrend (Algorithm 1): the delta that the majority of the newest look-ups made. It looks at the newest
 * w = H / N_split deltas first, so that a new trend is seen early, and at twice as many each time there is no majority, so
 * that irregular accesses among them do not hide an older trend; O(H) time altogether, O(1) space.
 *
 * <p>A majority is more than half: at least ⌊w/2⌋ + 1 of w. The vote of Boyer and Moore ("MJRTY: A Fast Majority Vote
 * Algorithm", 1991) leaves one candidate; a second pass counts it. While the history is not yet full the window
 * counts as w all the same, and what is missing votes for nothing.
 */
final class MajorityTrend {

    /** No delta has a majority. No delta between two pages is this large. */
    static final long NONE = Long.MIN_VALUE;

    private MajorityTrend() {}

    /**
     * The trend in a history.
     *
     * @param split N_split, from 1 to the history's capacity
     * @return pages, 0 when the same page is looked up again and again; or {@link #NONE}
     */
    static long find(AccessHistory history, int split) {
        for (int window = history.capacity() / split; window <= history.capacity(); window *= 2) {
            long majority = majority(history, window);
            if (majority != NONE) {
                return majority;
            }
        }
        return NONE;
    }

    private static long majority(AccessHistory history, int window) {
        int present = Math.min(window, history.size());
        long candidate = NONE;
        int lead = 0;
        for (int age = 0; age < present; age++) {
            long delta = history.delta(age);
            if (lead == 0) {
                candidate = delta;
            }
            lead += delta == candidate ? 1 : -1;
        }
        int votes = 0;
        for (int age = 0; age < present; age++) {
            if (history.delta(age) == candidate) {
                votes++;
            }
        }
        return votes >= window / 2 + 1 ? candidate : NONE;
    }
}
