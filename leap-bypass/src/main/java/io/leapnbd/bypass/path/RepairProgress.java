package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Protocol;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How far repair and moves are, for an operator: what is left, how fast it goes, and lines in the log when it begins and is done. Figures are for any thread;
 * the rest is for one loop's.
 */
public final class RepairProgress {

    private static final Logger LOG = LoggerFactory.getLogger(RepairProgress.class);

    /** Over so many ticks of 50 ms speed is measured. */
    private static final int SAMPLES = 40;

    private static final long LOOK_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final long MISSING_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final double NANOS_A_SECOND = TimeUnit.SECONDS.toNanos(1);

    private final AddressMap map;
    private volatile List<Donor> donors;
    private final IntSupplier copies;
    private final Work repair = new Work("repair", "slabs have fewer copies than wanted");
    private final Work moves = new Work("moving", "copies go to other donors");
    private final Work balancing = new Work("balancing", "");
    private long missingLookedAt;
    private boolean missingSeen;
    private boolean missingTold;
    private volatile int failing;
    private volatile String whyFailing = "";

    /**
     * Of one device.
     *
     * @param copies that a slab has where there is room
     */
    RepairProgress(AddressMap map, List<Donor> donors, IntSupplier copies) {
        this.map = map;
        this.donors = donors;
        this.copies = copies;
    }

    /**
     * What is left of one kind of work.
     *
     * @param slabs copies that are still to be made
     * @param bytes that are still to be copied for them; of pages that hold data
     * @param bytesASecond at which that goes on now, over the last 2 s
     */
    public record Left(long slabs, long bytes, long bytesASecond) {

        /** Seconds until it is done at this speed; -1 if that is not known. */
        public long seconds() {
            return slabs == 0 ? 0 : bytesASecond == 0 ? -1 : (bytes + bytesASecond - 1) / bytesASecond;
        }
    }

    /** Copies that are missing. Looks at every slab. Any thread. */
    public Left repair() {
        int wanted = copies.getAsInt();
        long slabs = 0;
        long pages = 0;
        for (int slab = 0; slab < map.slabs(); slab++) {
            Placement at = map.placement(slab);
            int missing = at == null ? 0 : wanted - at.live();
            if (missing > 0) {
                slabs += missing;
                pages += missing * map.pagesWritten(slab);
            }
        }
        return repair.left(slabs, pages * Protocol.PAGE_SIZE);
    }

    /** Copies that are to go from donors that want memory back. Looks at every slab if there is one. Any thread. */
    public Left moves() {
        long slabs = 0;
        long bytes = 0;
        List<Donor> all = donors;
        for (int donor = 0; donor < all.size(); donor++) {
            Donor of = all.get(donor);
            if (of.givesBack()) {
                long held = 0;
                long pages = 0;
                for (int slab = 0; slab < map.slabs(); slab++) {
                    Placement at = map.placement(slab);
                    if (at != null && at.isAt(donor)) {
                        held++;
                        pages += map.pagesWritten(slab);
                    }
                }
                // Which ones go is not known yet: as full ones as the others.
                long go = of.emptied() ? held : Math.min(held, of.wantedBack());
                slabs += go;
                bytes += held == 0 ? 0 : pages * Protocol.PAGE_SIZE / held * go;
            }
        }
        return moves.left(slabs, bytes);
    }

    /** Copies that were added, for repair and for moves. Any thread. */
    public long filled() {
        return repair.done.sum() + moves.done.sum() + balancing.done.sum();
    }

    /** Bytes that were copied, for repair and for moves. Any thread. */
    public long filledBytes() {
        return repair.bytes() + moves.bytes() + balancing.bytes();
    }

    /** Slabs whose last fill failed; another one begins after a wait that grows. Any thread. */
    public int failing() {
        return failing;
    }

    /** Why that of one of them did; empty if there is none. Any thread. */
    public String whyFailing() {
        return whyFailing;
    }

    // On the loop.

    /** How many donors it knows. */
    int donors() {
        return donors.size();
    }

    /** All donors, by number, as there are more now. */
    void donors(List<Donor> all) {
        donors = all;
    }

    /** What a copy is added for. */
    enum For {
        /** There are too few. */
        REPAIR,
        /** A donor wants memory back. */
        MOVE,
        /** Another donor has more memory free. Nobody is told of that. */
        BALANCE
    }

    private Work work(For what) {
        return switch (what) {
            case REPAIR -> repair;
            case MOVE -> moves;
            case BALANCE -> balancing;
        };
    }

    void begun(Fill fill, For what) {
        work(what).begun(fill);
    }

    void ended(Fill fill, For what, boolean live) {
        work(what).ended(fill, live);
    }

    /** Takes note of the time. */
    void tick(long now, FillDelays delays) {
        failing = delays.size();
        whyFailing = delays.why();
        repair.tick(now, this);
        moves.tick(now, this);
        if (now - missingLookedAt >= MISSING_NANOS) {
            missingLookedAt = now;
            lookAtMissing();
        }
    }

    /** Copies are missing, and none was made since the last look: the log says so once, until some are made or none is missing. */
    private void lookAtMissing() {
        long missing = repair.active ? 0 : repair().slabs();
        if (missing == 0) {
            missingSeen = false;
            missingTold = false;
        } else if (!missingSeen) {
            missingSeen = true;
        } else if (!missingTold) {
            missingTold = true;
            LOG.warn(
                    "{} missing; {}",
                    missing == 1 ? "1 copy of a slab is" : missing + " copies of slabs are",
                    whyFailing.isEmpty()
                            ? "none is being made: donors have no room, or do not answer"
                            : "they cannot be made: " + whyFailing);
        }
    }

    private Left left(Work of) {
        return of == repair ? repair() : moves();
    }

    /** Repair, or moves. */
    private static final class Work {

        private final String name;
        private final String what;
        private final Set<Fill> underWay = ConcurrentHashMap.newKeySet();
        private final LongAdder done = new LongAdder();
        private final LongAdder ended = new LongAdder();
        private final long[] times = new long[SAMPLES];
        private final long[] sums = new long[SAMPLES];
        private int samples;
        private volatile long bytesASecond;

        /** Since when it goes on; what there was of it then. */
        private boolean active;

        private long since;
        private long bytesBefore;
        private long doneBefore;
        private long lookedAt;
        private boolean stuckTold;

        Work(String name, String what) {
            this.name = name;
            this.what = what;
        }

        Left left(long slabs, long bytes) {
            long copied = 0;
            for (Fill fill : underWay) {
                copied += fill.bytes();
            }
            return new Left(slabs, slabs == 0 ? 0 : Math.max(0, bytes - copied), bytesASecond);
        }

        long bytes() {
            long sum = ended.sum();
            for (Fill fill : underWay) {
                sum += fill.bytes();
            }
            return sum;
        }

        void begun(Fill fill) {
            underWay.add(fill);
        }

        void ended(Fill fill, boolean live) {
            ended.add(fill.bytes());
            underWay.remove(fill);
            if (live) {
                done.increment();
            }
        }

        void tick(long now, RepairProgress of) {
            int place = samples % SAMPLES;
            long sum = bytes();
            int oldest = samples < SAMPLES ? 0 : place;
            if (samples > 0 && now > times[oldest]) {
                bytesASecond = (long) ((sum - sums[oldest]) * NANOS_A_SECOND / (now - times[oldest]));
            }
            times[place] = now;
            sums[place] = sum;
            samples = samples == Integer.MAX_VALUE - SAMPLES ? SAMPLES + samples % SAMPLES : samples + 1;
            if (!active && !underWay.isEmpty()) {
                active = true;
                stuckTold = false;
                since = now;
                lookedAt = now;
                bytesBefore = sum;
                doneBefore = done.sum();
                Left left = of.left(this);
                LOG.info("{} begins: {} {}, with {} MiB of data", name, left.slabs(), what, left.bytes() >> 20);
            } else if (active && !underWay.isEmpty()) {
                lookedAt = now;
            } else if (active && now - lookedAt >= LOOK_AGAIN_NANOS) {
                look(now, of, sum);
            }
        }

        private void look(long now, RepairProgress of, long sum) {
            Left left = of.left(this);
            double seconds = (lookedAt - since) / NANOS_A_SECOND;
            if (left.slabs() == 0) {
                active = false;
                long bytes = sum - bytesBefore;
                LOG.info(
                        "{} is done: {} copies, {} MiB in {} s",
                        name,
                        done.sum() - doneBefore,
                        bytes >> 20,
                        String.format(Locale.ROOT, "%.1f", seconds));
            } else if (!stuckTold && now - lookedAt >= STUCK_NANOS) {
                stuckTold = true;
                LOG.warn(
                        "{} does not go on: {} {}; {}",
                        name,
                        left.slabs(),
                        what,
                        of.whyFailing.isEmpty() ? "no donor has room for them" : of.whyFailing);
            }
        }
    }
}
