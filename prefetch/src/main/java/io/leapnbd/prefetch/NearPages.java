package io.leapnbd.prefetch;

import java.util.Arrays;

/**
 * Which pages near a request are demanded soon after it, in no order that a stream would have: the head of a list and then some
 * part of it, an index page and then one of the pages that it leads to.
 *
 * <p>What a page is, it has been before: whether the last request for it was followed by a near one is remembered with each page, and
 * with it when that was, because a page that a client has read lately it does not ask for again. For each such kind of page, each
 * distance, and each age of the page at that distance it is counted how often that page came next. Nothing needs to be fetched for
 * that.
 *
 * <p>Only what nobody else foresees counts: pages that were there on another one's advice are none that this one would gain.
 */
final class NearPages {

    /** How far from a request a page is near, in pages. */
    static final int REACH = 8;

    /** Requests within which the near page must come. A power of two. */
    private static final int SOON = 4;

    // What is known of a page: two bits for what followed on it, the rest for when it was demanded, in epochs.
    private static final int NEVER = 0;
    private static final int ALONE = 1;
    private static final int UPWARDS = 2;
    private static final int DOWNWARDS = 3;
    private static final int FOLLOWER_BITS = 2;
    private static final int FOLLOWER_MASK = (1 << FOLLOWER_BITS) - 1;
    private static final int EPOCHS = 1 << (Character.SIZE - FOLLOWER_BITS);

    /** Demands of an epoch, as a power of two. */
    private static final int EPOCH_SHIFT = 9;

    /** Epochs of the first age, as a power of two; each further one is twice as long. */
    private static final int AGE_SHIFT = 3;

    private static final int AGES = 6;
    private static final int AGE_PLACES = 8;
    private static final int KINDS = 16;
    private static final int DISTANCES = 2 * REACH;

    /** Demands that are remembered of each circumstance. */
    private static final float MEMORY = 1024;

    /** Of kinds that a near page follows less often than this, one request in {@link #SAMPLE} is counted by distance and age. */
    private static final float OFTEN = 0.05f;

    private static final int SAMPLE = 4;

    private static final long NOWHERE = Long.MIN_VALUE / 2;

    private final Odds odds = new Odds(KINDS * DISTANCES, AGE_PLACES, MEMORY);

    /** Whether any near page comes next, by kind: most often none does, and no other question is asked. */
    private final Odds any = new Odds(KINDS, 1, MEMORY);

    private final char[] past;
    private final int mask;

    // The last requests: their pages, what kind they were of, whether a near one has followed, and whether one that
    // nobody else foresaw, and whether that is counted by distance.
    private final long[] first = new long[SOON];
    private final long[] last = new long[SOON];
    private final int[] kinds = new int[SOON];
    private final boolean[] followed = new boolean[SOON];
    private final boolean[] gained = new boolean[SOON];
    private final boolean[] counted = new boolean[SOON];
    private int newest;

    private long demands;

    // The request whose pages are being demanded: what followed on its first page, and whether it follows on another.
    private int before;
    private boolean follows;

    /**
     * Knows nothing yet.
     *
     * @param length pages to remember something of, a power of two; those that lie a multiple of it apart share what is
     *     remembered
     */
    NearPages(int length) {
        past = new char[length];
        mask = length - 1;
        Arrays.fill(first, NOWHERE);
        Arrays.fill(last, NOWHERE);
    }

    /** Bytes that one takes. */
    static long bytes(int length) {
        return (long) Character.BYTES * length
                + Odds.bytes(KINDS * DISTANCES, AGE_PLACES)
                + Odds.bytes(KINDS, 1)
                + SOON * 23L
                + 256;
    }

    /** A request begins. */
    void requested(long page) {
        before = past[place(page)] & FOLLOWER_MASK;
        follows = false;
    }

    /**
     * A page of the request is demanded.
     *
     * @param unforeseen whether it was missed, or fetched on this one's advice
     */
    void demanded(long page, boolean unforeseen) {
        int age = age(page);
        for (int i = 0; i < SOON; i++) {
            long distance = page > last[i] ? page - last[i] : Math.min(0, page - first[i]);
            if (distance != 0 && Math.abs(distance) <= REACH) {
                follows = true;
                if (unforeseen) {
                    came(i, (int) distance, age);
                }
                if (!followed[i]) {
                    followed[i] = true;
                    int place = place(first[i]);
                    past[place] = (char) ((past[place] & ~FOLLOWER_MASK) | (distance > 0 ? UPWARDS : DOWNWARDS));
                }
            }
        }
        past[place(page)] = (char) ((epoch() << FOLLOWER_BITS) | ALONE);
        demands++;
    }

    private void came(int request, int distance, int age) {
        if (!gained[request]) {
            gained[request] = true;
            any.cameTrue(kinds[request]);
        }
        if (counted[request]) {
            odds.cameTrue(cell(kinds[request], distance, age));
        }
    }

    /** The request's last page has been demanded: from here on others can follow on it. */
    void ended(long firstPage, long lastPage) {
        newest = (newest + 1) & (SOON - 1);
        first[newest] = firstPage;
        last[newest] = lastPage;
        followed[newest] = false;
        kinds[newest] = (before << 1 | (follows ? 1 : 0)) << 1 | (before == NEVER && isLedTo(firstPage) ? 1 : 0);
        gained[newest] = false;
        any.propose(kinds[newest]);
        counted[newest] = odds() >= OFTEN || (PageIndex.mix(demands) & (SAMPLE - 1)) == 0;
        if (counted[newest]) {
            for (int distance = 1; distance <= REACH; distance++) {
                odds.propose(cell(distance));
                odds.propose(cell(-distance));
            }
        }
    }

    /** The odds that any page near the last request is demanded soon. */
    float odds() {
        return any.of(kinds[newest], 0);
    }

    /** The odds that the page at a distance from the last request, above it or, if negative, below it, is demanded soon. */
    float odds(int distance) {
        return odds.of(cell(distance), 0);
    }

    /** A page has other contents now. */
    void written(long page) {
        past[place(page)] = 0;
    }

    /** Whether a page lies just above one that near ones have followed: then it is more likely one of these. */
    private boolean isLedTo(long page) {
        for (int distance = 1; distance <= REACH; distance++) {
            if ((past[place(page - distance)] & FOLLOWER_MASK) == UPWARDS) {
                return true;
            }
        }
        return false;
    }

    private int cell(int distance) {
        return cell(kinds[newest], distance, age((distance > 0 ? last[newest] : first[newest]) + distance));
    }

    private static int cell(int kind, int distance, int age) {
        return (kind * DISTANCES + (distance > 0 ? distance + REACH - 1 : distance + REACH)) * AGE_PLACES + age;
    }

    /** How long ago a page was demanded: 0 never, 1 lately. */
    private int age(long page) {
        int entry = past[place(page)];
        if (entry == 0) {
            return 0;
        }
        int epochs = (epoch() - (entry >>> FOLLOWER_BITS)) & (EPOCHS - 1);
        return Math.min(AGES - 1, 33 - Integer.numberOfLeadingZeros(epochs >>> AGE_SHIFT));
    }

    private int epoch() {
        return (int) (demands >>> EPOCH_SHIFT) & (EPOCHS - 1);
    }

    private int place(long page) {
        return (int) page & mask;
    }
}
