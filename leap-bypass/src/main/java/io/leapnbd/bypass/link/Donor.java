package io.leapnbd.bypass.link;

import io.netty.channel.EventLoop;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
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

    /** Proofs that are newer by less are not told to other loops. */
    private static final long PROOF_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    /** A donor that refuses every hello for so long is down. It may be full of the links of a server that has just ended. */
    static final long REFUSED_NANOS = TimeUnit.SECONDS.toNanos(2);

    /** Ten pings of an idle link: a process that was cut off is older than that when its links are given up. */
    private static final long END_SEEN_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** Why a donor that answers is of no use. */
    enum Unfit {
        /** It refuses the hello, for example because it has as many links as it takes. */
        REFUSES,
        /** It lends in slabs of another size. */
        SLAB_SIZE,
        /** It has other contents of the export's name. */
        FOREIGN,
        /** It may not be claimed, or not yet. */
        HELD_BACK
    }

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
    private volatile Held held = new Held(DonorStanding.NONE);
    private volatile boolean reportedDown;
    private volatile @Nullable Unfit unfit;

    /** {@link System#nanoTime()} of the first answer that {@link #unfit} comes from. */
    private volatile long unfitSince;

    /** {@link #provenNanos}. */
    private final AtomicLong proven = new AtomicLong(System.nanoTime() - TimeUnit.HOURS.toNanos(1));

    private final ReadyLinks readyLinks = new ReadyLinks();

    /** {@link System#nanoTime()} when the last link ended, or when links were begun to be tried. */
    private volatile long unlinkedSince = System.nanoTime();

    /** Which link may decide what becomes of the claim here; null if none does. Guarded by this object's monitor. */
    private @Nullable LinkGreeting claimer;

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
        return held.standing.incarnation();
    }

    /** What this server is there. */
    public DonorStanding standing() {
        return held.standing;
    }

    /** Likewise, with what was acknowledged under it. */
    Held held() {
        return held;
    }

    /** Says what this server is there, before the first link is opened. */
    public void stand(DonorStanding now) {
        held = new Held(now);
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

    /**
     * What the known process held is lost; {@code found} is there instead, or is that process without its slabs. If another process is there,
     * and the known one had answered as this server's shortly before, then most likely nobody else has claimed at it. For the link that has the
     * right to decide, as are the four below.
     *
     * @param unclaimed whether the donor shows that nobody else has claimed there
     */
    void lost(UUID found, boolean unclaimed) {
        UUID gone = held.standing.incarnation();
        if (gone != null) {
            // A process that has forgotten the export has not ended: somebody may have claimed there before the lease
            // ended.
            boolean seen = unclaimed || (!gone.equals(found) && endedSoonAfterProof());
            held = new Held(DonorStanding.NONE);
            listener.donorLost(this, gone, found, seen);
        }
    }

    /** Whether it had answered this server as the owner shortly before its last link ended, or before now if a loop has not noticed that yet. */
    private boolean endedSoonAfterProof() {
        long ended = linksUp.get() > 0 ? System.nanoTime() : unlinkedSince;
        return held.standing.isClaimed() && ended - proven.get() < END_SEEN_NANOS;
    }

    /** The process has forgotten writes that it had acknowledged: it is treated as another one. */
    void rolledBack(UUID process) {
        LOG.error("donor {} has forgotten writes that it acknowledged; was its machine set back to a snapshot?", name);
        lost(process, false);
    }

    /** Asks whether a process that has nothing of this server may be claimed; answers null if so, otherwise why not, for the log. */
    @Nullable
    String admit(UUID process) {
        return listener.admit(this, process);
    }

    /** A link is about to claim there. */
    void claiming(UUID process) {
        listener.donorClaiming(this, process);
    }

    /** The export is claimed there. */
    void claimed(UUID process, long epoch) {
        DonorStanding now = DonorStanding.claimed(process, epoch);
        if (!now.equals(held.standing)) {
            held = new Held(now);
            listener.donorClaimed(this, process, epoch);
        }
    }

    /** The links of all loops that can be used. */
    ReadyLinks readyLinks() {
        return readyLinks;
    }

    /**
     * The donor has answered as one whose export this server still owned, when the question was sent or later.
     *
     * @param sentNanos {@link System#nanoTime()} of that, or earlier
     */
    public void proven(long sentNanos) {
        long newest = proven.get();
        while (sentNanos - newest > PROOF_NANOS && !proven.compareAndSet(newest, sentNanos)) {
            newest = proven.get();
        }
    }

    /** When the newest question was sent that it has so answered, up to 50 ms too early; an hour before the start if none was. */
    public long provenNanos() {
        return proven.get();
    }

    /** A hello was answered, and the donor is of no use. */
    void unfit(Unfit why) {
        if (unfit == null) {
            unfitSince = System.nanoTime();
        }
        unfit = why;
        if (why == Unfit.FOREIGN) {
            listener.foreign(this);
        }
    }

    /** Whether it has other contents of the export's name, as of its latest answer. */
    public boolean foreign() {
        return unfit == Unfit.FOREIGN;
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
        unfit = null;
        if (again) {
            reconnects.increment();
        }
        if (reportedDown) {
            reportedDown = false;
            LOG.info("donor {} is back", name);
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

    /**
     * Sees whether a request that a link without a connection has been given need not wait there. If the donor is {@link #down}, the
     * request ends: as {@link LinkRequest.Outcome#LOST} if it is for a process that is gone, as the device knows where its pages are
     * now. If the donor does not take this link, another loop's link gets the request.
     *
     * @param failed whether the link's latest attempt to connect has failed
     * @param nanos how long a request may take
     * @return whether it does not wait any more
     */
    boolean relieves(LinkRequest request, boolean failed, EventLoop loop, long now, long nanos) {
        if (down(now, nanos)) {
            UUID meant = request.incarnation;
            boolean gone = meant != null && !held.standing.isOf(meant);
            request.finish(gone ? LinkRequest.Outcome.LOST : LinkRequest.Outcome.UNREACHABLE, now);
            return true;
        }
        return failed && readyLinks.handOver(request, loop);
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

    /**
     * What this server is at the donor, and what was acknowledged since it is that. Another claim has another one, so what comes late
     * over a link of an earlier claim does not count for it.
     */
    static final class Held {

        private final DonorStanding standing;
        private final AtomicLong highest = new AtomicLong();

        Held(DonorStanding standing) {
            this.standing = standing;
        }

        DonorStanding standing() {
            return standing;
        }

        /** The highest version of a write that was acknowledged. */
        long highestAcknowledged() {
            return highest.get();
        }

        /** A write was acknowledged. */
        void acknowledged(long version) {
            if (version > highest.get()) {
                long _ = highest.accumulateAndGet(version, Math::max);
            }
        }
    }

    /** What the device needs to be told. */
    public interface Listener {

        /**
         * What the process {@code gone} behind {@code donor} held is lost: it has ended, or has forgotten the export; {@code found} is
         * there now. Before anything is claimed there. Any thread.
         *
         * @param seen whether nobody else can have claimed at {@code gone}
         */
        void donorLost(Donor donor, UUID gone, UUID found, boolean seen);

        /**
         * Whether this server knows the process {@code found} at another donor's address: then addresses have moved, and nothing is known of the
         * process that was here. Any thread.
         */
        default boolean isElsewhere(Donor donor, UUID found) {
            return false;
        }

        /**
         * Asks whether the process {@code found}, which has nothing of this server, may be claimed. If so it may hold slabs soon. Any thread.
         *
         * @return null if it may; otherwise why it may not, for the log
         */
        default @Nullable String admit(Donor donor, UUID found) {
            donorClaiming(donor, found);
            return null;
        }

        /** The process {@code found} may hold slabs soon: it is about to be claimed. Any thread. */
        void donorClaiming(Donor donor, UUID found);

        /** The process {@code found} is claimed, with an epoch. Before any slab is granted there. Any thread. */
        void donorClaimed(Donor donor, UUID found, long epoch);

        /** A donor has other contents of this export's name, and what it held is lost. Any thread. */
        default void foreign(Donor donor) {}

        /** A donor says that a newer server has claimed the export. Any thread. */
        void fenced(Donor donor);
    }

    Listener listener() {
        return listener;
    }
}
