package io.leapnbd.donor.loop;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * How long one event loop's turns are. A turn begins when the loop has been told what is ready, and ends when it asks again: all
 * that it received, decided and sent in between, and its tasks. Everything else on that loop waits as long, so a long one is a
 * stall of all its connections.
 *
 * <p>The loop writes: where each turn begins and ends with opaque stores, which cost what plain ones do; the longest turn and the
 * number of slow ones with volatile stores, which are seldom made. Any thread reads.
 */
public final class LoopTurns {

    /** Turns that take longer are slow ones, in nanoseconds: a read over the network takes a tenth of it. */
    public static final long SLOW_NANOS = 1_000_000;

    private static final VarHandle BEGAN;

    static {
        try {
            BEGAN = MethodHandles.lookup().findVarHandle(LoopTurns.class, "began", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** When the turn that is under way began; 0 while the loop waits. */
    @SuppressWarnings("UnusedVariable") // by BEGAN
    private long began;

    private volatile long longest;
    private volatile long slow;

    LoopTurns() {}

    void begin(long nanos) {
        BEGAN.setOpaque(this, nanos == 0 ? 1 : nanos);
    }

    /** Whether a turn has begun that has not ended. */
    boolean underWay() {
        return (long) BEGAN.getOpaque(this) != 0;
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer
    void end(long nanos) {
        long began = (long) BEGAN.getOpaque(this);
        if (began == 0) {
            return;
        }
        BEGAN.setOpaque(this, 0);
        long took = nanos - began;
        if (took > longest) {
            longest = took;
        }
        if (took > SLOW_NANOS) {
            slow++;
        }
    }

    /** Begins anew, on the loop; what it is at now does not count. */
    void startOver() {
        BEGAN.setOpaque(this, 0);
        longest = 0;
        slow = 0;
    }

    /** The longest turn since the start, in nanoseconds; the one that is under way counts as far as it has come. */
    public long longestNanos() {
        long since = (long) BEGAN.getOpaque(this);
        return since == 0 ? longest : Math.max(longest, System.nanoTime() - since);
    }

    /** Turns of more than {@link #SLOW_NANOS} that have ended. */
    public long slow() {
        return slow;
    }
}
