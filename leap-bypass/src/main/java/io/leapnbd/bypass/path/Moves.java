package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.donor.protocol.Protocol;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * Which copies go to other donors, because theirs want memory back, or an operator drains them (docs/replicas.md, "How a copy is moved"). The emptiest
 * slabs go first, of some at a time. For one loop's thread.
 */
final class Moves {

    /** Slabs among which the emptiest is chosen, at most. */
    private static final int CHOSEN_FROM = 1024;

    /** Pages of which the marks are counted for a choice, at most: 20 µs. */
    private static final long COUNTED_PAGES = 1 << 22;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final LeftCopies left;
    private final int window;

    /** By slab: the copy that is to go. */
    private final Map<Integer, Member> leaving = new HashMap<>();

    /** By donor: how many of these are there. */
    private final int[] underWay;

    private int from;

    /**
     * Nothing is to go yet.
     *
     * @param left copies whose memory is about to go home
     */
    Moves(DeviceLoop loop, AddressMap map, LeftCopies left) {
        this.loop = loop;
        this.map = map;
        this.left = left;
        window = Math.clamp(COUNTED_PAGES / (map.slabSize() / Protocol.PAGE_SIZE), 1, CHOSEN_FROM);
        underWay = new int[StateFile.MAX_DONORS];
    }

    /** Whether any donor wants more back than is on its way. */
    boolean anyWanted() {
        for (int donor = 0; donor < loop.links(); donor++) {
            if (wants(donor)) {
                return true;
            }
        }
        return false;
    }

    private boolean wants(int donor) {
        Donor of = loop.link(donor).donor();
        return of.givesBack()
                && loop.link(donor).ready()
                && (of.emptied() || of.wantedBack() > underWay[donor] + left.pending(donor));
    }

    /**
     * The emptiest slab of some that has a copy to go, all of whose copies are live; -1 if none of these has one, and then others are looked at the
     * next time.
     *
     * @param busy slabs that are not to be chosen
     * @param notYet whether one is not to be chosen for now
     */
    int next(Set<Integer> busy, IntPredicate notYet) {
        int slabs = map.slabs();
        int best = -1;
        long fewest = Long.MAX_VALUE;
        for (int i = 0; i < Math.min(window, slabs); i++) {
            int slab = (int) (((long) from + i) % slabs);
            Placement now = map.placement(slab);
            if (now != null
                    && wanted(now) != null
                    && !busy.contains(slab)
                    && !leaving.containsKey(slab)
                    && !notYet.test(slab)) {
                long pages = map.pagesWritten(slab);
                if (pages < fewest) {
                    best = slab;
                    fewest = pages;
                }
            }
        }
        if (best < 0) {
            from = (int) (((long) from + window) % slabs);
        }
        return best;
    }

    /** The copy of a slab that is wanted back and may go; null if there is none. */
    @Nullable
    Member wanted(Placement now) {
        if (!now.told() || now.live() < now.size()) {
            return null;
        }
        for (int i = 0; i < now.live(); i++) {
            if (wants(now.member(i).donor()) && mayGo(now, now.member(i))) {
                return now.member(i);
            }
        }
        return null;
    }

    /** What is at the member of last resort stays as long as no donor without a copy has room, so that it is in nobody's way. */
    private boolean mayGo(Placement now, Member member) {
        if (!loop.link(member.donor()).donor().lastResort()) {
            return true;
        }
        for (int donor = 0; donor < loop.links(); donor++) {
            Donor of = loop.link(donor).donor();
            if (!of.lastResort()
                    && of.freeSlabs() > 0
                    && of.takesSlabs()
                    && loop.link(donor).ready()
                    && !isAt(now, donor)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isAt(Placement now, int donor) {
        for (int i = 0; i < now.size(); i++) {
            if (now.member(i).donor() == donor) {
                return true;
            }
        }
        return false;
    }

    /** A copy is about to go. */
    void begin(int slab, Member member) {
        Member before = leaving.put(slab, member);
        if (before != null) {
            underWay[before.donor()]--;
        }
        underWay[member.donor()]++;
    }

    /**
     * Settles what nothing is done for: a slab that was about to lose the copy that is to go may have lost another one first, with its donor. Then that copy stays,
     * and may have to go later. Where nothing is to go this allocates nothing.
     *
     * @param busy slabs for which something is done
     * @param copies how many a slab has otherwise
     */
    void settleIdle(Set<Integer> busy, int copies) {
        if (!leaving.isEmpty()) {
            for (Integer slab : List.copyOf(leaving.keySet())) {
                if (!busy.contains(slab)) {
                    settle(slab, copies);
                }
            }
        }
    }

    /**
     * Whether a copy of a slab is to go. If it has gone, or its place has not been taken, it is not any more.
     *
     * @param copies how many a slab has otherwise
     */
    void settle(int slab, int copies) {
        Member member = leaving.get(slab);
        Placement now = map.placement(slab);
        if (member != null && (now == null || !now.has(member) || now.size() <= copies)) {
            leaving.remove(slab);
            underWay[member.donor()]--;
        }
    }

    /** The copy of a slab that is to go and is still there; null if there is none. */
    @Nullable
    Member leaving(int slab, Placement now) {
        Member meant = leaving.get(slab);
        return meant != null && now.has(meant) ? meant : null;
    }
}
