package io.leapnbd.prefetch.push;

/** Which pages come next, by the page faults of one process. One thread at a time; allocates nothing once made. */
interface PushPolicy {

    /** The ticket of a page that nobody pushed. */
    long NO_TICKET = -1;

    /**
     * A page fault has begun.
     *
     * @param ticket what {@link #ticket} said when this page was pushed, if it still waits to be touched; else {@link #NO_TICKET}
     * @param nanos when
     */
    void fault(long page, long ticket, long nanos);

    /** The fault of this page was a major one: the process waited for the device. */
    void major(long page);

    /**
     * The next batch: pages that are swapped out and not pushed yet.
     *
     * @param pages takes them; at least {@code most} long
     * @param most the most to name, 1 to {@link TargetMemory#MOST_AT_ONCE}
     * @param batch pages that are best asked for at once
     * @param latencyNanos what a read of the device takes
     * @return how many; 0 when nothing is wanted now
     */
    int next(long[] pages, int most, int batch, long latencyNanos);

    /** Whether nobody was told of the last batch by {@link #ahead}. */
    default boolean untold() {
        return true;
    }

    /**
     * Pages farther ahead, which the server of the swap device may fetch already.
     *
     * @param pages takes them; at least {@link TargetMemory#MOST_AT_ONCE} long
     * @param batch as for {@link #next}
     * @param latencyNanos as for {@link #next}
     * @return how many; 0 when there are none to be told of now
     */
    default int ahead(long[] pages, int batch, long latencyNanos) {
        return 0;
    }

    /** What is to come back to {@link #fault} with page {@code index} of the last batch. */
    long ticket(int index);

    /**
     * The kernel took the first {@code count} pages of the last batch. Fewer than {@code asked}: there is no memory at the next one any
     * more.
     */
    void taken(int count, int asked);

    /** A page that was pushed for this ticket was not touched in time. */
    void unused(long ticket);

    /** When to look again although no fault came to notice, in nanoseconds after the last fault; {@link Long#MAX_VALUE}: never. */
    long patience(int batch, long latencyNanos);

    /** The process has other memory now. */
    void forget();

    /** Streams, or 1 if the policy knows one only, that are pushed for now. */
    int streams();

    /** Pages between two faults of what is pushed for most, 0 if there is nothing. */
    long trend();

    /** Pages that are kept ahead, at most, of what is pushed for most. */
    int lead();
}
