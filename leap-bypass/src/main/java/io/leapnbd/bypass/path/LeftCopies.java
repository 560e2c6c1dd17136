package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.path.PlacementChanges.Dropped;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.Supplier;

/**
 * Gives the memory of copies back that were left out: each when no request uses it any more, and its donor answers. For one loop's thread, but for
 * {@link #add}.
 */
final class LeftCopies {

    private static final int MOST_A_TICK = 256;

    private final DeviceLoop loop;
    private final Supplier<Collection<DeviceLoop>> loops;
    private final SlabAllocator allocator;
    private final Queue<Dropped> toFree = new ConcurrentLinkedQueue<>();

    /** By donor: copies that it may still hold. */
    private final AtomicIntegerArray pending;

    private boolean asking;

    /**
     * None yet.
     *
     * @param loops all of the device's, as of now
     */
    LeftCopies(DeviceLoop loop, Supplier<Collection<DeviceLoop>> loops, SlabAllocator allocator) {
        this.loop = loop;
        this.loops = loops;
        this.allocator = allocator;
        pending = new AtomicIntegerArray(StateFile.MAX_DONORS);
    }

    /** A copy is not used any more, and its donor may still hold it. Any thread. */
    void add(Dropped copy) {
        int _ = pending.incrementAndGet(copy.member().donor());
        allocator.expectFreed(1);
        boolean _ = toFree.add(copy);
    }

    /** How many its donor may still hold. */
    int pending(int donor) {
        return pending.get(donor);
    }

    /** Does what can be done now. Where nothing is to be done this allocates nothing. */
    void tick() {
        if (asking || toFree.isEmpty()) {
            return;
        }
        List<Dropped> batch = new ArrayList<>();
        for (int left = MOST_A_TICK; left > 0; left--) {
            Dropped copy = toFree.poll();
            if (copy == null) {
                break;
            }
            if (isGone(copy.member())) {
                forget(copy);
            } else {
                batch.add(copy);
            }
        }
        if (!batch.isEmpty()) {
            asking = true;
            CopiesInUse.find(loops.get(), loop, used -> free(batch, used));
        }
    }

    private boolean isGone(Member member) {
        return !loop.link(member.donor()).donor().standing().isOf(member.incarnation());
    }

    private void free(List<Dropped> batch, Set<Member> used) {
        asking = false;
        for (Dropped copy : batch) {
            Member member = copy.member();
            boolean asked = !used.contains(member)
                    && loop.link(member.donor()).ready()
                    && allocator.giveBack(copy.slab(), loop, member, copy.generation(), how -> ended(copy, how));
            if (!asked) {
                boolean _ = toFree.add(copy);
            }
        }
    }

    private void ended(Dropped copy, Outcome how) {
        switch (how) {
            case OK, LOST -> forget(copy);
            case UNREACHABLE -> {
                // If it was done all the same, it is lost the next time.
                boolean _ = toFree.add(copy);
            }
            case FENCED, NO_SPACE, STALE, REFUSED -> {
                forget(copy);
                SlabAllocator.notGivenBack(copy.slab(), copy.member());
            }
        }
    }

    private void forget(Dropped copy) {
        int _ = pending.decrementAndGet(copy.member().donor());
        allocator.expectFreed(-1);
    }
}
