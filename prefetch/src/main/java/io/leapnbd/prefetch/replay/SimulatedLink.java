package io.leapnbd.prefetch.replay;

/**
 * One link to one donor, in simulated time: transfers one page after the other, each of which arrives a latency after its
 * transfer has ended. A demand goes ahead of all prefetches that wait, and after the transfer that has begun. Prefetches
 * keep their order among themselves.
 */
final class SimulatedLink {

    /** Tells who wants to know that a prefetched page has arrived. */
    interface Arrival {
        void arrived(int slot, long askedAt, long nanos);
    }

    private final long latency;
    private final double transferNanos;
    private final Arrival arrival;

    // A ring of slots: arrived | begun, on their way | waiting. One place for each slot is enough.
    private final int[] queue;
    private long oldest;
    private long firstWaiting;
    private long end;

    private final long[] askedAt;
    private final long[] arrivesAt;

    /** Nanoseconds with a fraction, so that a rounded transfer time does not add up to another bandwidth. */
    private double idleFrom;

    SimulatedLink(int slots, long latency, long bytesPerSecond, int pageBytes, Arrival arrival) {
        this.latency = latency;
        this.arrival = arrival;
        transferNanos = pageBytes * 1e9 / bytesPerSecond;
        queue = new int[slots];
        askedAt = new long[slots];
        arrivesAt = new long[slots];
    }

    /** Queues a prefetch. */
    void prefetch(int slot, long now) {
        askedAt[slot] = now;
        queue[(int) (end++ % queue.length)] = slot;
    }

    /** Fetches a page that is waited for; returns when it is there. */
    long demand(long now) {
        beginUntil(now);
        return transfer(now);
    }

    /** Lets time go on to {@code now}: prefetches begin, and arrive. */
    void advance(long now) {
        beginUntil(now);
        while (oldest < firstWaiting) {
            int slot = queue[(int) (oldest % queue.length)];
            if (arrivesAt[slot] > now) {
                return;
            }
            oldest++;
            arrival.arrived(slot, askedAt[slot], arrivesAt[slot]);
        }
    }

    /** When a prefetch that is on its way, or waits, will be there if nobody demands anything meanwhile. */
    long arrivesAt(int slot) {
        for (long i = oldest; i < firstWaiting; i++) {
            if (queue[(int) (i % queue.length)] == slot) {
                return arrivesAt[slot];
            }
        }
        while (queue[(int) (firstWaiting % queue.length)] != slot) {
            begin();
        }
        begin();
        return arrivesAt[slot];
    }

    private void beginUntil(long now) {
        while (firstWaiting < end && idleFrom <= (double) now) {
            begin();
        }
    }

    private void begin() {
        int slot = queue[(int) (firstWaiting++ % queue.length)];
        arrivesAt[slot] = transfer(askedAt[slot]);
    }

    private long transfer(long wanted) {
        idleFrom = Math.max(idleFrom, (double) wanted) + transferNanos;
        return Math.round(idleFrom) + latency;
    }
}
