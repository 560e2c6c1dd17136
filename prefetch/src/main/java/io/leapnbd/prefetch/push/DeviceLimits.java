package io.leapnbd.prefetch.push;

/**
 * How much may be on its way from the swap device at once, for all processes together. Beyond the device's queue a call does not return until
 * the queue has room, and holds the target's memory map meanwhile; in a small cgroup it does not return until room was made for the pages.
 * Nobody says how long the queue is, so this goes by how long calls take: one that takes too long halves what may be on its way and the size
 * of a batch; each that does not, lets them grow by a little. One thread.
 */
public final class DeviceLimits {

    /** Pages on their way, at most: the queue of a loop device and of nbd has 128 requests, and reads are merged into them. */
    public static final int MOST_IN_FLIGHT = 256;

    private static final int LEAST_IN_FLIGHT = 16;
    private static final int MOST_BATCH = 32;
    private static final int LEAST_BATCH = 4;

    /** A call that takes longer than this is too long. */
    static final long SLOW_NANOS = 5_000_000;

    /** What a read takes, before one was seen. */
    private static final long FIRST_LATENCY = 500_000;

    private static final long LONGEST_LATENCY = 50_000_000;
    private static final long SHORTEST_FLIGHT = 200_000;

    /** A read that takes longer than this is stuck behind something, and does not show in how long calls take. */
    private static final long LONGEST_FLIGHT = 10_000_000;

    /** Waits that are believed as they are; later ones count as twice the mean at most, because a few of them take a hundred times as long. */
    private static final int BELIEVED = 8;

    private static final int CALLS = 128;

    private final long[] askedAt = new long[CALLS];
    private final int[] asked = new int[CALLS];
    private int oldest;
    private int calls;
    private int inFlight;
    private int mostInFlight = MOST_IN_FLIGHT / 2;
    private int batch = MOST_BATCH;
    private long latency = FIRST_LATENCY;
    private int waits;

    /** Starts with half of what may be. */
    public DeviceLimits() {}

    /** A process has waited so long for a page. */
    public void waited(long nanos) {
        if (nanos > 0) {
            long most = waits < BELIEVED ? LONGEST_LATENCY : Math.min(2 * latency, LONGEST_LATENCY);
            waits = Math.min(waits + 1, BELIEVED);
            latency += (Math.min(nanos, most) - latency) / waits;
        }
    }

    /** What a read of the device takes, in nanoseconds: the mean of what was seen lately. */
    public long latencyNanos() {
        return latency;
    }

    /** Pages best asked for at once. */
    int batch() {
        return batch;
    }

    /** Pages that may be asked for now. */
    int room(long now) {
        long flight = Math.clamp(latency + (latency >> 1), SHORTEST_FLIGHT, LONGEST_FLIGHT);
        while (calls > 0 && now - askedAt[oldest] > flight) {
            land();
        }
        return mostInFlight - inFlight;
    }

    private void land() {
        inFlight -= asked[oldest];
        oldest = (oldest + 1) & (CALLS - 1);
        calls--;
    }

    /** A call for pages has been made. Returns whether it took too long. */
    boolean called(int pages, long before, long after) {
        if (calls == CALLS) {
            land();
        }
        int at = (oldest + calls) & (CALLS - 1);
        askedAt[at] = after;
        asked[at] = pages;
        calls++;
        inFlight += pages;
        if (after - before > SLOW_NANOS) {
            mostInFlight = Math.max(LEAST_IN_FLIGHT, mostInFlight / 2);
            batch = Math.max(LEAST_BATCH, batch / 2);
            return true;
        }
        mostInFlight = Math.min(MOST_IN_FLIGHT, mostInFlight + 1);
        batch = Math.min(MOST_BATCH, batch + 1);
        return false;
    }
}
