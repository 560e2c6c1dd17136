package io.leapnbd.bypass.link;

import io.leapnbd.donor.tls.PoolName;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
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

    /** Whether a server has a donor among its own; all but {@link #USED} only of one whose donors are changed while it runs. */
    public enum Use {
        /** It was added, and nothing is placed there before it is claimed and every loop has a link. */
        JOINING,
        /** It has slabs, or may get some. */
        USED,
        /** It is to be emptied and forgotten. Nothing is placed there any more. */
        LEAVING,
        /** It is empty, and every other donor is being told. What it answers proves nothing any more. */
        DISOWNED,
        /** It is none of the server's. Nothing but its number is left. */
        GONE
    }

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
    private final Reachability reach;
    private final LongSupplier clock;
    private final boolean lastResort;
    private final LongAdder timeouts = new LongAdder();
    private final LongAdder reconnects = new LongAdder();
    private final LongAdder deviceReads = new LongAdder();
    private final LongAdder askedReads = new LongAdder();
    private final LongAdder disturbedReads = new LongAdder();
    private volatile int freeSlabs;
    private volatile int totalSlabs;
    private volatile int wantedBack;
    private volatile @Nullable LendingLimit limit;

    /** Whether that it is used up was said; twice does no harm. */
    private volatile boolean limitSaid;

    private volatile boolean drained;
    private volatile boolean retired;
    private volatile boolean unasked;
    private volatile Use use = Use.USED;
    private volatile @Nullable PoolName shown;
    private volatile Held held = new Held(DonorStanding.NONE);

    /** {@link #provenNanos}. */
    private final AtomicLong proven;

    /** {@link #heardNanos}. */
    private volatile long heard;

    private final ReadyLinks readyLinks = new ReadyLinks();

    /** Which link may decide what becomes of the claim here; null if none does. Guarded by this object's monitor. */
    private @Nullable LinkGreeting claimer;

    /**
     * A donor that nothing is known of.
     *
     * @param name its address, for people
     * @param listener told when the process behind the address turns out to be another one
     */
    public Donor(String name, Listener listener) {
        this(name, listener, System::nanoTime);
    }

    /** One that is used only where others have no room or no life. */
    public static Donor ofLastResort(String name, Listener listener) {
        return new Donor(name, listener, System::nanoTime, true);
    }

    /** Likewise, with another clock than {@link System#nanoTime()}. */
    Donor(String name, Listener listener, LongSupplier clock) {
        this(name, listener, clock, false);
    }

    private Donor(String name, Listener listener, LongSupplier clock, boolean lastResort) {
        this.lastResort = lastResort;
        this.name = name;
        this.listener = listener;
        this.clock = clock;
        heard = clock.getAsLong();
        reach = new Reachability(name, clock);
        proven = new AtomicLong(clock.getAsLong() - TimeUnit.HOURS.toNanos(1));
    }

    /** Its address, for people and for the state file. */
    public String name() {
        return name;
    }

    /** Whether it is used only where others have no room or no life: a local file (docs/spill.md). */
    public boolean lastResort() {
        return lastResort;
    }

    /** Who it has shown to be on its latest connection, over which TLS is spoken then; null if it was not asked. */
    public @Nullable PoolName shown() {
        return shown;
    }

    /** It has shown who it is. */
    void showedItself(PoolName peer) {
        shown = peer;
    }

    /** Nanoseconds by the clock of its proofs, {@link System#nanoTime()}. */
    long now() {
        return clock.getAsLong();
    }

    /** Slabs that it said it could grant, as of its latest reply. */
    public int freeSlabs() {
        return freeSlabs;
    }

    /** Slabs that it wants back from its servers, as of its latest reply; more than 65,534 count as 65,535. */
    public int wantedBack() {
        return wantedBack;
    }

    /** Whether an operator wants nothing kept there any more. */
    public boolean drained() {
        return drained;
    }

    /** Says whether nothing is to be kept there any more. Forgotten with this process. */
    public void drain(boolean now) {
        drained = now;
    }

    /** Whether nothing may be placed there before every other donor has been told of it anew, as it was drained. */
    public boolean retired() {
        return retired;
    }

    /** Says so. */
    public void retire(boolean now) {
        retired = now;
    }

    /** What it is to the server. */
    public Use use() {
        return use;
    }

    /** Says what it is to the server from now on. */
    public void use(Use now) {
        use = now;
    }

    /**
     * Says whether a server that takes over need not ask it, as the note does not name it: then what it answers does not prove any more that there is
     * none. Before the note is without it, and after all others know that it is in the note again.
     */
    public void unasked(boolean now) {
        unasked = now;
    }

    /** Whether slabs may be placed there, if it has room. */
    public boolean takesSlabs() {
        return !drained && !retired && use == Use.USED;
    }

    /** Whether all that is kept there is to be kept elsewhere. */
    public boolean emptied() {
        return drained || use == Use.LEAVING;
    }

    /** Whether slabs that are kept there are to be kept elsewhere. */
    public boolean givesBack() {
        return emptied() || wantedBack > 0;
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
        reach.tried();
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
     * and a link has seen the known one end, then nobody else has claimed at it. For the link that has the right to decide, as are the four
     * below.
     *
     * @param unclaimed whether the donor shows that nobody else has claimed there
     */
    void lost(UUID found, boolean unclaimed) {
        UUID gone = held.standing.incarnation();
        if (gone != null) {
            // A process that has forgotten the export has not ended: somebody may have claimed there before the lease
            // ended.
            boolean seen = unclaimed || (!gone.equals(found) && held.processEnded);
            held = new Held(DonorStanding.NONE);
            // What it wanted back is gone.
            wantedBack = 0;
            listener.donorLost(this, gone, found, seen);
        }
    }

    /** A link of this server has seen the process end, and nobody else was answered there as its server before. Any thread. */
    void processEnded(Held itsClaim) {
        itsClaim.processEnded = true;
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
        if (unasked || use.compareTo(Use.DISOWNED) >= 0) {
            // A server that takes over need not ask it any more.
            return;
        }
        long newest = proven.get();
        while (sentNanos - newest > PROOF_NANOS && !proven.compareAndSet(newest, sentNanos)) {
            newest = proven.get();
        }
    }

    /** When the newest question was sent that it has so answered, up to 50 ms too early; an hour before the start if none was. */
    public long provenNanos() {
        return proven.get();
    }

    /** Any link has heard the donor. */
    public void heard(long now) {
        if (now - heard > PROOF_NANOS) {
            heard = now;
        }
    }

    /** When any link has heard it last, up to 50 ms too early; when this object was made if none has. */
    public long heardNanos() {
        return heard;
    }

    /** A hello was answered, and the donor is of no use. */
    void unfit(Unfit why) {
        reach.unfit(why);
        if (why == Unfit.FOREIGN) {
            listener.foreign(this);
        }
    }

    /** Whether it has other contents of the export's name, as of its latest answer. */
    public boolean foreign() {
        return reach.unfit() == Unfit.FOREIGN;
    }

    /** Why it is not used although it answers, in words that follow its name; null if that is not so. */
    public @Nullable String whyUnused() {
        return up() ? null : reach.whyUnused();
    }

    /** Whether any loop is connected to it. */
    public boolean up() {
        return reach.linksUp() > 0;
    }

    /** Links that are connected now. */
    public int linksUp() {
        return reach.linksUp();
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
            if (free == 0) {
                sayLimit();
            }
        }
    }

    /** Takes note of what it wants back. */
    public void wantedBack(int slabs) {
        if (slabs != wantedBack) {
            wantedBack = slabs;
        }
    }

    /** A link has shaken hands. */
    public void met(int total, int free) {
        totalSlabs = total;
        freeSlabs = free;
    }

    /** Likewise, and has said what it lends this server at most; null if that is all that it has. */
    void limited(@Nullable LendingLimit most) {
        if (!Objects.equals(most, limit)) {
            limit = most;
            limitSaid = false;
        }
        if (freeSlabs == 0) {
            sayLimit();
        }
    }

    /** What it lends this server at most; null if that is all that it has. */
    public @Nullable LendingLimit limit() {
        return limit;
    }

    private void sayLimit() {
        LendingLimit most = limit;
        if (most != null && !limitSaid) {
            limitSaid = true;
            LOG.warn("donor {} has no more room for this server: it {}", name, most);
        }
    }

    /** A link can be used; whether it is one that was lost. */
    void linkUp(boolean again) {
        reach.linkUp();
        if (again) {
            reconnects.increment();
        }
    }

    /** A link that could be used has ended. */
    void linkDown(String why, boolean unexpected) {
        reach.linkDown();
        if (unexpected) {
            reach.failed(why);
        }
    }

    /** A link could not be opened. */
    void unreachable(String why) {
        reach.failed(why);
    }

    /** {@link Reachability#down}. */
    public boolean down(long now, long nanos) {
        return reach.down(now, nanos);
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

        /** Whether the process was seen to end, as this server's. */
        private volatile boolean processEnded;

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

        /** Whether an operator gave up whatever was at this donor's address, and nothing was used there since. Any thread. */
        default boolean isGivenUpAddress(Donor donor) {
            return false;
        }

        /** The process {@code found} is one that was given up with its address. Any thread. */
        default void givenUp(Donor donor, UUID found) {}

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
