package io.leapnbd.bypass.link;

import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A donor as the whole server sees it: what the links of all loops have found out about it. Any thread.
 */
public final class Donor {

    private static final Logger LOG = LoggerFactory.getLogger(Donor.class);

    private final String name;
    private final Listener listener;
    private final AtomicInteger linksUp = new AtomicInteger();
    private final LongAdder timeouts = new LongAdder();
    private final LongAdder reconnects = new LongAdder();
    private final LongAdder deviceReads = new LongAdder();
    private final LongAdder askedReads = new LongAdder();
    private final LongAdder disturbedReads = new LongAdder();
    private volatile int freeSlabs;
    private volatile int totalSlabs;
    private volatile @Nullable UUID incarnation;
    private volatile boolean reportedDown;

    /**
     * A donor that nothing is known of.
     *
     * @param name its address, for people
     * @param listener told when the process behind the address turns out to be another one
     */
    public Donor(String name, Listener listener) {
        this.name = name;
        this.listener = listener;
    }

    /** Its address, for people and for the state file. */
    public String name() {
        return name;
    }

    /** Slabs that it said it could grant, as of its latest reply. */
    public int freeSlabs() {
        return freeSlabs;
    }

    /** Slabs that it lends in all. */
    public int totalSlabs() {
        return totalSlabs;
    }

    /** The process behind the address; null as long as it was never reached. */
    public @Nullable UUID incarnation() {
        return incarnation;
    }

    /** Whether any loop is connected to it. */
    public boolean up() {
        return linksUp.get() > 0;
    }

    /** Links that are connected now. */
    public int linksUp() {
        return linksUp.get();
    }

    /** Links broken because a request was not answered in time. */
    public long timeouts() {
        return timeouts.sum();
    }

    /** Times that a link was lost and found again. */
    public long reconnects() {
        return reconnects.sum();
    }

    /** Reads over RDMA that its processors had nothing to do with. */
    public long deviceReads() {
        return deviceReads.sum();
    }

    /** Reads over RDMA that it was asked for by message. */
    public long askedReads() {
        return askedReads.sum();
    }

    /** Reads over RDMA that were thrown away, and asked for by message, because a write began meanwhile. */
    public long disturbedReads() {
        return disturbedReads.sum();
    }

    void readByDevice() {
        deviceReads.increment();
    }

    void readAsked() {
        askedReads.increment();
    }

    void readDisturbed() {
        disturbedReads.increment();
    }

    /** Takes note of its room. */
    public void freeSlabs(int free) {
        if (free != freeSlabs) {
            freeSlabs = free;
        }
    }

    /**
     * A link has shaken hands. If the process is another one than before, tells the listener, before this returns, that what
     * the old one held is lost.
     */
    public void met(UUID found, int total, int free) {
        synchronized (this) {
            UUID known = incarnation;
            if (known != null && !known.equals(found)) {
                listener.donorRestarted(this, known, found);
            }
            incarnation = found;
            totalSlabs = total;
            freeSlabs = free;
        }
    }

    /** Sets which process is expected, from what an earlier server wrote down. */
    public void expect(UUID expected) {
        incarnation = expected;
    }

    void linkUp(boolean again) {
        linksUp.incrementAndGet();
        if (again) {
            reconnects.increment();
        }
        if (reportedDown) {
            reportedDown = false;
            LOG.info("donor {} is back", name);
        }
    }

    void linkDown(String why, boolean unexpected) {
        linksUp.decrementAndGet();
        if (unexpected) {
            unreachable(why);
        }
    }

    /** Says once that the donor cannot be reached; again only after it was back. */
    void unreachable(String why) {
        if (!reportedDown) {
            reportedDown = true;
            LOG.warn("donor {}: {}; trying again until it answers", name, why);
        }
    }

    void timedOut() {
        timeouts.increment();
    }

    @Override
    public String toString() {
        return name;
    }

    /** What the device needs to be told. */
    public interface Listener {

        /**
         * The process {@code gone} behind {@code donor} has ended, and with it all that it held; {@code found} is there
         * instead. Any thread.
         */
        void donorRestarted(Donor donor, UUID gone, UUID found);

        /** A donor says that a newer server has claimed the export. Any thread. */
        void fenced(Donor donor);
    }

    Listener listener() {
        return listener;
    }
}
