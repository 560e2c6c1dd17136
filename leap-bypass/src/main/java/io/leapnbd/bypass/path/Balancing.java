package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Which copy goes to a donor that has more memory free (docs/replicas.md, "How slabs are balanced"). For one loop's thread. */
final class Balancing {

    /** Slabs that are looked at for one move. */
    private static final int LOOKED_AT = 1024;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final SlabAllocator allocator;
    private int from;

    Balancing(DeviceLoop loop, AddressMap map, SlabAllocator allocator) {
        this.loop = loop;
        this.map = map;
        this.allocator = allocator;
    }

    /**
     * One copy that is to go.
     *
     * @param slab of the device
     * @param now where that is
     * @param leaving the copy
     * @param to number of the donor that is to get it
     */
    record Move(int slab, Placement now, Member leaving, int to) {}

    /** The copy that goes next: of some slabs, the one with the fewest pages. Null if none of these is to go; then others are looked at the next time. */
    @Nullable
    Move next() {
        List<Rebalance.Way> ways = Rebalance.ways(rooms());
        if (ways.isEmpty()) {
            return null;
        }
        int slabs = map.slabs();
        for (Rebalance.Way way : ways) {
            Move best = null;
            long fewest = Long.MAX_VALUE;
            for (int i = 0; i < Math.min(LOOKED_AT, slabs); i++) {
                int slab = (int) (((long) from + i) % slabs);
                Placement now = map.placement(slab);
                Member leaving = now == null ? null : movable(now, way);
                if (now != null && leaving != null) {
                    long pages = map.pagesWritten(slab);
                    if (pages < fewest) {
                        fewest = pages;
                        best = new Move(slab, now, leaving, way.to());
                    }
                }
            }
            if (best != null) {
                return best;
            }
        }
        from = (int) (((long) from + LOOKED_AT) % slabs);
        return null;
    }

    private List<Rebalance.Room> rooms() {
        List<Rebalance.Room> rooms = new ArrayList<>();
        for (int donor = 0; donor < loop.links(); donor++) {
            Donor of = loop.link(donor).donor();
            if (!of.lastResort()
                    && loop.link(donor).ready()
                    && of.takesSlabs()
                    && of.wantedBack() == 0
                    && of.totalSlabs() > 0) {
                rooms.add(new Rebalance.Room(donor, map.copiesAt(donor), of.freeSlabs(), of.totalSlabs()));
            }
        }
        return rooms;
    }

    /** The copy that may go a way, of a slab that is well; null if there is none. */
    private @Nullable Member movable(Placement now, Rebalance.Way way) {
        if (!now.told() || now.live() < now.size() || now.size() > allocator.copies()) {
            return null;
        }
        Member leaving = null;
        List<Member> stay = new ArrayList<>(now.members());
        for (int i = 0; i < now.size(); i++) {
            if (now.member(i).donor() == way.from()) {
                leaving = now.member(i);
                stay.remove(leaving);
            }
        }
        return allocator.onMachineOf(way.to(), stay) ? null : leaving;
    }
}
