package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Brings slabs to as many copies as are wanted, in the background, and copies away from donors that want memory back (docs/replicas.md). A move is two of
 * these: a copy more elsewhere, and then one less. Looks at
 * some slabs at every tick of one loop, and at those that are known to have lost a copy first. For that loop's thread, but for {@link
 * #thinned}, {@link #dropped} and the figures.
 */
public final class Repair {

    private static final int LOOKED_AT_A_TICK = 1024;
    private static final int MOST_UNDER_WAY = Fills.MOST;
    private static final int MOST_A_TICK = 64;

    /** After no donor had room for a copy, none is asked for so long. */
    private static final long NO_ROOM_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** At most one slab in so long goes to where more memory is free. */
    private static final long BALANCE_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** After something else was to be done, none goes for so long. */
    private static final long QUIET_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** A donor that is silent for so many times {@code --member-timeout} loses its copies, whether they are written to or not. */
    private static final int SILENT_TIMES = 10;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final SlabAllocator allocator;
    private final PlacementChanges placing;
    private final FillTraffic traffic;
    private final Fills fills;
    private final RepairProgress progress;
    private final long memberTimeoutNanos;
    private final Queue<Integer> thin = new ConcurrentLinkedQueue<>();
    private final LeftCopies left;
    private final Moves moves;
    private final BlankSlabs blanks;
    private final List<Integer> later = new ArrayList<>();

    /** Whether the slab that was just looked at needs a copy that may not be begun yet. */
    private boolean putOff;

    private final Set<Integer> underWay = new HashSet<>();
    private final LongAdder moved = new LongAdder();
    private final LongAdder balanced = new LongAdder();
    private final Balancing balancing;
    private long balanceAt;
    private int balancedSlab = -1;
    private volatile boolean noRoomToMove;

    /** By donor, as of the last tick: whether it was connected and heard; and which process it was when it last came to be. */
    private final boolean[] well;

    private final @Nullable UUID[] met;

    /** By donor, as of this tick: whether it has been silent for so long that its copies are left out. */
    private final boolean[] silent;

    private boolean anySilent;
    private boolean goingOn;
    private long noRoomUntil;
    private int cursor;

    /**
     * Of one device, on one of its loops.
     *
     * @param loops all of them, as of now
     */
    public Repair(
            DeviceLoop loop,
            Supplier<Collection<DeviceLoop>> loops,
            AddressMap map,
            WriteOrder order,
            Versions versions,
            SlabAllocator allocator,
            PlacementChanges placing,
            SlabLosses losses,
            Mending mending,
            long memberTimeoutNanos) {
        this.loop = loop;
        noRoomUntil = loop.now();
        silent = new boolean[StateFile.MAX_DONORS];
        this.map = map;
        this.allocator = allocator;
        this.placing = placing;
        this.memberTimeoutNanos = memberTimeoutNanos;
        well = new boolean[StateFile.MAX_DONORS];
        met = new @Nullable UUID[StateFile.MAX_DONORS];
        traffic = new FillTraffic(loop, loops, memberTimeoutNanos);
        progress = new RepairProgress(map, loop.donors(), allocator::copies);
        FillTools tools = new FillTools(loop, map, order, versions, mending, losses, traffic, memberTimeoutNanos);
        fills = new Fills(tools, allocator, placing, this::dropped, progress);
        left = new LeftCopies(loop, loops, allocator);
        moves = new Moves(loop, map, left);
        balancing = new Balancing(loop, map, allocator);
        balanceAt = loop.now() + QUIET_NANOS;
        blanks = new BlankSlabs(
                loop, map, order, allocator, losses, versions, left, loops, memberTimeoutNanos, this::thinned);
    }

    /** A slab has lost a copy, and has others. Any thread. */
    public void thinned(int slab) {
        boolean _ = thin.add(slab);
    }

    /** A copy is not used any more, and its donor may still hold it. Any thread. */
    public void dropped(PlacementChanges.Dropped copy) {
        left.add(copy);
        thinned(copy.slab());
    }

    /** How far it is. Any thread. */
    public RepairProgress progress() {
        return progress;
    }

    /** Copies that have gone from a donor that wanted memory back. Any thread. */
    public long moved() {
        return moved.sum();
    }

    /** Whether a donor holds nothing of this device, nor is asked to. On the loop. */
    public boolean isEmpty(int donor) {
        return !allocator.isAsked(donor) && left.pending(donor) == 0 && map.copiesAt(donor) == 0;
    }

    /** Copies that were begun to be moved to where more memory is free. Any thread. */
    public long balanced() {
        return balanced.sum();
    }

    /** Slabs that went home because nothing is in them. Any thread. */
    public long givenBack() {
        return blanks.given();
    }

    /** Whether anything of the device is at a donor, by its number, or may still be in use there. On the loop. */
    public boolean anyAt(int donor) {
        return map.copiesAt(donor) > 0
                || (left.pending(donor) > 0 && loop.link(donor).donor().up());
    }

    /** Whether a donor wants memory back, and no other had room when it was last looked for. Any thread. */
    public boolean noRoomToMove() {
        return noRoomToMove;
    }

    /** Does what can be done now. Where nothing is to be done this allocates nothing. */
    public void tick() {
        anySilent = false;
        for (int donor = 0; donor < loop.links(); donor++) {
            silent[donor] = loop.link(donor).donor().use() != Donor.Use.GONE
                    && loop.isSilent(donor, SILENT_TIMES * memberTimeoutNanos);
            anySilent |= silent[donor];
        }
        meetDonors();
        traffic.tick();
        if (progress.donors() != loop.links()) {
            progress.donors(loop.donors());
        }
        progress.tick(loop.now(), fills.delays());
        left.tick();
        blanks.tick(underWay);
        moves.settleIdle(underWay, allocator.copies());
        lookAtThin();
        for (int i = 0; i < Math.min(LOOKED_AT_A_TICK, map.slabs()) && underWay.size() < MOST_UNDER_WAY; i++) {
            look(cursor);
            cursor = cursor + 1 == map.slabs() ? 0 : cursor + 1;
        }
        move();
        balance();
    }

    /** Moves a slab to where more memory is free, slowly, when nothing else has been to be done for a while. */
    private void balance() {
        long now = loop.now();
        boolean own = underWay.size() == 1 && underWay.contains(balancedSlab);
        if (anySilent || !thin.isEmpty() || (!underWay.isEmpty() && !own) || moves.anyWanted()) {
            balanceAt = now + QUIET_NANOS;
            return;
        }
        if (own || now - balanceAt < 0) {
            return;
        }
        balanceAt = now + BALANCE_NANOS;
        Balancing.Move move = balancing.next();
        if (move != null && move.now().size() < Placement.MAX_MEMBERS) {
            balancedSlab = move.slab();
            moves.begin(move.slab(), move.leaving());
            balanced.increment();
            add(move.slab(), move.now(), move.leaving(), move.to());
        }
    }

    /** A donor that has come back, or has begun anew, is used at once: what found no room, or nobody to read from, is tried again. */
    private void meetDonors() {
        for (int donor = 0; donor < loop.links(); donor++) {
            boolean now = loop.link(donor).ready() && !loop.isSilent(donor, memberTimeoutNanos);
            UUID process = loop.link(donor).donor().incarnation();
            if (now && (!well[donor] || !Objects.equals(process, met[donor]))) {
                noRoomUntil = loop.now();
                fills.donorCameBack();
                met[donor] = process;
            }
            well[donor] = now;
        }
    }

    /** One has ended: what comes next need not wait for a tick. */
    private void goOn() {
        goingOn = false;
        lookAtThin();
        move();
    }

    private void lookAtThin() {
        for (int rest = Math.min(MOST_A_TICK, thin.size()); rest > 0 && underWay.size() < MOST_UNDER_WAY; rest--) {
            Integer slab = thin.poll();
            if (slab != null) {
                look(slab);
                if (putOff) {
                    boolean _ = later.add(slab);
                }
            }
        }
        boolean _ = thin.addAll(later);
        later.clear();
    }

    /** Begins to move what donors want back, as long as there is room elsewhere. */
    private void move() {
        if (!moves.anyWanted()) {
            noRoomToMove = false;
            return;
        }
        while (underWay.size() < MOST_UNDER_WAY && loop.now() - noRoomUntil >= 0) {
            int slab = moves.next(underWay, one -> fills.delays().waits(one, loop.now()));
            Placement now = slab < 0 ? null : map.placement(slab);
            Member leaving = now == null ? null : moves.wanted(now);
            if (now == null || leaving == null || !fills.mayBegin(slab, now)) {
                return;
            }
            moves.begin(slab, leaving);
            if (now.size() <= allocator.copies() && now.size() < Placement.MAX_MEMBERS) {
                add(slab, now, leaving, DonorChoice.NONE);
                if (!underWay.contains(slab)) {
                    // Nobody was asked: all that might have room have enough to do.
                    return;
                }
            } else {
                begin(slab);
                placing.release(slab, leaving, loop, soon(), done -> released(slab, done));
            }
        }
    }

    private void look(int slab) {
        putOff = false;
        Placement now = map.placement(slab);
        if (now == null || isWell(slab, now) || underWay.contains(slab)) {
            return;
        }
        List<Member> leaving = new ArrayList<>();
        boolean anyHeard = false;
        for (int i = 0; i < now.size(); i++) {
            boolean mute = silent[now.member(i).donor()];
            anyHeard |=
                    !mute && i < now.live() && loop.link(now.member(i).donor()).ready();
            if (mute) {
                leaving.add(now.member(i));
            }
        }
        if (!anyHeard) {
            return;
        }
        if (!leaving.isEmpty() || !now.told()) {
            begin(slab);
            placing.leaveOut(slab, leaving, loop, soon(), done -> ended(slab, done));
            return;
        }
        for (int i = now.live(); i < now.size(); i++) {
            Member member = now.member(i);
            if (loop.isSilent(member.donor(), memberTimeoutNanos)) {
                continue;
            }
            begin(slab);
            if (now.state(i) == State.COMPLETE) {
                placing.promote(slab, member, loop, soon(), done -> ended(slab, done));
            } else {
                // A fill that was given up.
                placing.leaveOut(slab, List.of(member), loop, soon(), done -> ended(slab, done));
            }
            return;
        }
        Member moved = moves.leaving(slab, now);
        if (now.size() > allocator.copies() && moved != null) {
            begin(slab);
            placing.release(slab, moved, loop, soon(), done -> released(slab, done));
        } else if (now.size() < allocator.copies() && loop.now() - noRoomUntil >= 0) {
            if (fills.mayBegin(slab, now)) {
                add(slab, now, null, DonorChoice.NONE);
            } else {
                putOff = true;
            }
        }
    }

    private void released(int slab, boolean done) {
        if (done) {
            moved.increment();
        }
        ended(slab, done);
    }

    /** Whether a slab has all its copies and none that is to go, and all of them are live and heard of. */
    private boolean isWell(int slab, Placement now) {
        if (now.live() > allocator.copies() && moves.leaving(slab, now) != null) {
            return false;
        }
        if (now.live() < allocator.copies() || now.live() < now.size() || !now.told()) {
            return false;
        }
        for (int i = 0; anySilent && i < now.size(); i++) {
            if (silent[now.member(i).donor()]) {
                // One copy that is silent is waited for.
                return now.size() == 1;
            }
        }
        return true;
    }

    private long soon() {
        return loop.deadline(loop.now());
    }

    private void begin(int slab) {
        boolean _ = underWay.add(slab);
    }

    private void ended(int slab, boolean done) {
        boolean _ = underWay.remove(slab);
        moves.settle(slab, allocator.copies());
        if (done) {
            thinned(slab);
            if (!goingOn) {
                goingOn = true;
                loop.soon(this::goOn);
            }
        }
    }

    private void add(int slab, Placement now, @Nullable Member leaving, int to) {
        boolean wanted = leaving != null && to == DonorChoice.NONE;
        begin(slab);
        fills.add(slab, now, leaving, to, how -> {
            if (wanted && how != Fills.End.CROWDED) {
                noRoomToMove = how == Fills.End.NO_ROOM;
            }
            if (how == Fills.End.NO_ROOM && to == DonorChoice.NONE) {
                noRoomUntil = loop.now() + NO_ROOM_NANOS;
            }
            ended(slab, how == Fills.End.LIVE || how == Fills.End.NOT_FILLED);
            if (how == Fills.End.CROWDED) {
                thinned(slab);
            }
        });
    }
}
