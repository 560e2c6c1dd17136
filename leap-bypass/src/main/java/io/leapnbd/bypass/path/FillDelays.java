package io.leapnbd.bypass.path;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Slabs whose last fill came to nothing: when the next one may begin, and why it failed. Each failure doubles the wait, so that a slab that cannot be filled
 * costs little and keeps no other waiting. For one thread; times are in nanoseconds.
 */
final class FillDelays {

    static final long FIRST_NANOS = TimeUnit.MILLISECONDS.toNanos(250);
    static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(60);

    private final Map<Integer, Failure> failures = new HashMap<>();

    /** None yet. */
    FillDelays() {}

    private record Failure(long until, long waited, String why) {}

    /** A fill of a slab has failed. */
    void failed(int slab, long now, String why) {
        Failure before = failures.get(slab);
        long wait = before == null ? FIRST_NANOS : Math.min(LONGEST_NANOS, 2 * before.waited);
        failures.put(slab, new Failure(now + wait, wait, why));
    }

    /** One has ended well, or the slab needs none any more. */
    void forget(int slab) {
        failures.remove(slab);
    }

    /** A donor has come back, so that what failed may succeed: all may begin now. */
    void endAll() {
        failures.clear();
    }

    /** Whether one may not begin yet. */
    boolean waits(int slab, long now) {
        Failure last = failures.get(slab);
        return last != null && now - last.until < 0;
    }

    /** How many slabs that are. */
    int size() {
        return failures.size();
    }

    /** Why one of them failed; empty if there is none. */
    String why() {
        return failures.isEmpty() ? "" : failures.values().iterator().next().why;
    }
}
