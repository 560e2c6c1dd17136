package io.leapnbd.nbd.server;

import java.util.concurrent.atomic.AtomicLong;

/** Lets one line a second through of what strangers can make the server log, and counts the rest. Any thread. */
final class LogLimit {

    private static final long INTERVAL_NANOS = 1_000_000_000;

    private final AtomicLong last = new AtomicLong(System.nanoTime() - INTERVAL_NANOS);
    private final AtomicLong leftOut = new AtomicLong();

    /** Whether a line may be logged now. */
    boolean allows() {
        long now = System.nanoTime();
        long before = last.get();
        if (now - before >= INTERVAL_NANOS && last.compareAndSet(before, now)) {
            return true;
        }
        leftOut.incrementAndGet();
        return false;
    }

    /** What to say behind an allowed line: how many others were left out since the last one. */
    String leftOut() {
        long count = leftOut.getAndSet(0);
        return count == 0 ? "" : " (" + count + " more such lines were left out)";
    }
}
