package io.leapnbd.bypass.link;

import java.util.concurrent.ThreadLocalRandom;

/**
 * How long to wait before the next attempt to connect: twice as long each time, up to a second, and between half of that and all
 * of it by chance, so that a donor that comes back is not met by all servers at once. For one thread.
 */
final class Backoff {

    private static final long FIRST_MILLIS = 10;
    private static final long LAST_MILLIS = 1_000;

    private long millis = FIRST_MILLIS;

    /** Milliseconds until the next attempt. */
    long next() {
        long half = millis / 2;
        millis = Math.min(LAST_MILLIS, millis * 2);
        return half + ThreadLocalRandom.current().nextLong(half + 1);
    }

    /** The peer will hardly be better in a moment: the next attempt is as late as the latest. */
    void longest() {
        millis = LAST_MILLIS;
    }

    /** An attempt has succeeded. */
    void reset() {
        millis = FIRST_MILLIS;
    }
}
