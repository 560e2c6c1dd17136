package io.leapnbd.donor.protocol;

/**
 * Orders the writes of an export across links, loops and server restarts.
 *
 * <pre>
 *  63 62 61              44 43                                   0
 * +-----+------------------+--------------------------------------+
 * | 0 0 |  epoch (18 bits) |   counter within the epoch (44 bits) |
 * +-----+------------------+--------------------------------------+
 * </pre>
 *
 * <p>The top two bits stay free for a donor's own marks beside the version. 2^18 epochs are as many restarts of a server
 * while an export lives; 2^44 counts are 200 days of a million writes a second.
 */
public final class Version {

    /** Width of the counter. */
    public static final int COUNTER_BITS = 44;

    /** Highest epoch; the lowest of a claim is 1. */
    public static final long MAX_EPOCH = (1L << 18) - 1;

    private Version() {}

    /** The first version of an epoch. */
    public static long first(long epoch) {
        if (epoch < 1 || epoch > MAX_EPOCH) {
            throw new IllegalArgumentException("epoch " + epoch + " is not in 1.." + MAX_EPOCH);
        }
        return epoch << COUNTER_BITS;
    }

    /** The epoch of a version. */
    public static long epoch(long version) {
        return version >>> COUNTER_BITS;
    }
}
