package io.leapnbd.prefetch;

/**
 * The pages that were proposed and have not been demanded yet: those that were fetched, and those that were only thought
 * of, to see what would have become of them. One that is not demanded in time counts as wrong.
 *
 * <p>A hash table of buckets of eight. A full bucket gives up the oldest; besides, each {@link #sweep} looks through one
 * bucket, so that nothing stays for ever when nothing new comes.
 */
final class Proposals {

    /** Told what became of a proposal. */
    interface Judge {
        void judge(int circumstances, int stream, int serial, boolean fetched, boolean right, long nanos);
    }

    private static final int WAYS = 8;
    private static final int BUCKETS = 512;

    /** Demands after which a proposal counts as wrong. */
    private static final long PATIENCE = 4096;

    private static final long NONE = -1;

    private final Judge judge;
    private final long[] pages = new long[BUCKETS * WAYS];
    private final long[] nanos = new long[BUCKETS * WAYS];
    private final long[] madeAt = new long[BUCKETS * WAYS];
    private final int[] circumstances = new int[BUCKETS * WAYS];
    private final int[] streams = new int[BUCKETS * WAYS];
    private final int[] serials = new int[BUCKETS * WAYS];
    private final boolean[] fetched = new boolean[BUCKETS * WAYS];
    private int swept;

    Proposals(Judge judge) {
        this.judge = judge;
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

    boolean fetched(int at) {
        return fetched[at];
    }

    /** A proposal's page is demanded: it was right, unless it was fetched and is not there any more. */
    void demanded(int at, boolean hit) {
        settle(at, !fetched[at] || hit);
    }

    /** The proposal is void: its page has been overwritten. */
    void withdraw(int at) {
        settle(at, false);
    }

    /** Adds a proposal for a page that has none. */
    void add(long page, long tick, long now, int circumstance, int stream, int serial, boolean isFetched) {
        int start = bucket(page);
        int place = start;
        for (int at = start; at < start + WAYS; at++) {
            if (pages[at] == NONE) {
                place = at;
                break;
            }
            if (madeAt[at] < madeAt[place]) {
                place = at;
            }
        }
        if (pages[place] != NONE) {
            settle(place, false);
        }
        pages[place] = page;
        madeAt[place] = tick;
        nanos[place] = now;
        circumstances[place] = circumstance;
        streams[place] = stream;
        serials[place] = serial;
        fetched[place] = isFetched;
    }

    /** A page that was only thought of is fetched after all, under other circumstances. */
    void upgrade(int at, long tick, long now, int circumstance, int stream, int serial) {
        madeAt[at] = tick;
        nanos[at] = now;
        circumstances[at] = circumstance;
        streams[at] = stream;
        serials[at] = serial;
        fetched[at] = true;
    }

    /** Gives up what has waited too long, in the next bucket. Called once a demand. */
    void sweep(long tick) {
        int start = swept * WAYS;
        swept = swept + 1 == BUCKETS ? 0 : swept + 1;
        for (int at = start; at < start + WAYS; at++) {
            if (pages[at] != NONE && tick - madeAt[at] > PATIENCE) {
                settle(at, false);
            }
        }
    }

    private void settle(int at, boolean right) {
        pages[at] = NONE;
        judge.judge(circumstances[at], streams[at], serials[at], fetched[at], right, nanos[at]);
    }

    private static int bucket(long page) {
        return ((int) (PageIndex.mix(page) >>> 20) & BUCKETS - 1) * WAYS;
    }
}
