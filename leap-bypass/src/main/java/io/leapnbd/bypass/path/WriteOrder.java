package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.WriteWatch;
import io.leapnbd.donor.protocol.Protocol;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Keeps changes of one page apart that must not meet.
 *
 * <p><b>One change of a page at a time.</b> While a write is under way its page has two values, and a seal for each (docs/seals.md). A third one has no
 * place there. A write of a part of a page reads the rest first, which must not change before it is written. So each write and trim
 * has its pages to itself. Swap never writes a page twice at a time; this costs it one compare-and-set at each end of a write.
 *
 * <p><b>Trims.</b> The map may call a page blank only when its donor does. So that is noted after the donor has trimmed the page,
 * and not at all if a newer write to it has begun by then: {@link #whileNothingIsWritten}.
 *
 * <p><b>Reads by RDMA.</b> The donor's processors do not see them, so they may find a page half written. They are only made where
 * no write is under way, and count only if none has begun by their end: {@link #stamp}. A write that failed may still be under
 * way at a donor that was stopped; its pages are in doubt for good: {@link #markUncertain}.
 *
 * <p><b>Turns.</b> What may not begin is tried again a little later. So that many whole-page writes, of which there is always one
 * under way, do not keep one out for good that waits for a group, whoever is turned away once draws a ticket and notes it at the group: until it has begun,
 * or given up, nobody without a ticket or with a later one begins there. The oldest ticket of all is turned away only by what is under
 * way already, which ends; and then the next one is the oldest.
 *
 * <p>Pages are taken in groups of 64, a bit each, and some groups that are a GiB and more apart share a word: a collision makes a write wait that need
 * not. Any thread.
 */
public final class WriteOrder implements WriteWatch {

    private static final int GROUP_SHIFT = Protocol.PAGE_SHIFT + 6;
    private static final int COUNTERS_SHIFT = 12;
    private static final int COUNTERS = 1 << COUNTERS_SHIFT;
    private static final int SPREAD = 1237;
    private static final long ALL = -1;
    private static final long NO_TICKET = 0;

    /** A bit for each page of a group of which a change is under way; {@link #ALL} also for who has the group alone. */
    private final AtomicLongArray changing = new AtomicLongArray(COUNTERS);

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
        long last = last(offset, length);
        for (long group = first(offset); group <= last; group++) {
            if (!hasTurn(group, ticket) || !take(group, pages(group, offset, length))) {
                leave(first(offset), group, offset, length);
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
        if (!hasTurn(group, ticket) || !take(group, ALL)) {
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
        changing.set(counter(first(offset)), 0);
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
        leave(first(offset), last(offset, length) + 1, offset, length);
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
            if ((ticket == NO_TICKET || hasTurn(group, ticket)) && take(group, ALL)) {
                try {
                    all &= versions.get(counter(group)) <= version && action.on(at, groupEnd - at);
                } finally {
                    changing.set(counter(group), 0);
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
            if (changing.get(counter) != 0 || doubts.get(counter) != 0) {
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

    /**
     * Whether a change of the page of a byte is under way, or of one whose group shares its word. Not if the whole group is taken: who has it alone
     * changes nothing that a client may see before it is over, and a write of all 64 pages looks the same.
     */
    boolean changing(long offset) {
        long group = first(offset);
        long taken = changing.get(counter(group));
        return taken != ALL && (taken & pages(group, offset, 1)) != 0;
    }

    private boolean take(long group, long pages) {
        int counter = counter(group);
        while (true) {
            long taken = changing.get(counter);
            if ((taken & pages) != 0) {
                return false;
            }
            if (changing.compareAndSet(counter, taken, taken | pages)) {
                return true;
            }
        }
    }

    private void leave(long from, long to, long offset, int length) {
        for (long group = from; group < to; group++) {
            long pages = pages(group, offset, length);
            int counter = counter(group);
            long taken = changing.get(counter);
            while (!changing.compareAndSet(counter, taken, taken & ~pages)) {
                taken = changing.get(counter);
            }
        }
    }

    /** A bit for each page of a group that a range touches, which touches one at least. */
    private static long pages(long group, long offset, int length) {
        long firstPage = group << 6;
        int from = (int) Math.max(0, (offset >>> Protocol.PAGE_SHIFT) - firstPage);
        int last = (int) Math.min(63, ((offset + length - 1) >>> Protocol.PAGE_SHIFT) - firstPage);
        return (ALL << from) & (ALL >>> (63 - last));
    }

    private static long first(long offset) {
        return offset >>> GROUP_SHIFT;
    }

    private static long last(long offset, int length) {
        return (offset + length - 1) >>> GROUP_SHIFT;
    }

    /**
     * Neighbours get words of their own, so that one write never meets itself: a slab has no more groups than there are. Groups that are a multiple of
     * a GiB apart get others, or clients that write at such distances would meet all the time.
     */
    private static int counter(long group) {
        return (int) (group ^ ((group >>> COUNTERS_SHIFT) * SPREAD)) & (COUNTERS - 1);
    }

    /** What is done to a range of bytes. */
    @FunctionalInterface
    interface RangeAction {
        boolean on(long offset, long length);
    }
}
