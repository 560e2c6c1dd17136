package io.leapnbd.bypass.link;

import java.util.concurrent.TimeUnit;

/**
 * Notices that a loop did not run for a while: the process was stopped, its virtual machine was moved, or others had all processors.
 * Deadlines count only time in which the loop ran, so they are moved by the gap. For one thread.
 */
public final class TickGap {

    /** So much longer than usual between two ticks is a gap. */
    static final long GAP_NANOS = TimeUnit.SECONDS.toNanos(1);

    private long lastTick;

    /** Begins at a time, as {@link System#nanoTime} has it. */
    public TickGap(long now) {
        lastTick = now;
    }

    /** Nanoseconds for which the loop did not run since the last tick; 0 if there was no gap. Once for each tick. */
    public long ended(long now) {
        long since = now - lastTick;
        lastTick = now;
        return since > GAP_NANOS ? since : 0;
    }
}
