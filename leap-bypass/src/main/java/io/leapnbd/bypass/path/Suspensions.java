package io.leapnbd.bypass.path;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Notices that the machine was suspended. Every clock that deadlines are counted by stood still meanwhile, so nothing else
 * shows it. For one thread.
 */
public final class Suspensions {

    /** A shorter suspend is none; the clocks are not read at one moment. */
    static final long LEAST_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    private static final int LOOKS = 3;

    private final LongSupplier suspendedNanos;
    private long known;

    /** Counts from now. What the supplier answers may be too high, and is never too low. */
    public Suspensions(LongSupplier suspendedNanos) {
        this.suspendedNanos = suspendedNanos;
        known = suspendedNanos.getAsLong();
    }

    /** Whether the machine was suspended since this was asked last. */
    public boolean ended() {
        long least = suspendedNanos.getAsLong();
        // This thread may have lost its processor between the looks at the two clocks.
        for (int i = 1; i < LOOKS && least - known >= LEAST_NANOS; i++) {
            least = Math.min(least, suspendedNanos.getAsLong());
        }
        boolean suspended = least - known >= LEAST_NANOS;
        if (suspended || least < known) {
            known = least;
        }
        return suspended;
    }
}
