package io.leapnbd.prefetch;

/**
 * The pages that were proposed and have not been demanded yet: those that were fetched, and those that were only thought
 * of, to see what would have become of them. One that is not demanded in time counts as wrong: one that was fetched when it has
 * been {@linkplain Displacement given up} for long, any other after some demands.
 *
 * <p>A hash table of buckets of eight. A full bucket gives up the oldest; besides, each {@link #sweep} looks at a few
 * places, so that nothing stays for ever when nothing new comes.
 */
final class Proposals {

    /** Is told what became of a proposal. */
    interface Judge {
        /**
         * A proposal is settled.
         *
         * @param fetched whether the page was fetched
         * @param right whether it was demanded, in time, and still there
         * @param nanos when it was proposed
         */
        void judge(int circumstances, int stream, int serial, boolean fetched, boolean right, long nanos);
    }

    private static final int WAYS = 8;
    private static final int BUCKETS = 512;

    /** Places that are looked at each demand for what has waited too long. */
    private static final int SWEEP = 2;

    /** Demands after which a proposal that was not fetched counts as wrong. */
    private static final long PATIENCE = 2048;

    /** What one takes. */
    static final long BYTES = BUCKETS * WAYS * 41L + 512;

    private static final long NONE = -1;

    private final Judge judge;
    private final Displacement displacement;
    private final long[] pages = new long[BUCKETS * WAYS];
    private final long[] nanos = new long[BUCKETS * WAYS];
    private final long[] madeAt = new long[BUCKETS * WAYS];
    private final int[] circumstances = new int[BUCKETS * WAYS];
    private final int[] streams = new int[BUCKETS * WAYS];
    private final int[] serials = new int[BUCKETS * WAYS];
    private final int[] born = new int[BUCKETS * WAYS];
    private final boolean[] fetched = new boolean[BUCKETS * WAYS];
    private int swept;

    Proposals(Judge judge, Displacement displacement) {
        this.judge = judge;
        this.displacement = displacement;
        java.util.Arrays.fill(pages, NONE);
    }

    /** Where a page's proposal is, or -1. */
    int find(long page) {
        int start = bucket(page);
        for (int at = start; at < start + WAYS; at++) {
            if (pages[at] == page) {
                return at;
            }
        }
        return -1;
    }

    /** Whether its page was fetched, and has probably not been given up since. */
    boolean isHeld(int at) {
        return fetched[at] && !displacement.isGone(born[at]);
    }

    /** What it was proposed under. */
    int circumstances(int at) {
        return circumstances[at];
    }

    /** A proposal's page is demanded: it was right, unless it was fetched and is not there any more. */
    void demanded(int at, boolean hit) {
        if (fetched[at]) {
            displacement.settled(born[at], hit);
        }
        settle(at, !fetched[at] || hit);
    }

    /** The proposal is void: its page has been overwritten. */
    void withdraw(int at) {
        settle(at, false);
    }

    /**
     * Remembers a proposal.
     *
     * @param known where the page's proposal is already, which this one takes the place of; or -1
     * @param tick demands so far
     * @param isFetched whether the page is fetched, not only thought of
     */
    void make(int known, long page, long tick, long now, int circumstance, int stream, int serial, boolean isFetched) {
        int at = known >= 0 ? known : room(page);
        pages[at] = page;
        madeAt[at] = tick;
        nanos[at] = now;
        circumstances[at] = circumstance;
        streams[at] = stream;
        serials[at] = serial;
        fetched[at] = isFetched;
        if (isFetched) {
            born[at] = displacement.fetched();
        }
    }

    private int room(long page) {
        int start = bucket(page);
        int oldest = start;
        for (int at = start; at < start + WAYS; at++) {
            if (pages[at] == NONE) {
                return at;
            }
            if (madeAt[at] < madeAt[oldest]) {
                oldest = at;
            }
        }
        settle(oldest, false);
        return oldest;
    }

    /** Gives up what has waited too long, in the next places. Called once a demand. */
    void sweep(long tick) {
        for (int i = 0; i < SWEEP; i++) {
            boolean late = fetched[swept] ? displacement.isHistory(born[swept]) : tick - madeAt[swept] > PATIENCE;
            if (pages[swept] != NONE && late) {
                settle(swept, false);
            }
            swept = (swept + 1) & (BUCKETS * WAYS - 1);
        }
    }

    private void settle(int at, boolean right) {
        pages[at] = NONE;
        judge.judge(circumstances[at], streams[at], serials[at], fetched[at], right, nanos[at]);
    }

    private static int bucket(long page) {
        return ((int) (PageIndex.mix(page) >>> 20) & (BUCKETS - 1)) * WAYS;
    }
}
