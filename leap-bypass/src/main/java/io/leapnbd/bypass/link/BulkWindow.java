package io.leapnbd.bypass.link;

import java.util.concurrent.TimeUnit;

/**
 * How many bytes of writes may be on the way over one connection. It follows bandwidth × delay, as BBR does (Cardwell and others,
 * "BBR: Congestion-Based Congestion Control", 2016): twice the highest rate of delivery seen lately, times the shortest round trip.
 *
 * <p>A fixed window is too narrow for a long link and makes a queue on a short one. With a round trip of 2 ms, 512 KiB are at most
 * 256 MiB/s. On a short link the product is small, and the window stays at its least, so that reads have little ahead of them.
 *
 * <p>The shortest round trip is forgotten after {@link #ROUND_TRIP_NANOS}, as routes change. A queue of one's own making would be
 * taken for the new one. So the window is at its least until {@link #PROBES} requests sent since then have been answered.
 *
 * <p>A trim counts as a header: no bytes of it travel. For one thread.
 */
final class BulkWindow {

    /** A round trip that was the shortest is believed for so long. */
    static final long ROUND_TRIP_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** A rate that was the highest is believed for one to two of these. */
    static final long RATE_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** Answers after which a new shortest round trip is believed. */
    static final int PROBES = 16;

    private static final int GAIN = 2;

    private final int least;
    private final int most;
    private int window;
    private long inFlight;

    /** Bytes answered since the beginning. */
    private long delivered;

    /** Bytes a nanosecond: the highest of the present interval, and of the one before. */
    private double rate;

    private double lastRate;
    private long rateSince;
    private boolean rateKnown;

    private long shortest = Long.MAX_VALUE;
    private long shortestSince;

    /** While a new shortest round trip is looked for: when that began, and how many answers are still wanted. */
    private long probingSince;

    private int probesLeft;
    private long probed;

    /**
     * Of a new connection.
     *
     * @param least bytes that may always be on the way, above 0
     * @param most bytes that may be on the way at most, not below {@code least}
     */
    BulkWindow(int least, int most) {
        this.least = least;
        this.most = most;
        window = least;
    }

    /** Bytes of the window now. */
    int bytes() {
        return probesLeft > 0 ? least : window;
    }

    /** The highest rate of delivery seen lately, in bytes a nanosecond; 0 before the first answer. */
    double rate() {
        return Math.max(rate, lastRate);
    }

    /** Whether so many bytes more may be sent. One request may always be on the way, however large it is. */
    boolean admits(int bytes) {
        return inFlight == 0 || inFlight + bytes <= bytes();
    }

    /** A request that counts so many bytes is sent. Returns what {@link #answered} wants to know of that moment. */
    long sent(int bytes) {
        inFlight += bytes;
        return delivered;
    }

    /**
     * A request that counted so many bytes was answered.
     *
     * @param deliveredBefore what {@link #sent} returned
     * @param sentNanos when it was sent
     */
    void answered(int bytes, long deliveredBefore, long sentNanos, long now) {
        inFlight -= bytes;
        delivered += bytes;
        long took = Math.max(1, now - sentNanos);
        if (!rateKnown || now - rateSince >= RATE_NANOS) {
            lastRate = rateKnown && now - rateSince < 2 * RATE_NANOS ? rate : 0;
            rate = 0;
            rateSince = now;
            rateKnown = true;
        }
        rate = Math.max(rate, (double) (delivered - deliveredBefore) / took);
        roundTrip(sentNanos, now);
        double product = GAIN * rate() * shortest;
        window = (int) Math.clamp(product, (double) least, (double) most);
    }

    /** Any request, a read for example, was answered: its round trip may be the shortest. */
    void roundTrip(long sentNanos, long now) {
        long took = Math.max(1, now - sentNanos);
        if (took <= shortest) {
            shortest = took;
            shortestSince = now;
            probesLeft = 0;
        } else if (probesLeft > 0) {
            if (sentNanos - probingSince >= 0) {
                probed = Math.min(probed, took);
                if (--probesLeft == 0) {
                    shortest = probed;
                    shortestSince = now;
                }
            }
        } else if (now - shortestSince >= ROUND_TRIP_NANOS) {
            probesLeft = PROBES;
            probingSince = now;
            probed = Long.MAX_VALUE;
        }
    }
}
