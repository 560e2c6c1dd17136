package io.leapnbd.nbd.server;

import io.leapnbd.nbd.server.ByteBudget.Use;
import io.netty.channel.EventLoop;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * The bytes that one connection's requests and unsent replies hold. The first {@link BufferPlan#share} of them are its own;
 * what goes beyond comes from the {@link ByteBudget}. Belongs to the connection's event loop, unless said otherwise.
 */
final class ConnectionCredit {

    /** How often somebody who waits looks at the allocator again. */
    private static final int LOOK_AGAIN_MILLIS = 50;

    private final ByteBudget budget;
    private final LoopBuffers loop;
    private final EventLoop eventLoop;
    private final Runnable wake;
    private final Runnable lookAgain = this::lookAgain;

    private long held;
    private boolean waiting;
    private long payload;

    /** What it waits for; set before it is queued. */
    private long wanted;

    /** What it is for, or what it was for when bytes were last taken. */
    private Use use = Use.NOW;

    /** Shared bytes that it has while it waits. */
    private volatile long holds;

    /** Whether {@link #wanted} was taken for it; written by whoever gave bytes back. */
    private volatile boolean granted;

    /**
     * A connection that holds nothing.
     *
     * @param wake run on the loop when bytes that it waited for are there
     */
    ConnectionCredit(ByteBudget budget, LoopBuffers loop, EventLoop eventLoop, Runnable wake) {
        this.budget = budget;
        this.loop = loop;
        this.eventLoop = eventLoop;
        this.wake = wake;
    }

    /** Bytes that it holds. */
    long held() {
        return held;
    }

    /** Whether it holds bytes that others may wait for. */
    boolean holdsShared() {
        return held > budget.share();
    }

    /** Takes bytes if they are there at once. */
    boolean takeNow(long bytes) {
        long beyond = beyond(bytes);
        if (waiting || !(isOwn(beyond) || budget.tryTake(beyond, shared(), Use.NOW))) {
            return false;
        }
        add(bytes);
        return true;
    }

    /**
     * Takes bytes, or begins to wait for them. Who waits asks again for the same when woken, and for nothing else before.
     *
     * @param arrives whether they are for a payload that is still to arrive; then {@link #payloadEnded} follows
     */
    boolean take(long bytes, boolean arrives) {
        long beyond = beyond(bytes);
        if (isOwn(beyond)) {
            stopWaiting();
            add(bytes);
            return true;
        }
        if (!waiting) {
            wanted = beyond;
            use = arrives ? Use.ofPayload(bytes) : Use.NOW;
            if (!budget.tryTake(beyond, shared(), use)) {
                beginToWait();
                if (!granted) {
                    return false;
                }
            }
        } else if (!granted) {
            return false;
        }
        waiting = false;
        granted = false;
        // It may have given some of its own back while it waited.
        if (use != Use.NOW) {
            payload = beyond;
        }
        long spare = wanted - beyond;
        add(bytes);
        if (spare > 0) {
            if (use != Use.NOW) {
                budget.payloadEnded(spare, use);
            }
            budget.give(spare);
        }
        return true;
    }

    /** Whether {@link #take} is worth trying again. */
    boolean mayTake(long bytes) {
        return !waiting || granted || isOwn(beyond(bytes));
    }

    /** How many of so many more bytes are not its own. */
    private long beyond(long bytes) {
        return held + bytes - Math.max(held, Math.min(held + bytes, budget.share()));
    }

    private boolean isOwn(long beyond) {
        return beyond == 0 && (held == 0 || !budget.full());
    }

    private void add(long bytes) {
        held += bytes;
        loop.taken(bytes);
    }

    private void beginToWait() {
        waiting = true;
        holds = shared();
        budget.enqueue(this);
        if (budget.overdrawn()) {
            lookAgain();
        }
    }

    /** Memory that nobody gives back through the budget may have become free. */
    private void lookAgain() {
        if (waiting && !granted) {
            budget.serveWaiting();
            if (!granted) {
                var _ = eventLoop.schedule(lookAgain, LOOK_AGAIN_MILLIS, TimeUnit.MILLISECONDS);
            }
        }
    }

    /** The payload that bytes were taken for has arrived, or will not. */
    void payloadEnded() {
        if (payload > 0) {
            long ended = payload;
            payload = 0;
            budget.payloadEnded(ended, use);
        }
    }

    /** Gives bytes back. */
    void give(long bytes) {
        int share = budget.share();
        long before = Math.max(held, share);
        held -= bytes;
        long back = before - Math.max(held, share);
        if (back > 0) {
            if (waiting) {
                holds = shared();
            }
            budget.give(back);
        }
    }

    private long shared() {
        return Math.max(0, held - budget.share());
    }

    /** Does without what it waits for. */
    void stopWaiting() {
        if (waiting) {
            waiting = false;
            if (!budget.cancel(this)) {
                granted = false;
                if (use != Use.NOW) {
                    budget.payloadEnded(wanted, use);
                }
                budget.give(wanted);
            }
        }
    }

    // Called by the budget under its lock, by any thread.

    long wanted() {
        return wanted;
    }

    Use use() {
        return use;
    }

    long holds() {
        return holds;
    }

    void granted() {
        granted = true;
        try {
            eventLoop.execute(wake);
        } catch (RejectedExecutionException e) {
            // The loop has ended, and with it the server and its budget.
            return;
        }
    }
}
