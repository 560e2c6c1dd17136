package io.leapnbd.bypass;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * When requests arrive and donors are asked, as {@link System#nanoTime} would say: with the machine's clock until a test stops it or
 * sets it forward. So a lease runs out without a sleep. Any thread.
 */
final class ArrivalClock implements LongSupplier {

    private boolean stopped;
    private long stoppedAt;
    private long ahead;

    @Override
    public synchronized long getAsLong() {
        return ahead + (stopped ? stoppedAt : System.nanoTime());
    }

    /** From here on only {@link #advance} moves it. */
    synchronized void stop() {
        stoppedAt = System.nanoTime();
        stopped = true;
    }

    synchronized void advance(Duration time) {
        ahead += time.toNanos();
    }
}
