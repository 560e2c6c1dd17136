package io.leapnbd.nbd.testing;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for a condition, with a deadline. */
public final class Await {

    private Await() {}

    /** Returns when {@code condition} holds; fails when it does not come to. */
    public static void until(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + TestServer.PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - end > 0) {
                throw new AssertionError("waited in vain until " + what);
            }
            LockSupport.parkNanos(500_000);
        }
    }
}
