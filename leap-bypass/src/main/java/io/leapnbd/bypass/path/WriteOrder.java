package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.WriteWatch;
import io.leapnbd.donor.protocol.Protocol;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Keeps changes of one page apart that must not meet.
 *
 * <p><b>Partial writes.</b> A donor orders writes by the version of the page, and drops those that are older than what the page has. For two writes of
 * whole pages that is right whatever order they arrive in: the newer one replaces the older one. For two that change different
 * parts of one page it is not: the older one, arriving second over another link or sent again, would be dropped, and its bytes
 * are in nobody's version. So a partial write has its pages to itself while it is under way. Swap never writes a part of a page;
 * this costs it one atomic add at each end of a write.
 *
 * <p><b>Trims.</b> The map may call a page blank only when its donor does. So that is noted after the donor has trimmed the page,
 * and not at all if a newer write to it has begun by then: {@link #whileNothingIsWritten}.
 *
 * <p><b>Reads by RDMA.</b> The donor's processors do not see them, so they may find a page half written. They are only made where
 * no write is under way, and count only if none has begun by their end: {@link #stamp}. A write that failed may still be under
 * way at a donor that was stopped; its pages are in doubt for good: {@link #markUncertain}.
 *
 * <p><b>Turns.</b> What may not begin is tried again a little later. So that many whole-page writes, of which there is always one
 * under way, do not keep a partial write out for good, whoever is turned away once draws a ticket and notes it at the group: until it has begun,
 * or given up, nobody without a ticket or with a later one begins there. The oldest ticket of all is turned away only by what is under
 * way already, which ends; and then the next one is the oldest.
 *
 * <p>Pages are taken in groups of 64, and groups share counters by hash: a collision makes a write wait that need not. Any thread.
 */
public final class WriteOrder implements WriteWatch {

    private static final int GROUP_SHIFT = Protocol.PAGE_SHIFT + 6;
    private static final int COUNTERS = 1 << 12;
    private static final int EXCLUSIVE = -1;
    private static final long NO_TICKET = 0;

    /** Above zero: so many whole-page writes are under way in the groups. {@link #EXCLUSIVE}: one partial write is. */
    private final AtomicIntegerArray counters = new AtomicIntegerArray(COUNTERS);

    /** Highest version of a write or trim that began. */
    private final AtomicLongArray versions = new AtomicLongArray(COUNTERS);

    /** The oldest ticket that waits for its turn. */
    private final AtomicLongArray turns = new AtomicLongArray(COUNTERS);

    private final AtomicLong tickets = new AtomicLong();

    /** Not zero: a write failed in the group, and its donor may do it late. */
    private final AtomicIntegerArray doubts = new AtomicIntegerArray(COUNTERS);

    /** Nothing is under way. */
    public WriteOrder() {}

    /** Draws a ticket, for who was turned away the first time. */
    long ticket() {
        return tickets.incrementAndGet();
    }

    /** Begins a write if nothing is in its way; otherwise it has to be tried again, with a {@link #ticket()}. */
    boolean begin(long offset, int length) {
        return begin(offset, length, NO_TICKET);
    }

    /** The same for a write that was turned away before. */
    boolean begin(long offset, int length, long ticket) {
        boolean partial = partial(offset, length);
        long last = last(offset, length);
        for (long group = first(offset); group <= last; group++) {
            if (!hasTurn(group, ticket) || !(partial ? takeAlone(group) : join(group))) {
                leave(first(offset), group, partial);
                claimTurn(group, ticket);
                return false;
            }
        }
        if (ticket != NO_TICKET) {
            forget(offset, length, ticket);
        }
        return true;
    }

    /** Gives a ticket up, of what has begun or does not want to any more. */
    void forget(long offset, int length, long ticket) {
        long last = last(offset, length);
        for (long group = first(offset); group <= last; group++) {
            boolean _ = turns.compareAndSet(counter(group), ticket, NO_TICKET);
        }
    }

    private boolean hasTurn(long group, long ticket) {
        long turn = turns.get(counter(group));
        return turn == NO_TICKET || (ticket != NO_TICKET && ticket <= turn);
    }

    private void claimTurn(long group, long ticket) {
        if (ticket != NO_TICKET) {
            int counter = counter(group);
            long turn = turns.get(counter);
            while (turn == NO_TICKET || ticket < turn) {
                if (turns.compareAndSet(counter, turn, ticket)) {
                    return;
                }
                turn = turns.get(counter);
            }
        }
    }

    /**
     * Begins to copy a group: no write is under way there, and none begins, until {@link #endAlone}. If that cannot be it has to be tried
     * again, with a {@link #ticket()}.
     */
    boolean beginAlone(long offset, long ticket) {
        long group = first(offset);
        if (!hasTurn(group, ticket) || !takeAlone(group)) {
            claimTurn(group, ticket);
            return false;
        }
        if (ticket != NO_TICKET) {
            boolean _ = turns.compareAndSet(counter(group), ticket, NO_TICKET);
        }
        return true;
    }

    /** A group has been copied. */
    void endAlone(long offset) {
        counters.set(counter(first(offset)), 0);
    }

    /** Takes note of the version of a write that has begun. */
    void began(long offset, int length, long version) {
        long last = last(offset, length);
        for (long group = first(offset); group <= last; group++) {
            long _ = versions.accumulateAndGet(counter(group), version, Math::max);
        }
    }

    /** Ends a write that has begun. */
    void end(long offset, int length) {
        leave(first(offset), last(offset, length) + 1, partial(offset, length));
    }

    /**
     * Runs {@code action} on the part of a range in each group, one after the other, while no write can begin there; leaves out
     * groups where writes are under way, or one newer than {@code version} was.
     *
     * @param ticket of who was turned away before, or 0
     * @return whether no group was left out, and {@code action} said yes to all; then the ticket is given up
     */
    boolean whileNothingIsWritten(long offset, int length, long version, long ticket, RangeAction action) {
        boolean all = true;
        long end = offset + length;
        for (long at = offset; at < end; ) {
            long group = at >>> GROUP_SHIFT;
            long groupEnd = Math.min(end, (group + 1) << GROUP_SHIFT);
            // A trim that notes its end has had its turn: it does not wait for others.
            if ((ticket == NO_TICKET || hasTurn(group, ticket)) && takeAlone(group)) {
                try {
                    all &= versions.get(counter(group)) <= version && action.on(at, groupEnd - at);
                } finally {
                    counters.set(counter(group), 0);
                }
            } else {
                claimTurn(group, ticket);
                all = false;
            }
            at = groupEnd;
        }
        if (all && ticket != NO_TICKET) {
            forget(offset, length, ticket);
        }
        return all;
    }

    /**
     * Whether a write to any of the pages failed, so that a donor may do it at any time. What is read of them now may change
     * without a further write: nobody may keep it.
     */
    public boolean doubtful(long offset, int length) {
        long last = last(offset, length);
        for (long group = first(offset); group <= last; group++) {
            if (doubts.get(counter(group)) != 0) {
                return true;
            }
        }
        return false;
    }

    /** The same without a ticket: nobody's turn is waited for. */
    boolean whileNothingIsWritten(long offset, int length, long version, RangeAction action) {
        return whileNothingIsWritten(offset, length, version, NO_TICKET, action);
    }

    /** Takes note, before its end, of a write of which nobody knows what became of it. */
    void markUncertain(long offset, int length) {
        long last = last(offset, length);
        for (long group = first(offset); group <= last; group++) {
            doubts.set(counter(group), 1);
        }
    }

    /** {@inheritDoc} A write is counted before its version is noted, and both are done before it is posted. */
    @Override
    public long stamp(long offset, int length) {
        long stamp = versionsOf(offset, length);
        long last = last(offset, length);
        for (long group = first(offset); group <= last; group++) {
            int counter = counter(group);
            if (counters.get(counter) != 0 || doubts.get(counter) != 0) {
                return BUSY;
            }
        }
        return stamp;
    }

    @Override
    public boolean undisturbed(long offset, int length, long stamp) {
        return versionsOf(offset, length) == stamp;
    }

    /** Versions only grow, so that their sum is the same only if each is. Modulo 2^63, to be never {@link #BUSY}. */
    private long versionsOf(long offset, int length) {
        long sum = 0;
        long last = last(offset, length);
        for (long group = first(offset); group <= last; group++) {
            sum += versions.get(counter(group));
        }
        return sum & Long.MAX_VALUE;
    }

    private boolean takeAlone(long group) {
        return counters.compareAndSet(counter(group), 0, EXCLUSIVE);
    }

    private boolean join(long group) {
        int counter = counter(group);
        while (true) {
            int writes = counters.get(counter);
            if (writes == EXCLUSIVE) {
                return false;
            }
            if (counters.compareAndSet(counter, writes, writes + 1)) {
                return true;
            }
        }
    }

    private void leave(long from, long to, boolean partial) {
        for (long group = from; group < to; group++) {
            if (partial) {
                counters.set(counter(group), 0);
            } else {
                counters.decrementAndGet(counter(group));
            }
        }
    }

    private static boolean partial(long offset, int length) {
        return ((offset | length) & (Protocol.PAGE_SIZE - 1)) != 0;
    }

    private static long first(long offset) {
        return offset >>> GROUP_SHIFT;
    }

    private static long last(long offset, int length) {
        return (offset + length - 1) >>> GROUP_SHIFT;
    }

    /** Neighbours get counters of their own, so that one write never meets itself: a slab has fewer groups than there are. */
    private static int counter(long group) {
        return (int) group & (COUNTERS - 1);
    }

    /** What is done to a range of bytes. */
    @FunctionalInterface
    interface RangeAction {
        boolean on(long offset, long length);
    }
}
