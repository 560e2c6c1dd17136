package io.leapnbd.prefetch;

/**
 * The parameters of Leap's prefetcher.
 *
 * @param history H, how many deltas the access history holds; 2 to 1,024
 * @param split N_split, the part of the history in which a trend is sought first; 1 to {@code history}
 * @param maxWindow PW_max, the most pages to prefetch at once; 1 to {@link Prefetcher#MAX_CANDIDATES}
 */
public record LeapSettings(int history, int split, int maxWindow) {

    /** H = 32 and PW_max = 8 as in the paper's evaluation (section 5); N_split = 4 as in the published code. */
    public static final LeapSettings PUBLISHED = new LeapSettings(32, 4, 8);

    private static final int MAX_HISTORY = 1024;

    /** Refuses what is out of range, in one sentence for people. */
    public LeapSettings {
        if (history < 2 || history > MAX_HISTORY) {
            throw new IllegalArgumentException(
                    "an access history of " + history + " is out of range: 2 to " + MAX_HISTORY);
        }
        if (split < 1 || split > history) {
            throw new IllegalArgumentException(
                    "a history of " + history + " cannot be split by " + split + ": 1 to " + history);
        }
        if (maxWindow < 1 || maxWindow > Prefetcher.MAX_CANDIDATES) {
            throw new IllegalArgumentException("a largest prefetch window of " + maxWindow
                    + " pages is out of range: 1 to " + Prefetcher.MAX_CANDIDATES);
        }
    }
}
