package io.leapnbd.prefetch;

import java.util.Arrays;

/**
 * A global history buffer with delta correlation, G/DC of Nesbit and Smith ("Data Cache Prefetching Using a Global History
 * Buffer", HPCA 2004): where the last two deltas occurred together before, the deltas that followed then are expected to
 * follow now. It learns repeated irregular sequences, which no majority shows, for as long as the buffer holds them.
 *
 * <p>The buffer is a ring of the last 16,384 look-ups. An index from a hash of two deltas has the newest look-up that made
 * them, and each look-up has a link to the one before it with the same hash; 384 KiB in all. When the earlier occurrence is
 * so recent that it overlaps the present (a plain stride, say), what lies between repeats.
 */
final class GlobalHistoryPrefetcher implements Prefetcher {

    /** Pages a prefetch; as many as Leap prefetches at most. */
    static final int DEPTH = 8;

    /** Look-ups remembered; a power of two. */
    static final int LENGTH = 1 << 14;

    private static final int MASK = LENGTH - 1;

    /** How many look-ups of the same hash are tried; more than one matters only when hashes collide. */
    private static final int LINKS = 4;

    private static final long NONE = -1;

    private final long pages;

    /** The pages looked up, by their number modulo the length. */
    private final long[] ring = new long[LENGTH];

    /** How many look-ups before each the last one with the same hash was; {@link #LENGTH} if that is forgotten. */
    private final int[] link = new int[LENGTH];

    /** The number of the newest look-up by the hash of its two deltas, or {@link #NONE}. */
    private final long[] newest = new long[LENGTH];

    private long count;

    GlobalHistoryPrefetcher(long pages) {
        this.pages = pages;
        Arrays.fill(newest, NONE);
    }

    @Override
    public int demand(long page, boolean hit, int connection, long nanos, long[] candidates) {
        long now = count++;
        ring[(int) now & MASK] = page;
        if (now < 2) {
            return 0;
        }
        int hash = hash(delta(now - 1), delta(now));
        long before = newest[hash];
        link[(int) now & MASK] = before == NONE ? LENGTH : (int) Math.min(now - before, LENGTH);
        newest[hash] = now;
        if (hit) {
            return 0;
        }
        long match = match(now);
        return match == NONE ? 0 : replay(match, now, page, candidates);
    }

    /** The newest look-up before {@code now} with the same two deltas. */
    private long match(long now) {
        long at = now;
        for (int i = 0; i < LINKS; i++) {
            at -= link[(int) at & MASK];
            // The deltas of a look-up need the two before it.
            if (at < 2 || now - at > LENGTH - 3) {
                return NONE;
            }
            if (delta(at) == delta(now) && delta(at - 1) == delta(now - 1)) {
                return at;
            }
        }
        return NONE;
    }

    private int replay(long match, long now, long page, long[] candidates) {
        long period = now - match;
        long next = page;
        int n = 0;
        for (int i = 0; i < DEPTH; i++) {
            next += delta(match + 1 + i % period);
            if (next != page) {
                n = Candidates.add(next, pages, candidates, n);
            }
        }
        return n;
    }

    private long delta(long at) {
        return ring[(int) at & MASK] - ring[(int) (at - 1) & MASK];
    }

    private static int hash(long first, long second) {
        return (int) PageIndex.mix(first * 31 + second) & MASK;
    }
}
