package io.leapnbd.tools.donor;

/**
 * How many slabs may be lent so that other programs of the machine keep some memory. When there is less, nothing more is lent, and as many are wanted
 * back as are missing. It is lent again only when there is clearly more, so that a few pages more or less change nothing. For one thread.
 */
final class KeepFree {

    /** When memory was short, there has to be so much more than is to be kept free before anything is lent again: an eighth of that. */
    private static final int EASE_SHARE = 8;

    private final long keep;
    private final long slab;
    private final long ease;
    private boolean tight;

    /**
     * Of a machine that is not short of memory.
     *
     * @param keep bytes that are to be available to other programs
     * @param slab bytes of a slab, with what it takes to keep account of it
     */
    KeepFree(long keep, long slab) {
        this.keep = keep;
        this.slab = slab;
        ease = Math.max(2 * slab, keep / EASE_SHARE);
    }

    /**
     * How many slabs may be lent.
     *
     * @param available bytes that the kernel calls available
     * @param resident bytes that slabs take now, lent or not
     * @param lent slabs that are lent: some may not be resident yet, and some that came back may still be
     */
    int limit(long available, long resident, int lent) {
        long spare = available + resident - lent * slab - keep;
        if (spare < 0) {
            tight = true;
            return (int) Math.max(0, lent - Math.ceilDiv(-spare, slab));
        }
        if (tight && spare < ease) {
            return lent;
        }
        tight = false;
        // One slab less: to lend the last one would make it tight.
        return (int) Math.min(Integer.MAX_VALUE, lent + Math.max(0, spare / slab - 1));
    }

    /** Whether memory was short, and is not clearly more since. */
    boolean tight() {
        return tight;
    }
}
