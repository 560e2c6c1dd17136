package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.path.PlacementChanges.Dropped;
import io.leapnbd.bypass.path.RepairProgress.For;
import java.util.BitSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Adds copies to slabs (docs/replicas.md, "How a copy is added"): asks a donor for one, has it told, fills it, and has it called live. Several at a time, and
 * few of them at one donor, so that a slow one does not keep all others waiting. For one loop's thread.
 */
final class Fills {

    private static final Logger LOG = LoggerFactory.getLogger(Fills.class);

    /** Copies that are being added at a time, at most. */
    static final int MOST = 8;

    /** Copies that are being added at one donor, or are read at one because there is no other. */
    private static final int MOST_AT_A_DONOR = 4;

    private final FillTools tools;
    private final DeviceLoop loop;
    private final AddressMap map;
    private final SlabAllocator allocator;
    private final PlacementChanges placing;
    private final Consumer<Dropped> dropped;
    private final long memberTimeoutNanos;
    private final RepairProgress progress;
    private final Shortage shortage;
    private final FillDelays delays = new FillDelays();

    /** By donor: copies that are being added there; and slabs that are nowhere else to be read. */
    private final int[] targets;

    private final int[] onlySources;

    Fills(
            FillTools tools,
            SlabAllocator allocator,
            PlacementChanges placing,
            Consumer<Dropped> dropped,
            RepairProgress progress) {
        this.tools = tools;
        this.allocator = allocator;
        this.placing = placing;
        this.dropped = dropped;
        this.progress = progress;
        loop = tools.loop();
        shortage = new Shortage(loop);
        map = tools.map();
        memberTimeoutNanos = tools.requestNanos();
        targets = new int[StateFile.MAX_DONORS];
        onlySources = new int[StateFile.MAX_DONORS];
    }

    /** What became of a copy that was to be added. */
    enum End {
        /** It is live. */
        LIVE,
        /** The fill came to nothing. What is left of it has to be taken away. */
        NOT_FILLED,
        /** No donor gives one. */
        NO_ROOM,
        /** Donors that might give one are being filled already. */
        CROWDED,
        /** Somebody else has changed the slab meanwhile, or a donor does not answer. */
        GIVEN_UP
    }

    /** Told once. */
    @FunctionalInterface
    interface Ended {
        void ended(End how);
    }

    /** Whether one may begin for a slab now. */
    boolean mayBegin(int slab, Placement now) {
        return !delays.waits(slab, loop.now())
                && (now.live() > 1 || onlySources[now.primary().donor()] < MOST_AT_A_DONOR)
                && !allCrowded();
    }

    private boolean allCrowded() {
        for (int donor = 0; donor < loop.links(); donor++) {
            if (targets[donor] < MOST_AT_A_DONOR && !loop.link(donor).donor().lastResort()) {
                return false;
            }
        }
        return true;
    }

    /** A donor has come back: what failed may succeed now. */
    void donorCameBack() {
        delays.endAll();
    }

    /** Slabs whose last fill failed, and why that of one of them did. */
    FillDelays delays() {
        return delays;
    }

    /**
     * Adds one.
     *
     * @param leaving the copy in whose place it comes; null if there are too few
     * @param to the only donor that is asked; {@link DonorChoice#NONE} for any
     */
    void add(int slab, Placement now, @Nullable Member leaving, int to, Ended end) {
        long[] lost = map.damaged(slab) ? map.lostPages(slab) : new long[0];
        BitSet crowded = new BitSet();
        for (int donor = 0; donor < loop.links(); donor++) {
            crowded.set(
                    donor,
                    to == DonorChoice.NONE
                            && targets[donor] >= MOST_AT_A_DONOR
                            && !loop.link(donor).donor().lastResort());
        }
        For what = leaving == null ? For.REPAIR : to == DonorChoice.NONE ? For.MOVE : For.BALANCE;
        One one = new One(slab, now, what, lost, end);
        one.begun();
        boolean need = crowded.isEmpty() && shortage.lasts(leaving, to);
        allocator.grantFilling(slab, loop, now, leaving, to, crowded, need, lost, granted -> {
            if (crowded.isEmpty()) {
                shortage.asked(leaving, granted);
            }
            if (granted == null) {
                one.end(crowded.isEmpty() ? End.NO_ROOM : End.CROWDED);
            } else {
                one.guarded(() -> one.tell(granted));
            }
        });
    }

    /** A copy that is being added. */
    private final class One {

        private final int slab;
        private final Placement seen;
        private final For what;
        private final long[] lost;
        private final Ended end;
        private final int onlySource;
        private int target = -1;
        private @Nullable Fill fill;
        private boolean over;

        One(int slab, Placement seen, For what, long[] lost, Ended end) {
            this.slab = slab;
            this.seen = seen;
            this.what = what;
            this.lost = lost;
            this.end = end;
            onlySource = seen.live() > 1 ? -1 : seen.primary().donor();
        }

        void begun() {
            if (onlySource >= 0) {
                onlySources[onlySource]++;
            }
        }

        void end(End how) {
            if (over) {
                return;
            }
            over = true;
            if (onlySource >= 0) {
                onlySources[onlySource]--;
            }
            if (target >= 0) {
                targets[target]--;
            }
            Fill was = fill;
            if (was != null) {
                progress.ended(was, what, how == End.LIVE);
            }
            if (how == End.LIVE) {
                delays.forget(slab);
            }
            end.ended(how);
        }

        /** A throw ends what is done for a slab, and nothing else. */
        void guarded(Runnable part) {
            try {
                part.run();
            } catch (RuntimeException | Error e) {
                loop.defect(e);
                end(End.GIVEN_UP);
            }
        }

        private void giveUp(Member fresh, long generation) {
            dropped.accept(new Dropped(slab, fresh, generation));
            end(End.GIVEN_UP);
        }

        /** What is lost was told with the grant. So the slab has to be where it was then, or pages may have been lost since. */
        void tell(Member fresh) {
            target = fresh.donor();
            targets[target]++;
            Placement now = map.placement(slab);
            if (now == null || now != seen) {
                giveUp(fresh, fresh.grantVersion());
                return;
            }
            long generation = tools.versions().nextGrant();
            PlaceRequests.sendFilling(
                    loop,
                    fresh,
                    PlaceRequests.live(now),
                    generation,
                    memberTimeoutNanos,
                    told -> guarded(() -> {
                        if (told.acknowledged().isEmpty()
                                || !map.place(slab, now, now.withFilling(fresh, generation))) {
                            giveUp(fresh, generation);
                        } else {
                            Fill begun = new Fill(tools, slab, fresh, lost, done -> guarded(() -> filled(done)));
                            fill = begun;
                            progress.begun(begun, what);
                            begun.start();
                        }
                    }));
        }

        private void filled(Fill done) {
            Member fresh = done.target();
            Placement now = map.placement(slab);
            String problem = done.problem();
            if (problem == null
                    && now != null
                    && now.has(fresh)
                    && map.place(slab, now, now.withComplete(fresh, now.generation()))) {
                long deadline = loop.deadline(loop.now());
                placing.promote(slab, fresh, loop, deadline, live -> {
                    if (live) {
                        LOG.debug("slab {} has another copy, at {}", slab, fresh);
                    }
                    end(live ? End.LIVE : End.GIVEN_UP);
                });
                return;
            }
            if (problem != null && now != null && now.has(fresh)) {
                LOG.debug("slab {} is not filled: {}", slab, problem);
                delays.failed(slab, loop.now(), problem);
            }
            end(End.NOT_FILLED);
        }
    }
}
