package io.leapnbd.bypass.link;

import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
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
    private volatile DonorStanding standing = DonorStanding.NONE;
    private volatile boolean reportedDown;

    /** {@link System#nanoTime()} when the last link ended, or when links were begun to be tried. */
    private volatile long unlinkedSince = System.nanoTime();

    /** Which link may decide what becomes of the claim here; null if none does. Guarded by this object's monitor. */
    private @Nullable LinkGreeting claimer;

    /** Highest version of a write that the process of {@link #standing} has acknowledged. */
    private final AtomicLong highestAcknowledged = new AtomicLong();

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
        return standing.incarnation();
    }

    /** What this server is there. */
    public DonorStanding standing() {
        return standing;
    }

    /** Says what this server is there, before the first link is opened. */
    public void stand(DonorStanding now) {
        standing = now;
        unlinkedSince = System.nanoTime();
    }

    /** Gives the right to decide about the claim to one link at a time; whether it has it. */
    synchronized boolean beginClaim(LinkGreeting link) {
        if (claimer == null) {
            claimer = link;
        }
        return claimer == link;
    }

    /** Gives the right back, if the link has it. */
    synchronized void endClaim(LinkGreeting link) {
        if (claimer == link) {
            claimer = null;
        }
    }

    /** What the known process held is lost; {@code found} is there instead, or is that process without its slabs. */
    void lost(UUID found) {
        UUID gone = standing.incarnation();
        if (gone != null) {
            standing = DonorStanding.NONE;
            highestAcknowledged.set(0);
            listener.donorLost(this, gone, found);
        }
    }

    /** The process has forgotten writes that it had acknowledged: it is treated as another one. */
    void rolledBack(UUID process) {
        LOG.error("donor {} has forgotten writes that it acknowledged; was its machine set back to a snapshot?", name);
        lost(process);
    }

    /** A link is about to claim there. */
    void claiming(UUID process) {
        listener.donorClaiming(this, process);
    }

    /** The export is claimed there. */
    void claimed(UUID process, long epoch) {
        DonorStanding now = DonorStanding.claimed(process, epoch);
        if (!now.equals(standing)) {
            standing = now;
            listener.donorClaimed(this, process, epoch);
        }
    }

    /** The highest version that a process has acknowledged. */
    long highestAcknowledged(UUID process) {
        return standing.isOf(process) ? highestAcknowledged.get() : 0;
    }

    /** A process has acknowledged a write. */
    void acknowledged(UUID process, long version) {
        if (standing.isOf(process) && version > highestAcknowledged.get()) {
            long _ = highestAcknowledged.accumulateAndGet(version, Math::max);
        }
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

    /** A link has shaken hands. */
    public void met(int total, int free) {
        totalSlabs = total;
        freeSlabs = free;
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

    /**
     * Whether no loop has had a link for so long that what is posted now need not wait. Links go on trying, so it may come back.
     *
     * @param nanos how long a request may take
     */
    boolean down(long now, long nanos) {
        return linksUp.get() == 0 && now - unlinkedSince >= nanos;
    }

    void linkDown(String why, boolean unexpected) {
        if (linksUp.get() == 1) {
            // Before the count, so that nobody sees an old time with no links.
            unlinkedSince = System.nanoTime();
        }
        if (linksUp.decrementAndGet() == 0) {
            unlinkedSince = System.nanoTime();
        }
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
         * What the process {@code gone} behind {@code donor} held is lost: it has ended, or has forgotten the export; {@code found} is
         * there now. Before anything is claimed there. Any thread.
         */
        void donorLost(Donor donor, UUID gone, UUID found);

        /** The process {@code found} may hold slabs soon: it is about to be claimed. Any thread. */
        void donorClaiming(Donor donor, UUID found);

        /** The process {@code found} is claimed, with an epoch. Before any slab is granted there. Any thread. */
        void donorClaimed(Donor donor, UUID found, long epoch);

        /** A donor says that a newer server has claimed the export. Any thread. */
        void fenced(Donor donor);
    }

    Listener listener() {
        return listener;
    }
}
