package io.leapnbd.bypass;

import io.leapnbd.bypass.link.WriteWatch;
import io.leapnbd.donor.protocol.Protocol;
import java.util.concurrent.atomic.AtomicIntegerArray;
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
 * way at a donor that was stopped; its pages are in doubt for good: {@link #doubt}.
 *
 * <p>Pages are taken in groups of 64, and groups share counters by hash: a collision makes a write wait that need not. Any thread.
 */
final class WriteOrder implements WriteWatch {

    private static final int GROUP_SHIFT = Protocol.PAGE_SHIFT + 6;
    private static final int COUNTERS = 1 << 12;
    private static final int EXCLUSIVE = -1;

    /** Above zero: so many whole-page writes are under way in the groups. {@link #EXCLUSIVE}: one partial write is. */
    private final AtomicIntegerArray counters = new AtomicIntegerArray(COUNTERS);

    /** Highest version of a write or trim that began. */
    private final AtomicLongArray versions = new AtomicLongArray(COUNTERS);

    /** Not zero: a write failed in the group, and its donor may do it late. */
    private final AtomicIntegerArray doubts = new AtomicIntegerArray(COUNTERS);

    /** Begins a write if nothing is in its way; otherwise it has to be tried again. */
    boolean begin(long offset, int length) {
        boolean partial = partial(offset, length);
        long last = last(offset, length);
        for (long group = first(offset); group <= last; group++) {
            if (!(partial ? takeAlone(group) : join(group))) {
                leave(first(offset), group, partial);
                return false;
            }
        }
        return true;
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
     * @return whether no group was left out, and {@code action} said yes to all
     */
    boolean whileNothingIsWritten(long offset, int length, long version, RangeAction action) {
        boolean all = true;
        long end = offset + length;
        for (long at = offset; at < end; ) {
            long group = at >>> GROUP_SHIFT;
            long groupEnd = Math.min(end, (group + 1) << GROUP_SHIFT);
            if (takeAlone(group)) {
                try {
                    all &= versions.get(counter(group)) <= version && action.on(at, groupEnd - at);
                } finally {
                    counters.set(counter(group), 0);
                }
            } else {
                all = false;
            }
            at = groupEnd;
        }
        return all;
    }

    /** Takes note, before its end, of a write of which nobody knows what became of it. */
    void doubt(long offset, int length) {
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
