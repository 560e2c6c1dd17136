package io.leapnbd.tools.donor;

import java.util.concurrent.TimeUnit;

/**
 * For how long a donor that ends waits for its slabs to come back. A pure function of what it is shown, and of what it was shown before. One thread.
 */
final class DrainPatience {

    /** What to do now. */
    enum Verdict {
        WAIT,
        /** Nothing is here any more. */
        EMPTY,
        /** Other donors have copies of what is here, and nothing comes back. */
        ALL_ELSEWHERE,
        TIME_IS_OVER
    }

    /** If nothing has come back for so long, with its servers here, what other donors have copies of is not waited for. */
    static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final long begin;
    private final long time;
    private long moved;
    private int left = Integer.MAX_VALUE;

    /**
     * Begins to wait.
     *
     * @param now in nanoseconds, on any clock
     * @param time for how many nanoseconds it waits at most
     */
    DrainPatience(long now, long time) {
        begin = now;
        moved = now;
        this.time = time;
    }

    /**
     * Looks again.
     *
     * @param now on the same clock
     * @param slabs how many are here
     * @param served whether the servers of all of them are connected: one that is being started anew had no time to take anything back
     * @param elsewhere whether other donors have live copies of all of them
     */
    Verdict look(long now, int slabs, boolean served, boolean elsewhere) {
        if (slabs < left || !served) {
            moved = now;
        }
        left = slabs;
        if (slabs == 0) {
            return Verdict.EMPTY;
        }
        if (now - begin >= time) {
            return Verdict.TIME_IS_OVER;
        }
        return elsewhere && now - moved >= STUCK_NANOS ? Verdict.ALL_ELSEWHERE : Verdict.WAIT;
    }
}
