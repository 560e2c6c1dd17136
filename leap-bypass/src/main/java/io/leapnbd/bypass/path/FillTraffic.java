package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Which pieces of fills are under way. What wants to begin waits here for its turn: until {@link RepairPace} lets it. Who takes part in less than half of what
 * may be under way goes first, and a quarter is left for those. So one slow donor does not hold up the others. For one loop's thread.
 */
final class FillTraffic {

    /** How often reads are looked at while something is filled. */
    private static final long LOOK_MILLIS = 10;

    private static final int SHARES = 2;

    /** Of 50 ms. */
    private static final int LOOPS_AGAIN_TICKS = 200;

    private final DeviceLoop loop;
    private final Supplier<Collection<DeviceLoop>> loops;
    private final long silentNanos;
    private final RepairPace pace;
    private final ArrayDeque<Piece> waiting = new ArrayDeque<>();

    /** By donor: bytes that are read there or written to it. */
    private final int[] atDonor;

    private int underWay;
    private long[] seen = new long[DemandLatencies.SIZES];
    private long[] next = new long[DemandLatencies.SIZES];
    private final long[] since = new long[DemandLatencies.SIZES];
    private boolean looking;

    /** The device's loops as they were a while ago: there are more while it starts. */
    private Collection<DeviceLoop> known = List.of();

    private int ticks;
    private boolean timed;
    private boolean pumping;

    /**
     * Nothing is under way.
     *
     * @param loops all of the device's, as of now
     * @param silentNanos a donor that was not heard for so long is not read from
     */
    FillTraffic(DeviceLoop loop, Supplier<Collection<DeviceLoop>> loops, long silentNanos) {
        this.loop = loop;
        this.loops = loops;
        this.silentNanos = silentNanos;
        pace = new RepairPace(loop.now());
        atDonor = new int[StateFile.MAX_DONORS];
    }

    /** Something that is copied from one donor to another. */
    interface Piece {

        /** Where it is read, chosen now; null if it need not be read. */
        @Nullable
        Member source();

        /** The donor that it is written to. */
        int target();

        /** How many bytes it is. */
        int bytes();

        /**
         * Begins. It says {@link FillTraffic#ended} at the end, once.
         *
         * @param from where it is read; null if it need not be
         */
        void begin(@Nullable Member from);
    }

    /** How many bytes a piece may have now. */
    int piece() {
        return pace.piece();
    }

    /** Bytes a second that may be copied now; {@link RepairPace#FULL} if there is no limit. */
    long rate() {
        return pace.rate();
    }

    /** Wants to begin; it does as soon as it may, possibly before this returns. */
    void await(Piece piece) {
        waiting.add(piece);
        if (!looking) {
            looking = true;
            known = loops.get();
            // Nobody has looked since the last tick.
            count();
            pace.quiet(loop.now(), since);
            loop.later(this::look, LOOK_MILLIS, TimeUnit.MILLISECONDS);
        }
        pump();
    }

    /**
     * One that began has ended.
     *
     * @param from what it was told when it began
     */
    void ended(Piece piece, @Nullable Member from) {
        int bytes = piece.bytes();
        underWay -= bytes;
        atDonor[piece.target()] -= bytes;
        if (from != null) {
            atDonor[from.donor()] -= bytes;
        }
        if (!waiting.isEmpty()) {
            loop.soon(this::pump);
        }
    }

    /** While nothing is filled it is seen how long reads take by themselves. */
    void tick() {
        if (!looking) {
            if (ticks++ % LOOPS_AGAIN_TICKS == 0) {
                known = loops.get();
            }
            count();
            pace.quiet(loop.now(), since);
        }
    }

    private void look() {
        count();
        pace.observe(loop.now(), since, least());
        if (loop.closed() || (underWay == 0 && waiting.isEmpty())) {
            looking = false;
        } else {
            loop.later(this::look, LOOK_MILLIS, TimeUnit.MILLISECONDS);
        }
        pump();
    }

    /** A donor that wants memory back for its own programs is served, whatever becomes of reads. */
    private long least() {
        for (int donor = 0; donor < loop.links(); donor++) {
            Donor of = loop.link(donor).donor();
            if (of.wantedBack() > 0) {
                return RepairPace.LEAST_FOR_WISHES;
            }
        }
        return RepairPace.LEAST;
    }

    private void count() {
        Arrays.fill(next, 0);
        for (DeviceLoop one : known) {
            one.demands().addTo(next);
        }
        for (int size = 0; size < since.length; size++) {
            since[size] = Math.max(0, next[size] - seen[size]);
        }
        long[] before = seen;
        seen = next;
        next = before;
    }

    private void pump() {
        if (pumping) {
            return;
        }
        pumping = true;
        try {
            while (!waiting.isEmpty() && beginOne()) {}
        } finally {
            pumping = false;
        }
    }

    private boolean beginOne() {
        if (loop.closed()) {
            start(waiting.removeFirst(), null);
            return true;
        }
        if (pace.paused()) {
            return false;
        }
        long wait = pace.waitNanos(loop.now());
        if (wait > 0) {
            if (!timed) {
                timed = true;
                loop.later(this::onTime, wait, TimeUnit.NANOSECONDS);
            }
            return false;
        }
        int most = pace.mostUnderWay();
        for (Iterator<Piece> all = waiting.iterator(); all.hasNext(); ) {
            Piece piece = all.next();
            if (underWay > 0 && underWay + piece.bytes() > most) {
                return false;
            }
            Member source = piece.source();
            if (hasShare(piece.target(), most) && (source == null || hasShare(source.donor(), most))) {
                all.remove();
                start(piece, source);
                return true;
            }
        }
        // Nobody else wants to begin: what is left for others is a quarter.
        Piece first = waiting.peekFirst();
        if (first == null || underWay + first.bytes() > most - most / 4) {
            return false;
        }
        waiting.removeFirst();
        start(first, first.source());
        return true;
    }

    private void onTime() {
        timed = false;
        pump();
    }

    private boolean hasShare(int donor, int most) {
        return atDonor[donor] <= most / SHARES;
    }

    private void start(Piece piece, @Nullable Member source) {
        int bytes = piece.bytes();
        underWay += bytes;
        atDonor[piece.target()] += bytes;
        if (source != null) {
            atDonor[source.donor()] += bytes;
        }
        pace.begun(loop.now(), bytes);
        piece.begin(source);
    }

    /**
     * The live copy whose donor has the least to do here, of those that answer.
     *
     * @param avoid the one that has just failed, if there is another; or null
     */
    Member source(Placement now, @Nullable Member avoid) {
        Member best = now.primary();
        long least = Long.MAX_VALUE;
        for (int i = 0; i < now.live(); i++) {
            Member member = now.member(i);
            int donor = member.donor();
            boolean unfit = member == avoid || !loop.link(donor).ready() || loop.isSilent(donor, silentNanos);
            long cost = (unfit ? Integer.MAX_VALUE : 0L) + atDonor[donor];
            if (cost < least) {
                best = member;
                least = cost;
            }
        }
        return best;
    }
}
