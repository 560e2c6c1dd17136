package io.leapnbd.donor.protocol;

/**
 * Orders the writes and trims of a server, and the grants and placements of all servers of an export.
 *
 * <p><b>Requests.</b> A server counts its writes and trims from 1. A donor adds what older servers have used at most, the claim's
 * <i>base</i>, and keeps the sum with each page; a sum above {@link #MAX_EFFECTIVE} is a bad request. A million requests a second
 * use up 2^60 in 36,000 years.
 *
 * <p><b>Grants and placements</b> draw from one counter: the server's term, then how many there were, so that those of a later server are
 * above those of an earlier one:
 *
 * <pre>
 *  63 62                   32 31                   0
 * +--+-----------------------+----------------------+
 * | 0|     term (31 bits)    |  counter (32 bits)   |
 * +--+-----------------------+----------------------+
 * </pre>
 */
public final class Version {

    /** Highest version of a write or trim; the lowest is 1. */
    public static final long MAX_REQUEST = 1L << 60;

    /** Highest version that a page can have at a donor. */
    public static final long MAX_EFFECTIVE = (1L << 61) - 1;

    /** Highest term; the lowest is 1. */
    public static final long MAX_TERM = Integer.MAX_VALUE;

    private static final int COUNTER_BITS = 32;

    private Version() {}

    /**
     * The version of a grant.
     *
     * @param term of the server, 1 to {@link #MAX_TERM}
     * @param counter of its grants, 0 to 2^32 - 1
     */
    public static long ofGrant(long term, long counter) {
        if (term < 1 || term > MAX_TERM || counter < 0 || counter >>> COUNTER_BITS != 0) {
            throw new IllegalArgumentException("grant " + counter + " of term " + term + " is out of range");
        }
        return term << COUNTER_BITS | counter;
    }

    /** The term of a grant's version. */
    public static long termOfGrant(long version) {
        return version >>> COUNTER_BITS;
    }
}
