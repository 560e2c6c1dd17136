package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntConsumer;
import java.util.function.Supplier;

/**
 * Gives slabs of which no page is written or lost back to their donors (docs/replicas.md, "How a blank slab is given back"). That takes the whole slab alone in
 * the {@link WriteOrder} until the donors have answered: a write that comes meanwhile waits, and finds a slab that is nowhere. For one loop's
 * thread, but for the figures.
 */
final class BlankSlabs {

    private static final int LOOKED_AT_A_TICK = 128;

    /** A slab has to be blank for so long: one that is about to be written again is not worth the way. */
    private static final long BLANK_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final DeviceLoop loop;
    private final AddressMap map;
    private final WriteOrder order;
    private final SlabAllocator allocator;
    private final SlabLosses losses;
    private final Versions versions;
    private final LeftCopies left;
    private final Supplier<Collection<DeviceLoop>> loops;
    private final long answerNanos;
    private final IntConsumer ended;
    private final LongAdder given = new LongAdder();

    /** By slab: since when it has been seen blank. */
    private final Map<Integer, Long> blankSince = new HashMap<>();

    private boolean giving;
    private int cursor;

    /**
     * None yet.
     *
     * @param loops all of the device's, as of now
     * @param answerNanos how long a donor may take to answer
     * @param ended told of each slab that may be looked at by others again
     */
    BlankSlabs(
            DeviceLoop loop,
            AddressMap map,
            WriteOrder order,
            SlabAllocator allocator,
            SlabLosses losses,
            Versions versions,
            LeftCopies left,
            Supplier<Collection<DeviceLoop>> loops,
            long answerNanos,
            IntConsumer ended) {
        this.loop = loop;
        this.map = map;
        this.order = order;
        this.allocator = allocator;
        this.losses = losses;
        this.versions = versions;
        this.left = left;
        this.loops = loops;
        this.answerNanos = answerNanos;
        this.ended = ended;
    }

    /** Slabs that were given back. Any thread. */
    long given() {
        return given.sum();
    }

    /**
     * Looks at the slabs of which something was trimmed. Where there are none this allocates nothing.
     *
     * @param busy slabs that something else is done with; one that is given back is added for as long as that takes
     */
    void tick(Set<Integer> busy) {
        TrimmedSlabs trimmed = allocator.trimmed();
        long now = loop.now();
        for (int left = LOOKED_AT_A_TICK; left > 0 && !giving; left--) {
            int slab = trimmed.next(cursor);
            if (slab < 0) {
                cursor = 0;
                return;
            }
            cursor = slab + 1;
            look(slab, busy, now);
        }
    }

    private void look(int slab, Set<Integer> busy, long now) {
        // First, so that a trim that comes meanwhile has it looked at again.
        allocator.trimmed().remove(slab);
        Placement at = map.placement(slab);
        if (at == null || !isBlank(slab)) {
            blankSince.remove(slab);
            return;
        }
        allocator.trimmed().add(slab);
        boolean _ = blankSince.putIfAbsent(slab, now) == null;
        boolean longEnough = now - blankSince.getOrDefault(slab, now) >= BLANK_NANOS;
        if (!busy.contains(slab) && isWell(at) && (longEnough || wantedBack(at)) && takeAlone(slab)) {
            giving = true;
            boolean _ = busy.add(slab);
            CopiesInUse.find(loops.get(), loop, used -> begin(slab, at, used, busy));
        }
    }

    private boolean isBlank(int slab) {
        return !map.damaged(slab) && !map.anyWritten(start(slab), map.slabSize());
    }

    /** Whether all copies are live, told, and their donors answer. */
    private boolean isWell(Placement at) {
        boolean well = at.told() && at.live() == at.size();
        for (int i = 0; i < at.size(); i++) {
            int donor = at.member(i).donor();
            well = well && loop.link(donor).ready() && !loop.isSilent(donor, answerNanos);
        }
        return well;
    }

    private boolean wantedBack(Placement at) {
        for (int i = 0; i < at.size(); i++) {
            Donor donor = loop.link(at.member(i).donor()).donor();
            if (donor.emptied()
                    || donor.wantedBack() > left.pending(at.member(i).donor())) {
                return true;
            }
        }
        return false;
    }

    private long start(int slab) {
        return (long) slab * map.slabSize();
    }

    /** Takes every group of a slab, or none. */
    private boolean takeAlone(int slab) {
        for (long at = start(slab); at < start(slab + 1); at += Fill.GROUP) {
            if (!order.beginAlone(at, ChangePath.NO_TICKET)) {
                letGo(slab, at);
                return false;
            }
        }
        return true;
    }

    private void letGo(int slab, long end) {
        for (long at = start(slab); at < end; at += Fill.GROUP) {
            order.endAlone(at);
        }
    }

    private void begin(int slab, Placement at, Set<Member> used, Set<Integer> busy) {
        if (map.placement(slab) != at
                || !isBlank(slab)
                || !isWell(at)
                || at.members().stream().anyMatch(used::contains)) {
            end(slab, busy);
        } else {
            new Return(slab, at, busy).ask();
        }
    }

    private void end(int slab, Set<Integer> busy) {
        letGo(slab, start(slab + 1));
        giving = false;
        boolean _ = busy.remove(slab);
        blankSince.remove(slab);
        ended.accept(slab);
    }

    /** One slab on its way home. */
    private final class Return {

        private final int slab;
        private final Placement at;
        private final Set<Integer> busy;
        private final List<Member> gone = new ArrayList<>();
        private int open;

        Return(int slab, Placement at, Set<Integer> busy) {
            this.slab = slab;
            this.at = at;
            this.busy = busy;
            open = at.size();
        }

        void ask() {
            for (Member member : at.members()) {
                boolean asked = allocator.giveBackUsed(
                        slab, loop, member, at.generation(), answerNanos, how -> answered(member, how));
                if (!asked) {
                    answered(member, Outcome.UNREACHABLE);
                }
            }
        }

        private void answered(Member member, Outcome how) {
            if (how == Outcome.OK || how == Outcome.LOST) {
                gone.add(member);
            }
            if (--open > 0) {
                return;
            }
            if (gone.size() == at.size() && map.unmap(slab, at)) {
                given.increment();
                allocator.trimmed().remove(slab);
                // There are many at a time, and a tick is long.
                loop.soon(() -> tick(busy));
            } else {
                // A copy whose donor has not answered may be freed late, unless it is told of a higher generation
                // before it is written to.
                boolean _ = map.place(slab, at, at.withDoubt(List.of(), versions.nextGrant()));
                gone.forEach(one -> losses.takenBack(slab, one));
            }
            end(slab, busy);
        }
    }
}
