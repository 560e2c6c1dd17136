package io.leapnbd.bypass.link;

import java.util.concurrent.TimeUnit;

/**
 * Notices that the process did not run for a while: it was stopped, or its machine was suspended (FAULTS: a laptop's lid, a virtual
 * machine that is moved). Deadlines count only time in which the process ran, so they are moved by the gap. For one thread.
 */
public final class TickGap {

    /** So much longer than usual between two ticks is a gap. */
    static final long GAP_NANOS = TimeUnit.SECONDS.toNanos(1);

    private long lastTick;

    /** Begins at a time, as {@link System#nanoTime} has it. */
    public TickGap(long now) {
        lastTick = now;
    }

    /** Nanoseconds for which the process did not run since the last tick; 0 if there was no gap. Once for each tick. */
    public long ended(long now) {
        long since = now - lastTick;
        lastTick = now;
        return since > GAP_NANOS ? since : 0;
    }
}
