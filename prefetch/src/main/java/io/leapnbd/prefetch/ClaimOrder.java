package io.leapnbd.prefetch;

import java.util.Arrays;

/**
 * The order in which slots were claimed, oldest first: the PrefetchFifoLruList of the Leap paper (section 4.3). A doubly
 * linked list through two arrays, guarded by the cache's claim lock. A slot that was consumed stays in the list, unnoticed,
 * until it is claimed again or found here empty, so that the hit path needs no lock.
 */
final class ClaimOrder {

    /** No slot. */
    static final int NONE = -1;

    private static final int UNLINKED = -2;

    private final int[] older;
    private final int[] newer;
    private int oldest = NONE;
    private int newest = NONE;

    ClaimOrder(int slots) {
        older = new int[slots];
        newer = new int[slots];
        Arrays.fill(older, UNLINKED);
    }

    /** The slot that was claimed first, or {@link #NONE}. */
    int oldest() {
        return oldest;
    }

    /** Makes {@code slot} the newest, wherever it is now. */
    void append(int slot) {
        unlink(slot);
        older[slot] = newest;
        newer[slot] = NONE;
        if (newest == NONE) {
            oldest = slot;
        } else {
            newer[newest] = slot;
        }
        newest = slot;
    }

    /** Takes {@code slot} out; does nothing when it is not in. */
    void unlink(int slot) {
        int before = older[slot];
        if (before == UNLINKED) {
            return;
        }
        int after = newer[slot];
        if (before == NONE) {
            oldest = after;
        } else {
            newer[before] = after;
        }
        if (after == NONE) {
            newest = before;
        } else {
            older[after] = before;
        }
        older[slot] = UNLINKED;
    }
}
