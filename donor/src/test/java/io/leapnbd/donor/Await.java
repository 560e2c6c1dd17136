package io.leapnbd.donor;

import static org.assertj.core.api.Assertions.fail;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for what another thread brings about. */
public final class Await {

    private static final long DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(30);

    private Await() {}

    /** Returns as soon as the condition holds; fails if it does not within 30 s. */
    public static void until(String what, BooleanSupplier condition) {
        long start = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - start > DEADLINE_NANOS) {
                fail("not within 30 s: " + what);
            }
            LockSupport.parkNanos(200_000);
        }
    }
}
