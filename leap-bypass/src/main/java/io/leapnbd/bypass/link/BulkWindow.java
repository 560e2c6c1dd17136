package io.leapnbd.bypass.link;

import java.util.concurrent.TimeUnit;

/**
 * How many bytes of writes may be on the way to a donor at once: as many as the link carries without a queue, no more, because a read
 * that comes behind them waits for them, and whoever shares the processors with a burst of writes waits for all of it. The rest stays
 * with the server, where reads overtake it.
 *
 * <p>Found as TCP Vegas finds it (Brakmo and Peterson, "TCP Vegas: End to End Congestion Avoidance on a Global Internet", IEEE JSAC
 * 13(8), 1995, section 3.2): while writes are answered about as fast as the fastest was, the window was too small to make a queue,
 * and grows; when they take longer, they wait for each other, and it shrinks. A link within a machine is busy with one large write; one
 * with a delay needs several. Every ten seconds it begins anew, because a link does not stay as fast as it once was, as BBR does for the
 * same reason (Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016).
 *
 * <p>Belongs to its link's event loop.
 */
final class BulkWindow {

    /** The least that the window holds: one write of the size that requests are split into. */
    static final int LEAST = 128 << 10;

    private static final int STEP = 128 << 10;

    /** Shorter writes say nothing about how long the longest take. */
    private static final int TELLING = 64 << 10;

    /** A mean of this part above the fastest is no queue yet. */
    private static final int CLEAR = 8;

    /** One of this part above it is a queue. */
    private static final int QUEUED = 3;

    /** How long the fastest answer counts. */
    private static final long MEMORY_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final int most;
    private int window = LEAST;
    private int onTheWay;
    private boolean refused;

    private long fastest = Long.MAX_VALUE;
    private long since;
    private long bytes;
    private long nanos;
    private int count;

    /**
     * Of a link that was just connected.
     *
     * @param most the most bytes that the window may grow to; at least {@link #LEAST}
     */
    BulkWindow(int most) {
        this.most = most;
    }

    /** Whether a write of so many bytes may be sent now. One always may. */
    boolean admits(int length) {
        boolean fits = onTheWay == 0 || onTheWay + length <= window;
        refused |= !fits;
        return fits;
    }

    /** A write is sent. */
    void sent(int length) {
        onTheWay += length;
    }

    /**
     * A write has been answered.
     *
     * @param took nanoseconds since it was sent
     * @param now {@link System#nanoTime()}
     */
    void answered(int length, long took, long now) {
        onTheWay -= length;
        if (length >= TELLING) {
            if (fastest == Long.MAX_VALUE || now - since > MEMORY_NANOS) {
                begin(now);
            }
            fastest = Math.min(fastest, took);
            bytes += length;
            nanos += took;
            count++;
            if (bytes >= window) {
                adjust(nanos / count);
            }
        }
    }

    private void begin(long now) {
        window = LEAST;
        fastest = Long.MAX_VALUE;
        since = now;
        again();
    }

    private void adjust(long mean) {
        if (mean - fastest > fastest / QUEUED) {
            window = Math.max(LEAST, window - STEP);
        } else if (refused && mean - fastest < fastest / CLEAR) {
            window = Math.min(most, window + STEP);
        }
        again();
    }

    private void again() {
        refused = false;
        bytes = 0;
        nanos = 0;
        count = 0;
    }

    /** Bytes that may be on the way now. */
    int bytes() {
        return window;
    }
}
