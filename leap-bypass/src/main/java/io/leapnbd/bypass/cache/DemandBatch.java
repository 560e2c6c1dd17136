package io.leapnbd.bypass.cache;

import io.leapnbd.bypass.cache.AccessQueue.Access;

/**
 * What clients did since the last decision, and which pages they demanded in it. A policy is told of one access after the other,
 * and may foresee a page that has been demanded meanwhile: it was right, and there is nothing left to fetch, because the demand
 * itself is on its way.
 *
 * <p>By one thread at a time. Allocates nothing.
 */
final class DemandBatch {

    /** Accesses that it takes at most. */
    static final int CAPACITY = 256;

    private static final int PLACES = 4 * CAPACITY;

    private final Access[] accesses = new Access[CAPACITY];

    // A hash table of the pages that were demanded; places of earlier batches are empty.
    private final long[] pages = new long[PLACES];
    private final long[] batchOf = new long[PLACES];
    private final boolean[] foreseen = new boolean[PLACES];
    private long batch;

    DemandBatch() {
        for (int i = 0; i < CAPACITY; i++) {
            accesses[i] = new Access();
        }
    }

    /** Takes what has been noted, up to {@code limit} accesses, in place of the batch before; returns how many these are. */
    int take(AccessQueue queue, int limit) {
        batch++;
        int count = 0;
        while (count < Math.min(limit, CAPACITY) && queue.poll(accesses[count])) {
            Access access = accesses[count++];
            if (access.kind() == AccessQueue.READ) {
                int place = place(access.page());
                pages[place] = access.page();
                batchOf[place] = batch;
                foreseen[place] = false;
            }
        }
        return count;
    }

    Access access(int index) {
        return accesses[index];
    }

    /** Whether a page that a policy wants fetched is demanded in this batch anyway. */
    boolean demands(long page) {
        int place = place(page);
        if (batchOf[place] != batch) {
            return false;
        }
        foreseen[place] = true;
        return true;
    }

    /** Whether {@link #demands} was asked about a page. */
    boolean foresaw(long page) {
        int place = place(page);
        return batchOf[place] == batch && foreseen[place];
    }

    /** Where a page is, or would be. */
    private int place(long page) {
        int place = (int) ((page * 0x9e3779b97f4a7c15L) >>> 32) & (PLACES - 1);
        while (batchOf[place] == batch && pages[place] != page) {
            place = (place + 1) & (PLACES - 1);
        }
        return place;
    }
}
