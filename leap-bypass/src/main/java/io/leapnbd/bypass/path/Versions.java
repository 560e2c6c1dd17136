package io.leapnbd.bypass.path;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The versions of this server's writes and trims, and those of its grants, each above all before it. Donors put what earlier servers did
 * below, so the first begin at 1; grants of all servers are compared with each other, so they begin with the term. Any thread.
 */
public final class Versions {

    private static final int TERM_SHIFT = 32;

    private final AtomicLong last = new AtomicLong();
    private final AtomicInteger lastGrant = new AtomicInteger();
    private final long term;

    /**
     * Of one server.
     *
     * @param term its number among those of the export
     */
    public Versions(long term) {
        this.term = term;
    }

    /** For placements that a server tells of at its start: above all that earlier ones have used, and below its own. */
    public static long beforeGrants(long term) {
        return term << TERM_SHIFT;
    }

    /** The next one for a write or trim. */
    public long next() {
        return last.incrementAndGet();
    }

    /** The next one for a grant. */
    long nextGrant() {
        return (term << TERM_SHIFT) | (lastGrant.incrementAndGet() & 0xffff_ffffL);
    }
}
