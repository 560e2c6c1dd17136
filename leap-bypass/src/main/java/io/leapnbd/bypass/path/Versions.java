package io.leapnbd.bypass.path;

import java.util.concurrent.atomic.AtomicLong;

/** The versions of this server's writes, trims and grants, each above all before it. Any thread. */
public final class Versions {

    private final AtomicLong last;

    /**
     * Begins above a version.
     *
     * @param last the highest that is in use already
     */
    public Versions(long last) {
        this.last = new AtomicLong(last);
    }

    /** The next one for a write or trim. */
    public long next() {
        return last.incrementAndGet();
    }

    /** The next one for a grant. */
    long nextGrant() {
        return last.incrementAndGet();
    }
}
