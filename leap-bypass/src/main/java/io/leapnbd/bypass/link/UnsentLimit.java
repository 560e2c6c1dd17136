package io.leapnbd.bypass.link;

import java.util.concurrent.TimeUnit;

/**
 * How many bytes may wait to be sent over one connection, in Netty's channel and in the socket: what a demand has ahead of it. Bulk beyond it
 * waits in the link, where demands overtake it.
 *
 * <p>While there are demands it is {@link #LEAST}. That is less than one write of 128 KiB with its header, so a write leaves in two parts, and the sender is
 * woken for each. While nothing but bulk is sent it is {@link #WORTH_NANOS} worth of the rate of delivery, up to {@link #MOST}. A demand
 * that comes then waits no longer than that.
 *
 * <p>For one thread.
 */
final class UnsentLimit {

    static final int LEAST = 128 << 10;
    static final int MOST = 512 << 10;

    /** Without a demand for so long there are none. */
    static final long QUIET_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    static final long WORTH_NANOS = TimeUnit.MICROSECONDS.toNanos(500);

    private boolean demanded;
    private long lastDemand;
    private int bytes = LEAST;

    /** Of a new connection: {@link #LEAST}. */
    UnsentLimit() {}

    /** The limit as it was last decided, in bytes. */
    int bytes() {
        return bytes;
    }

    /** A demand is sent. Whether the limit is another one now. */
    boolean demand(long now) {
        demanded = true;
        lastDemand = now;
        return set(LEAST);
    }

    /**
     * Bulk is sent. Whether the limit is another one now.
     *
     * @param rate bytes a nanosecond that are delivered; 0 if nobody knows
     */
    boolean bulk(double rate, long now) {
        if (demanded && now - lastDemand < QUIET_NANOS) {
            return false;
        }
        demanded = false;
        // By powers of two, so that it is not changed often.
        int worth = (int) Math.clamp(rate * WORTH_NANOS, LEAST, MOST);
        return set(Integer.highestOneBit(worth));
    }

    private boolean set(int now) {
        boolean changed = bytes != now;
        bytes = now;
        return changed;
    }
}
