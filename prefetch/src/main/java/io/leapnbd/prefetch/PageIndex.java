package io.leapnbd.prefetch;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * From a page to the slots that may hold it: a hash table of buckets of eight entries.
 *
 * <p>An entry is a hint; the slot's {@link SlotWord} is the truth. A slot that is freed leaves its entry behind, and the
 * claimer that reuses the slot, or wants the entry's place, clears it. So freeing, which happens on the hit path, does not
 * touch the table.
 *
 * <p>Entries never move. While a slot is live its entry stays where it is, so a reader that scans the page's bucket finds
 * it without a lock, whatever claimers do to the entries around it; a writer relies on that to find what it must
 * invalidate. The price is that a bucket can be full while the table is not. With eight or more entries a slot a
 * bucket holds one live entry on average, and finds itself full for one claim in 100,000 when the cache is full: then a
 * prefetch is not made, which harms nobody.
 *
 * <pre>
 *  63                               24 23                  0
 * +-----------------------------------+---------------------+
 * |             page (40)             |    slot + 1 (24)    |
 * +-----------------------------------+---------------------+
 * </pre>
 */
final class PageIndex {

    /** Entries of a bucket; eight longs are a cache line. */
    static final int WAYS = 8;

    /** No entry. */
    static final int NONE = -1;

    /** Slots are numbered below this. */
    static final int SLOT_LIMIT = (1 << 24) - 1;

    private static final int ENTRIES_PER_SLOT = 8;
    private static final int PAGE_SHIFT = 24;

    private final AtomicLongArray entries;
    private final int bucketMask;

    /** Where each slot's entry is; guarded by the cache's claim lock. */
    private final int[] entryOf;

    PageIndex(int slots) {
        int buckets = 1;
        while ((long) buckets * WAYS < (long) slots * ENTRIES_PER_SLOT) {
            buckets <<= 1;
        }
        entries = new AtomicLongArray(buckets * WAYS);
        bucketMask = buckets - 1;
        entryOf = new int[slots];
        Arrays.fill(entryOf, NONE);
    }

    /** The index of the first of the {@link #WAYS} entries where {@code page} can be. */
    int bucket(long page) {
        return ((int) mix(page) & bucketMask) * WAYS;
    }

    /** The entry at {@code at}; 0 when there is none. */
    long entry(int at) {
        return entries.get(at);
    }

    static long page(long entry) {
        return entry >>> PAGE_SHIFT;
    }

    /** The slot of an entry that is not 0. */
    static int slot(long entry) {
        return (int) (entry & SLOT_LIMIT) - 1;
    }

    /** Puts an entry in place of one that is stale or 0. Under the claim lock. */
    void put(int at, long page, int slot) {
        long old = entries.get(at);
        if (old != 0) {
            entryOf[slot(old)] = NONE;
        }
        entryOf[slot] = at;
        entries.set(at, page << PAGE_SHIFT | slot + 1);
    }

    /** Takes out the entry that a slot left behind, if it did. Under the claim lock. */
    void forget(int slot) {
        int at = entryOf[slot];
        if (at != NONE) {
            entryOf[slot] = NONE;
            entries.set(at, 0);
        }
    }

    /** Spreads pages that are neighbours, or a stride apart, over all buckets (the finaliser of MurmurHash3). */
    static long mix(long page) {
        long h = page;
        h = (h ^ (h >>> 33)) * 0xff51afd7ed558ccdL;
        h = (h ^ (h >>> 33)) * 0xc4ceb9fe1a85ec53L;
        return h ^ (h >>> 33);
    }
}
