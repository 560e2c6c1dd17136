package io.leapnbd.nbd.server;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * The bytes that the clients of one server may have in buffers, beyond what each connection has for itself. Shared by all
 * loops; any thread.
 *
 * <pre>
 *   connection 1: its own share | connection 2: its own share | ...     never waits for others
 *   shared: given out in the order of asking                            waits when it is used up
 * </pre>
 *
 * <p>A connection that asks for more than is free waits in a queue, and nobody overtakes it. So a large request is served
 * once what was given out before has come back. Payloads that have not arrived yet hold at most half, most of that for
 * large ones and the rest for small ones: clients that stop in the middle of large ones keep neither readers waiting nor those
 * who write as a kernel does.
 *
 * <p>Who has shared bytes may have no more in all than are free. So a few that take no replies leave something for others:
 * one can have half, two a third each, and so on. That is the dynamic threshold of shared-memory switches (Choudhury and
 * Hahne, 1998). It holds nobody up but the one who has too much.
 *
 * <p>Bytes are counted by what requests carry. What the allocator takes from the system for them is more: it rounds up, and
 * a chunk stays while one buffer in it is used. So that is looked at too, now and then ({@link #sample}); beyond the plan
 * nothing is given out until it has fallen.
 */
final class ByteBudget {

    /** What bytes are for. */
    enum Use {
        /** A reply, or a payload that is here. */
        NOW,
        /** A payload of up to a MiB that is still to arrive. */
        SMALL_PAYLOAD,
        /** A larger one. */
        LARGE_PAYLOAD;

        private static final int MOST_SMALL = 1 << 20;

        static Use ofPayload(long bytes) {
            return bytes <= MOST_SMALL ? SMALL_PAYLOAD : LARGE_PAYLOAD;
        }
    }

    private final BufferPlan plan;
    private final LongSupplier footprint;
    private final AtomicLong used = new AtomicLong();
    private final AtomicLong smallPayloads = new AtomicLong();
    private final AtomicLong largePayloads = new AtomicLong();

    /** In the order of asking; guarded by itself. At most one entry a connection. */
    private final ArrayDeque<ConnectionCredit> queue = new ArrayDeque<>();

    /** Its length, to be read without the lock. */
    private volatile int waiting;

    private volatile boolean tight;
    private volatile boolean full;

    /**
     * A budget of which nothing is used.
     *
     * @param footprint bytes that the allocator has taken from the system
     */
    ByteBudget(BufferPlan plan, LongSupplier footprint) {
        this.plan = plan;
        this.footprint = footprint;
    }

    /** Bytes that a connection always has for itself. */
    int share() {
        return plan.share();
    }

    /** Shared bytes that are given out. */
    long used() {
        return used.get();
    }

    /** Connections that wait for shared bytes. */
    int waiting() {
        return waiting;
    }

    /** Whether even what connections have for themselves would go beyond the process's limit. */
    boolean full() {
        return full;
    }

    /**
     * Takes shared bytes if nobody waits for them and there are enough.
     *
     * @param holds shared bytes that the connection has
     */
    boolean tryTake(long bytes, long holds, Use use) {
        return waiting == 0 && take(bytes, holds, use);
    }

    private boolean take(long bytes, long holds, Use use) {
        if (full || !isFair(bytes, holds)) {
            return false;
        }
        if (bytes == 0) {
            return true;
        }
        if (use != Use.NOW && !add(payloads(use), bytes, payloadLimit(use))) {
            return false;
        }
        // What nobody shares may be taken whatever the allocator says: one request at a time always goes on.
        if (add(used, bytes, tight ? 0 : plan.shared())) {
            return true;
        }
        if (use != Use.NOW) {
            payloads(use).addAndGet(-bytes);
        }
        return false;
    }

    private AtomicLong payloads(Use use) {
        return use == Use.SMALL_PAYLOAD ? smallPayloads : largePayloads;
    }

    private long payloadLimit(Use use) {
        return use == Use.SMALL_PAYLOAD ? plan.shared() / 8 : plan.shared() / 8 * 3;
    }

    private boolean isFair(long bytes, long holds) {
        return holds == 0 || bytes == 0 || holds + bytes <= plan.shared() - used.get();
    }

    /** Adds unless that goes beyond the limit; to zero anything may be added. */
    private static boolean add(AtomicLong to, long bytes, long limit) {
        long before;
        do {
            before = to.get();
            if (before != 0 && before + bytes > limit) {
                return false;
            }
        } while (!to.compareAndSet(before, before + bytes));
        return true;
    }

    /** Gives shared bytes back. */
    void give(long bytes) {
        used.addAndGet(-bytes);
        if (waiting > 0) {
            serveWaiting();
        }
    }

    /** So many bytes for a payload are not awaited any more: it is here, or will not come. */
    void payloadEnded(long bytes, Use use) {
        payloads(use).addAndGet(-bytes);
        if (waiting > 0) {
            serveWaiting();
        }
    }

    /** Puts a connection at the end of the queue. It is {@linkplain ConnectionCredit#granted told} when it has its bytes. */
    void enqueue(ConnectionCredit connection) {
        synchronized (queue) {
            queue.addLast(connection);
            waiting = queue.size();
        }
        // What was given back in between has not been offered to it.
        serveWaiting();
    }

    /** Takes a connection out of the queue; returns false when it is not in it, because it has its bytes. */
    boolean cancel(ConnectionCredit connection) {
        boolean removed;
        synchronized (queue) {
            removed = queue.remove(connection);
            waiting = queue.size();
        }
        if (removed) {
            serveWaiting();
        }
        return removed;
    }

    /** Gives those that wait what there is, the first one first. */
    void serveWaiting() {
        if (tight || full) {
            sample();
        }
        synchronized (queue) {
            boolean smallWait = false;
            boolean largeWait = false;
            Iterator<ConnectionCredit> all = queue.iterator();
            while (all.hasNext()) {
                ConnectionCredit next = all.next();
                Use use = next.use();
                boolean behind = use == Use.SMALL_PAYLOAD ? smallWait : use == Use.LARGE_PAYLOAD && largeWait;
                if (behind || !isFair(next.wanted(), next.holds())) {
                    // Its time comes when those before it, or itself, have given back.
                    continue;
                }
                if (take(next.wanted(), next.holds(), use)) {
                    all.remove();
                    next.granted();
                } else if (use != Use.NOW && exceedsPayloads(next.wanted(), use)) {
                    // It waits for payloads to arrive, which is no reason for others to wait.
                    smallWait |= use == Use.SMALL_PAYLOAD;
                    largeWait |= use == Use.LARGE_PAYLOAD;
                } else {
                    break;
                }
            }
            waiting = queue.size();
        }
    }

    private boolean exceedsPayloads(long bytes, Use use) {
        long awaited = payloads(use).get();
        return awaited != 0 && awaited + bytes > payloadLimit(use);
    }

    /** Looks at what the allocator has taken. */
    void sample() {
        long taken = footprint.getAsLong();
        tight = taken > plan.sharedUpTo();
        full = taken > plan.ownUpTo();
    }

    /** Whether the allocator has taken more than it should, so that time may help those that wait, and not only bytes given back. */
    boolean overdrawn() {
        return tight || full;
    }
}
