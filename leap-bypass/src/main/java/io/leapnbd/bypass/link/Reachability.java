package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.Donor.Unfit;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Whether a donor can be reached, as the links of all loops have found out. Any thread. */
final class Reachability {

    private static final Logger LOG = LoggerFactory.getLogger(Reachability.class);

    /** A donor that refuses every hello for so long is down. It may be full of the links of a server that has just ended. */
    static final long REFUSED_NANOS = TimeUnit.SECONDS.toNanos(2);

    private final String name;
    /** Ends of links are told no more often. */
    private static final long TELL_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final LongSupplier clock;
    private final AtomicInteger linksUp = new AtomicInteger();
    private volatile boolean reportedDown;

    /** Whether that is in the log. */
    private volatile boolean toldDown;

    /** When something was told last: a donor that comes and goes all the time does not fill the log. */
    private volatile long told;

    private volatile @Nullable Unfit unfit;

    /** Whether the latest attempt to connect found a donor that is of no use; {@link #failed} says why, in a moment. */
    private volatile boolean foundUnfit;

    private volatile @Nullable String whyUnused;

    /** The reason in the log. */
    private volatile @Nullable String toldUnused;

    /** {@link System#nanoTime()} of the first answer that {@link #unfit} comes from. */
    private volatile long unfitSince;

    /** {@link System#nanoTime()} when the last link ended, or when links were begun to be tried. */
    private volatile long unlinkedSince;

    /**
     * Of a donor that no link was tried to.
     *
     * @param name its address, for the log
     * @param clock as {@link System#nanoTime()}
     */
    Reachability(String name, LongSupplier clock) {
        this.name = name;
        this.clock = clock;
        unlinkedSince = clock.getAsLong();
        told = unlinkedSince - TELL_NANOS;
    }

    /** Links begin to be tried. */
    void tried() {
        unlinkedSince = clock.getAsLong();
    }

    /** Links that are connected now. */
    int linksUp() {
        return linksUp.get();
    }

    /** Why the donor is of no use, as of its latest answer; null if it is. */
    @Nullable
    Unfit unfit() {
        return unfit;
    }

    /** Why the donor is not used, if it answered the latest attempt to connect; otherwise null. */
    @Nullable
    String whyUnused() {
        return whyUnused;
    }

    /** A hello was answered, and the donor is of no use. */
    void unfit(Unfit why) {
        if (unfit == null) {
            unfitSince = clock.getAsLong();
        }
        unfit = why;
        foundUnfit = true;
    }

    /** A link can be used. */
    void linkUp() {
        linksUp.incrementAndGet();
        unfit = null;
        if (reportedDown) {
            reportedDown = false;
            toldUnused = null;
            if (toldDown) {
                LOG.info("donor {} is back", name);
            }
        }
    }

    /** A link that could be used has ended. */
    void linkDown() {
        if (linksUp.get() == 1) {
            // Before the count, so that nobody sees an old time with no links.
            unlinkedSince = clock.getAsLong();
        }
        if (linksUp.decrementAndGet() == 0) {
            unlinkedSince = clock.getAsLong();
        }
    }

    /** Says once that the donor cannot be reached, and why one that answers is not used; again only after it was back, or for another reason. */
    void failed(String why) {
        boolean news = foundUnfit && !why.equals(toldUnused);
        whyUnused = foundUnfit ? why : null;
        foundUnfit = false;
        if (!reportedDown || news) {
            reportedDown = true;
            long now = clock.getAsLong();
            toldDown = now - told >= TELL_NANOS;
            if (toldDown) {
                told = now;
                // What could not be told now is told later, unless it is another reason by then.
                toldUnused = whyUnused;
                LOG.warn("donor {}: {}; trying again until it answers", name, why);
            }
        }
    }

    /**
     * Whether requests need not wait for it, whatever loop they come from: no loop has a link, and the donor has said that it is of no
     * use, or has refused every hello for {@link #REFUSED_NANOS}, or nobody has reached it for as long as a request may take. Links go
     * on trying, so it may come back.
     *
     * @param nanos how long a request may take
     */
    boolean down(long now, long nanos) {
        if (linksUp.get() > 0) {
            return false;
        }
        Unfit why = unfit;
        if (why == null) {
            return now - unlinkedSince >= nanos;
        }
        long patience = Math.min(REFUSED_NANOS, nanos);
        return why != Unfit.REFUSES || (now - unfitSince >= patience && now - unlinkedSince >= patience);
    }
}
