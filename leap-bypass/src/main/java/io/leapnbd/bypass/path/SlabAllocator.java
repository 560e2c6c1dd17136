package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.nbd.spi.NbdError;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds memory for slabs on their first write. {@link DonorChoice} chooses a donor; one that refuses, or does not answer within
 * {@link #GRANT_NANOS}, is left out and another one asked. When no donor with room is connected it is tried again for as long as
 * anybody waits. A write fails for want of room when every donor has refused since the last time that a copy was given back. A grant that comes late is used if the slab is still wanted, and is given back otherwise.
 *
 * <p>Shared by all loops. An allocation is driven by the loop that wanted the slab first.
 */
public final class SlabAllocator {

    private static final Logger LOG = LoggerFactory.getLogger(SlabAllocator.class);
    private static final long RETRY_MILLIS = 100;

    /** So long a donor has to answer a grant before another one is asked too. */
    static final long GRANT_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final AddressMap map;
    private final Versions versions;
    private volatile int copies;
    private final long placeNanos;
    private final DonorChoice choice;
    private final TrimmedSlabs trimmed;
    private final AtomicInteger leaving = new AtomicInteger();

    /** How many copies donors have been asked to take back, and have answered. */
    private final AtomicLong freed = new AtomicLong();

    private final LongAdder failures = new LongAdder();
    private final AtomicBoolean noRoomForSeals = new AtomicBoolean();
    private final Map<Integer, Allocation> allocations = new ConcurrentHashMap<>();

    /**
     * For one device.
     *
     * @param machines the machine that each donor is on
     * @param copies how many copies a slab gets, where there are as many machines with room; 1 to {@link Placement#MAX_MEMBERS}
     * @param placeNanos how long a donor may take to be told of the other copies
     */
    public SlabAllocator(AddressMap map, Versions versions, int[] machines, int copies, long placeNanos) {
        this(map, versions, machines, copies, placeNanos, new SplittableRandom());
    }

    /** Likewise, with what donors are drawn by. */
    SlabAllocator(
            AddressMap map, Versions versions, int[] machines, int copies, long placeNanos, RandomGenerator random) {
        this.map = map;
        this.versions = versions;
        this.copies = copies;
        this.placeNanos = placeNanos;
        choice = new DonorChoice(machines, random);
        trimmed = new TrimmedSlabs(map.slabs());
    }

    /** How many copies a slab gets. Any thread. */
    public int copies() {
        return copies;
    }

    /** Says how many copies slabs get from now on, and those that are somewhere in the background. Any thread. */
    public void copies(int number) {
        copies = number;
    }

    /** A donor was added; before any loop may choose it. Any thread. */
    public void onMachine(int donor, int machine) {
        choice.onMachine(donor, machine);
    }

    /**
     * So many more copies are about to be given back, or donors about to come, or fewer: as long as there are any, there may be room soon. Any
     * thread.
     */
    public void expectFreed(int more) {
        int _ = leaving.addAndGet(more);
    }

    /** Whether any of some copies is on a donor's machine. */
    boolean onMachineOf(int donor, List<Member> copies) {
        return choice.onMachineOf(donor, copies);
    }

    /** Slabs that may need no memory any more. */
    TrimmedSlabs trimmed() {
        return trimmed;
    }

    /** Writes that failed because no donor had room, or the state folder had none for seals. */
    public long failures() {
        return failures.sum();
    }

    /**
     * Waits for a slab to be mapped, and has it allocated if nobody does yet. On the loop of {@code wait}.
     *
     * @param wait ended exactly once, possibly before this returns, if this returns true; or before, by its deadline
     * @return false if the slab is mapped already
     */
    boolean await(int slab, SlabWaits.Wait wait) {
        while (map.placement(slab) == null) {
            Allocation present = allocations.get(slab);
            if (present == null) {
                Allocation fresh = new Allocation(slab, copies, wait.loop());
                if (fresh.add(wait) && allocations.putIfAbsent(slab, fresh) == null) {
                    begin(fresh);
                    return true;
                }
            } else if (present.add(wait)) {
                return true;
            } else {
                // It has ended, and whoever ended it is about to take it out.
                boolean _ = allocations.remove(slab, present);
            }
        }
        return false;
    }

    private void begin(Allocation allocation) {
        if (map.placement(allocation.slab) != null) {
            // Another one has ended since this was looked at.
            end(allocation, 0);
        } else if (map.reserveSeals(allocation.slab)) {
            tryAll(allocation);
        } else {
            if (noRoomForSeals.compareAndSet(false, true)) {
                LOG.error(
                        "there is no room in the state folder for the seals of slab {}: writes to it and to other new slabs fail;"
                                + " make room there, or start anew with another --state-dir or --seals off",
                        allocation.slab);
            }
            failures.increment();
            end(allocation, NbdError.ENOSPC.code());
        }
    }

    /** Every donor may be asked, also one that has refused before. */
    private void tryAll(Allocation allocation) {
        allocation.refused.clear();
        allocation.freedBefore = freed.get();
        attempt(allocation);
    }

    private void attempt(Allocation allocation) {
        if (allocation.over()) {
            return;
        }
        DeviceLoop loop = allocation.loop;
        int chosen = choice.choose(allocation.slab, loop, allocation.refused, allocation.granted);
        if (chosen == DonorChoice.NONE && allocation.granted.isEmpty() && inNeed(allocation)) {
            chosen = choice.chooseLastResort(allocation.slab, loop, allocation.refused, allocation.granted);
        }
        if (chosen == DonorChoice.NONE && allocation.granted.isEmpty() && full(allocation)) {
            chosen = choice.chooseFull(allocation.slab, loop, allocation.refused);
        }
        if (chosen == DonorChoice.NONE) {
            if (allocation.granted.isEmpty()) {
                retryOrFail(allocation);
            } else {
                // With fewer copies than wanted; more are added when there is room.
                placeAll(allocation);
            }
            return;
        }
        DonorLink link = loop.link(chosen);
        LinkRequest request = loop.newRequest();
        request.grant(allocation.slab, versions.nextGrant(), allocation.copies > 1);
        // So that a server without this one's state file does not take lost pages for blank ones.
        long[] lost = lost(allocation);
        request.lost = lost.length > 0 ? lost : null;
        request.startNanos = loop.now();
        request.deadlineNanos = loop.deadline(request.startNanos);
        Grant grant = new Grant(allocation, chosen);
        request.completion = grant::ended;
        loop.post(request, chosen);
        link.flush();
        if (!grant.answered) {
            loop.later(grant::late, GRANT_NANOS, TimeUnit.NANOSECONDS);
        }
    }

    /** Whether no donor has room, or none has given any for so long as a grant may take. */
    private boolean inNeed(Allocation allocation) {
        return allocation.loop.now() - allocation.begun >= GRANT_NANOS
                || (leaving.get() == 0 && choice.allDonorsFull(allocation.slab, allocation.loop));
    }

    private long[] lost(Allocation allocation) {
        long[] lost = allocation.lost;
        if (lost == null) {
            lost = map.damaged(allocation.slab) ? map.lostPages(allocation.slab) : new long[0];
            allocation.lost = lost;
        }
        return lost;
    }

    /**
     * Asks a donor for a copy of a slab that has others already, once.
     *
     * @param leaving the copy that it is to take the place of, so that it may be on the same machine, and not at the same donor; null for none
     * @param to the only donor that is asked; {@link DonorChoice#NONE} for any
     * @param crowded donors that are not to be asked now
     * @param need whether the member of last resort will do, if no donor has room
     * @param lost pages that are lost, as {@link AddressMap#lostPages} has them
     * @param end told the copy, which is to be filled; null if no donor on another machine gives one
     */
    void grantFilling(
            int slab,
            DeviceLoop loop,
            Placement present,
            @Nullable Member leaving,
            int to,
            BitSet crowded,
            boolean need,
            long[] lost,
            Consumer<@Nullable Member> end) {
        BitSet refused = (BitSet) crowded.clone();
        if (to != DonorChoice.NONE) {
            refused.set(0, StateFile.MAX_DONORS);
            refused.clear(to);
        }
        List<Member> stay = new ArrayList<>(present.members());
        if (leaving != null) {
            refused.set(leaving.donor());
            stay.remove(leaving);
        }
        int found = choice.choose(slab, loop, refused, stay);
        int chosen = found == DonorChoice.NONE && need
                ? choice.chooseLastResort(slab, loop, refused, present.members())
                : found;
        if (chosen == DonorChoice.NONE) {
            end.accept(null);
            return;
        }
        LinkRequest request = loop.newRequest();
        request.grant(slab, versions.nextGrant(), true);
        request.lost = lost.length == 0 ? null : lost;
        request.startNanos = loop.now();
        request.deadlineNanos = loop.deadline(request.startNanos);
        request.completion = (done, now) -> {
            UUID process = done.incarnation;
            Member granted = done.outcome == LinkRequest.Outcome.OK && process != null
                    ? new Member(chosen, process, done.grantedHandle, done.version)
                    : null;
            loop.release(done);
            choice.answered(slab, chosen, false);
            end.accept(granted);
        };
        loop.post(request, chosen);
        loop.link(chosen).flush();
    }

    /** Whether a donor is being asked for a slab. Any thread. */
    boolean isAsked(int donor) {
        return choice.isAsked(donor);
    }

    private void retryOrFail(Allocation allocation) {
        if (allocation.endIfForgotten(allocation.loop.now())) {
            boolean _ = allocations.remove(allocation.slab, allocation);
            failed(allocation, false);
        } else if (full(allocation) && freed.get() == allocation.freedBefore) {
            failed(allocation, true);
            end(allocation, NbdError.ENOSPC.code());
        } else {
            allocation.loop.later(() -> tryAll(allocation), RETRY_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    /** Whether every donor has said that it has no room. Some may have said so before others' answers, or long ago. */
    private boolean full(Allocation allocation) {
        return leaving.get() == 0 && choice.allFull(allocation.slab, allocation.loop);
    }

    private void failed(Allocation allocation, boolean full) {
        if (failures.sum() == 0) {
            LOG.warn(
                    "no memory for slab {}: {}; writes to it fail until there is",
                    allocation.slab,
                    full ? "every donor is full" : "no donor with free slabs can be reached");
        }
        failures.increment();
    }

    private void end(Allocation allocation, int error) {
        boolean _ = allocations.remove(allocation.slab, allocation);
        allocation.end(error);
    }

    /**
     * Gives back what was granted and is not wanted, unless it is what the slab has, or will have.
     *
     * @return whether the donor is being asked; not if it owes another answer about this slab
     */
    boolean giveBack(int slab, DeviceLoop loop, Member surplus, long generation) {
        return giveBack(slab, loop, surplus, generation, how -> {
            if (how != LinkRequest.Outcome.OK) {
                notGivenBack(slab, surplus);
            }
        });
    }

    /** Says that a donor has not taken back what it was to. */
    static void notGivenBack(int slab, Member surplus) {
        LOG.warn("slab {} of donor {} was not wanted and could not be given back", slab, surplus.donor());
    }

    /** Likewise; {@code end} is told what became of it if the donor is asked, possibly before this returns. */
    boolean giveBack(int slab, DeviceLoop loop, Member surplus, long generation, Consumer<LinkRequest.Outcome> end) {
        if (!choice.beginFreeing(slab, surplus, map)) {
            return false;
        }
        long now = loop.now();
        free(slab, loop, surplus, generation, now, loop.deadline(now), end);
        return true;
    }

    /**
     * Gives a copy back that is in use, and that the caller keeps everybody from using.
     *
     * @param nanos how long the donor may take
     */
    boolean giveBackUsed(
            int slab, DeviceLoop loop, Member used, long generation, long nanos, Consumer<LinkRequest.Outcome> end) {
        if (!choice.beginReturning(slab, used.donor())) {
            return false;
        }
        long now = loop.now();
        free(slab, loop, used, generation, now, now + nanos, end);
        return true;
    }

    private void free(
            int slab,
            DeviceLoop loop,
            Member surplus,
            long generation,
            long now,
            long deadlineNanos,
            Consumer<LinkRequest.Outcome> end) {
        LinkRequest free = loop.newRequest();
        free.free(surplus, generation);
        free.startNanos = now;
        free.deadlineNanos = deadlineNanos;
        free.completion = (done, at) -> {
            LinkRequest.Outcome how = done.outcome;
            long _ = freed.incrementAndGet();
            choice.endFreeing(slab, surplus.donor());
            loop.release(done);
            end.accept(how);
        };
        loop.post(free, surplus.donor());
        loop.link(surplus.donor()).flush();
    }

    private void giveAllBack(Allocation allocation, List<Member> surplus, long generation) {
        for (Member member : surplus) {
            boolean _ = giveBack(allocation.slab, allocation.loop, member, generation);
        }
    }

    /** One question to one donor. On the allocation's loop. */
    private final class Grant {

        private final Allocation allocation;
        private final int donor;
        private final int round;
        private boolean answered;
        private boolean late;

        Grant(Allocation allocation, int donor) {
            round = allocation.rounds;
            this.allocation = allocation;
            this.donor = donor;
        }

        /** The donor has had its time: others are tried, and it is left out by all until it answers. */
        void late() {
            if (!answered) {
                late = true;
                choice.late(donor);
                allocation.refused.set(donor);
                attempt(allocation);
            }
        }

        void ended(LinkRequest done, long now) {
            answered = true;
            LinkRequest.Outcome outcome = done.outcome;
            UUID process = done.incarnation;
            int handle = done.grantedHandle;
            long version = done.version;
            DeviceLoop loop = allocation.loop;
            loop.release(done);
            choice.answered(allocation.slab, donor, late);
            if (outcome == LinkRequest.Outcome.OK && process != null) {
                granted(new Member(donor, process, handle, version));
            } else if (!late) {
                allocation.refused.set(donor);
                attempt(allocation);
            }
        }

        private void granted(Member member) {
            if (allocation.over()
                    || allocation.placing
                    || round != allocation.rounds
                    || allocation.granted.size() == allocation.copies
                    || choice.onMachineOf(member.donor(), allocation.granted)) {
                boolean _ = giveBack(allocation.slab, allocation.loop, member, member.grantVersion());
                return;
            }
            allocation.granted.add(member);
            if (allocation.copies == 1) {
                place(allocation, Placement.of(member));
            } else if (allocation.granted.size() == allocation.copies) {
                placeAll(allocation);
            } else if (!late) {
                attempt(allocation);
            }
        }
    }

    /** Tells the copies of each other, and then uses those that have answered. */
    private void placeAll(Allocation allocation) {
        if (allocation.placing) {
            return;
        }
        allocation.placing = true;
        placeRound(allocation, List.copyOf(allocation.granted));
    }

    private void placeRound(Allocation allocation, List<Member> members) {
        long generation = versions.nextGrant();
        PlaceRequests.send(allocation.loop, members, generation, placeNanos, round -> {
            try {
                placed(allocation, members, generation, round);
            } catch (RuntimeException | Error e) {
                LOG.error("slab {} cannot be placed", allocation.slab, e);
                end(allocation, NbdError.EIO.code());
            }
        });
    }

    private void placed(Allocation allocation, List<Member> members, long generation, PlaceRequests round) {
        List<Member> told = round.acknowledged();
        if (told.isEmpty()) {
            giveAllBack(allocation, members, generation);
            allocation.granted.clear();
            allocation.placing = false;
            retryOrFail(allocation);
        } else if (told.size() < members.size()) {
            List<Member> mute = new ArrayList<>(members);
            mute.removeAll(told);
            giveAllBack(allocation, mute, generation);
            placeRound(allocation, told);
        } else {
            place(allocation, Placement.of(generation, told));
        }
    }

    private void place(Allocation allocation, Placement placement) {
        try {
            if (!map.map(allocation.slab, placement, lost(allocation))) {
                // Lost pages were trimmed meanwhile, and the donors call them lost; or a donor is about to be removed.
                giveAllBack(allocation, placement.members(), placement.generation());
                allocation.granted.clear();
                allocation.placing = false;
                allocation.lost = null;
                allocation.rounds++;
                retryOrFail(allocation);
                return;
            }
        } catch (RuntimeException | Error e) {
            LOG.error("slab {} cannot be mapped", allocation.slab, e);
            end(allocation, NbdError.EIO.code());
            giveAllBack(allocation, placement.members(), placement.generation());
            return;
        }
        end(allocation, 0);
    }
}
