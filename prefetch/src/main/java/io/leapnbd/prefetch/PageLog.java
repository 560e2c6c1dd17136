package io.leapnbd.prefetch;

/**
 * The order in which something happened to pages: a ring of the last pages, and for each of them where in the ring it was
 * last. It makes positions in time of what happened to a page, so that what is before and after it can be found: the
 * history buffer and index table of temporal streaming (Wenisch et al., "Temporal Streaming of Shared Memory", ISCA 2005;
 * "Practical Off-chip Meta-data for Temporal Memory Streaming", HPCA 2009).
 *
 * <p>12 bytes an entry: 4 in the ring, 8 in the index, which is a hash table of buckets of eight entries, of which half are
 * of pages that the ring still has. In one of a hundred buckets or so the oldest of nine pages is forgotten early. An
 * entry is not taken out when the ring goes over its place: its position, of which it has one bit more than the ring
 * needs, says that it is void, until it is swept away. A page's number is split into its bucket and its tag, so that these tell it
 * without a look at the ring (quotienting: Knuth, The Art of Computer Programming, 6.4, exercise 13), unless the device has
 * more than 2^29 pages, 2 TiB. An entry that is 0 stands for none; where a page's entry comes out as 0, once in two rounds at most,
 * that page is forgotten.
 *
 * <pre>
 *  31                 bits   bits-1            0
 * +-----------------------+---------------------+
 * |   tag of the page     |    position + 1     |
 * +-----------------------+---------------------+
 * </pre>
 */
final class PageLog {

    /** No position, or no page. */
    static final long NONE = -1;

    /** Pages from here on are not remembered, because the ring has 32 bits for each: 16 TiB. */
    static final long PAGE_LIMIT = 0xffff_ffffL;

    private static final int WAYS = 8;

    /** After so many times round the ring the position in an entry begins anew: before that it has been swept away. */
    private static final int LAPS = 2;

    /** Entries of the index that are looked at for each page that comes: all of them while the ring goes round once. */
    private static final int SWEEP = 2;

    private static final int EMPTY = -1;
    private static final int MIX_SHIFT = 16;

    /** Of 32 bits (Knuth, The Art of Computer Programming, 6.4). */
    private static final int GOLDEN_RATIO = 0x9e3779b9;

    private final int mask;
    private final int[] ring;
    private final int[] index;
    private final int bucketMask;
    private final int bucketBits;
    private final int tagShift;

    /** Whether bucket and tag together are the page. */
    private final boolean exact;

    /** The bits of an entry that are of its position. */
    private final int wide;

    /** The position that the next page gets. */
    private long head;

    /**
     * A log without pages.
     *
     * @param length pages remembered; a power of two from 8 to 2^24
     * @param pages what there are of them, on the device
     */
    PageLog(int length, long pages) {
        mask = length - 1;
        ring = new int[length];
        java.util.Arrays.fill(ring, EMPTY);
        index = new int[SWEEP * length];
        bucketMask = index.length / WAYS - 1;
        wide = LAPS * length - 1;
        bucketBits = Integer.bitCount(bucketMask);
        tagShift = Integer.bitCount(wide);
        exact = pages <= 1L << (bucketBits + Integer.SIZE - tagShift);
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
        long before = at < 0 ? NONE : head - 1 - age(index[at]);
        sweep();
        ring[(int) head & mask] = (int) page;
        index[at >= 0 ? at : room(bucket((int) page))] = tag((int) page) | ((int) (head + 1) & wide);
        head++;
        return before;
    }

    /** Takes the void ones out of the next few entries. */
    private void sweep() {
        int from = (SWEEP * (int) head) & (index.length - 1);
        for (int at = from; at < from + SWEEP; at++) {
            index[at] = age(index[at]) > mask ? 0 : index[at];
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
        return at < 0 ? NONE : head - 1 - age(index[at]);
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
        int start = bucket(page);
        int tag = tag(page);
        for (int at = start; at < start + WAYS; at++) {
            int entry = index[at];
            if ((entry & ~wide) == tag
                    && entry != 0
                    && age(entry) <= mask
                    && (exact || ring[(entry - 1) & mask] == page)) {
                return at;
            }
        }
        return -1;
    }

    /** A void place in a bucket; if there is none, that of the page that has been there longest. */
    private int room(int start) {
        int oldest = start;
        int most = -1;
        for (int at = start; at < start + WAYS; at++) {
            int age = index[at] == 0 ? wide : age(index[at]);
            if (age > mask) {
                return at;
            }
            if (age > most) {
                most = age;
                oldest = at;
            }
        }
        return oldest;
    }

    /** How many pages have come after an entry's; more than the ring has if it is void. */
    private int age(int entry) {
        return ((int) head - entry) & wide;
    }

    /**
     * Its low bits, mixed with the rest, so that pages are spread that lie a power of two apart. Neighbours are in neighbouring
     * buckets: they are looked for one after the other.
     */
    private int bucket(int page) {
        int mixed = ((page >>> bucketBits) * GOLDEN_RATIO) >>> MIX_SHIFT;
        return ((page ^ mixed) & bucketMask) * WAYS;
    }

    /** The rest of the page's bits, as many as there is room for: all that its bucket does not say. */
    private int tag(int page) {
        return (page >>> bucketBits) << tagShift;
    }
}
