package io.leapnbd.prefetch;

/**
 * The order in which something happened to pages: a ring of the last pages, and for each of them where in the ring it was
 * last. It makes positions in time of what happened to a page, so that what is before and after it can be found: the
 * history buffer and index table of temporal streaming (Wenisch et al., "Temporal Streaming of Shared Memory", ISCA 2005;
 * "Practical Off-chip Meta-data for Temporal Memory Streaming", HPCA 2009).
 *
 * <p>12 bytes an entry: 4 in the ring, 8 in the index, which is a hash table of buckets of eight entries, half full. In
 * one of a hundred buckets or so the oldest of nine pages is forgotten early.
 *
 * <pre>
 *  31                 bits   bits-1            0
 * +-----------------------+---------------------+
 * |   tag of the page     |  place in ring + 1  |
 * +-----------------------+---------------------+
 * </pre>
 */
final class PageLog {

    /** No position, or no page. */
    static final long NONE = -1;

    /** Pages from here on are not remembered, because the ring has 32 bits for each: 16 TiB. */
    static final long PAGE_LIMIT = 0xffff_ffffL;

    private static final int WAYS = 8;
    private static final int EMPTY = -1;
    private static final int GROUP_BITS = 4;
    private static final int BUCKET_SHIFT = 32;

    private final int mask;
    private final int[] ring;
    private final int[] index;
    private final int bucketMask;
    private final int bits;

    /** The position that the next page gets. */
    private long head;

    /**
     * A log without pages.
     *
     * @param length pages remembered; a power of two from 8 to 2^24
     */
    PageLog(int length) {
        mask = length - 1;
        ring = new int[length];
        java.util.Arrays.fill(ring, EMPTY);
        index = new int[2 * length];
        bucketMask = index.length / WAYS - 1;
        bits = Integer.numberOfTrailingZeros(length) + 1;
    }

    /** Bytes that a log of some length takes. */
    static long bytes(int length) {
        return 12L * length;
    }

    /** Appends a page. Returns where it was last, or {@link #NONE}. */
    long record(long page) {
        if (page >= PAGE_LIMIT) {
            return NONE;
        }
        int at = entry((int) page);
        long before = at < 0 ? NONE : position(at);
        int place = (int) head & mask;
        if (ring[place] != EMPTY) {
            leave(ring[place], place);
        }
        ring[place] = (int) page;
        long hash = hash((int) page);
        index[at >= 0 ? at : room(bucket(hash, (int) page))] = tag(hash) | (place + 1);
        head++;
        return before;
    }

    /** Takes out a page's entry, unless it came again since and is indexed elsewhere. */
    private void leave(int page, int place) {
        int start = bucket(hash(page), page);
        for (int at = start; at < start + WAYS; at++) {
            if (place(index[at]) == place) {
                index[at] = 0;
                return;
            }
        }
    }

    /** Forgets where a page was; it stays what came after the page before it. */
    void forget(long page) {
        int at = page >= PAGE_LIMIT ? -1 : entry((int) page);
        if (at >= 0) {
            index[at] = 0;
        }
    }

    /** Where a page was last, or {@link #NONE}. */
    long position(long page) {
        int at = page >= PAGE_LIMIT ? -1 : entry((int) page);
        return at < 0 ? NONE : position(at);
    }

    private long position(int entry) {
        return head - 1 - ((head - 1 - place(index[entry])) & mask);
    }

    /** The page of a position, or {@link #NONE}. */
    long page(long position) {
        if (position < 0 || position >= head || position < head - ring.length) {
            return NONE;
        }
        return Integer.toUnsignedLong(ring[(int) position & mask]);
    }

    /** The position that the next page will get. */
    long head() {
        return head;
    }

    private int entry(int page) {
        long hash = hash(page);
        int start = bucket(hash, page);
        int tag = tag(hash);
        for (int at = start; at < start + WAYS; at++) {
            int entry = index[at];
            if (entry != 0 && (entry & (-1 << bits)) == tag && ring[place(entry)] == page) {
                return at;
            }
        }
        return -1;
    }

    /** An empty place in a bucket; if there is none, that of the page that has been there longest. */
    private int room(int start) {
        int oldest = start;
        long most = -1;
        for (int at = start; at < start + WAYS; at++) {
            if (index[at] == 0) {
                return at;
            }
            long age = (head - place(index[at])) & mask;
            if (age > most) {
                most = age;
                oldest = at;
            }
        }
        return oldest;
    }

    private int place(int entry) {
        return (entry & ~(-1 << bits)) - 1;
    }

    /** Of the group of pages that a page is in; by the golden ratio (Knuth, The Art of Computer Programming, 6.4). */
    private static long hash(int page) {
        return (page >>> GROUP_BITS) * 0x9e3779b97f4a7c15L;
    }

    /** Neighbouring pages have neighbouring buckets: they are looked for one after the other. */
    private int bucket(long hash, int page) {
        int group = (int) (hash >>> BUCKET_SHIFT) << GROUP_BITS;
        return ((group | (page & ((1 << GROUP_BITS) - 1))) & bucketMask) * WAYS;
    }

    /** From other bits of the hash than the bucket. */
    private int tag(long hash) {
        return (int) (hash >>> 32) & (-1 << bits);
    }
}
