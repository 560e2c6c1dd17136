package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.nbd.spi.NbdError;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds memory for slabs on their first write. {@link DonorChoice} chooses a donor; one that refuses, or does not answer within
 * {@link #GRANT_NANOS}, is left out and another one asked. When no donor with room is connected it is tried again for as long as
 * anybody waits. A grant that comes late is used if the slab is still wanted, and is given back otherwise.
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
    private final DonorChoice choice;
    private final LongAdder failures = new LongAdder();
    private final Map<Integer, Allocation> allocations = new ConcurrentHashMap<>();

    /** For one device. */
    public SlabAllocator(AddressMap map, Versions versions, int donors) {
        this.map = map;
        this.versions = versions;
        choice = new DonorChoice(donors);
    }

    /** Writes that failed because no donor had room. */
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
                Allocation fresh = new Allocation(slab, wait.loop());
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
        } else {
            attempt(allocation);
        }
    }

    private void attempt(Allocation allocation) {
        if (allocation.over()) {
            return;
        }
        DeviceLoop loop = allocation.loop;
        int chosen = choice.choose(allocation.slab, loop, allocation.refused);
        if (chosen == DonorChoice.NONE) {
            retryOrFail(allocation);
            return;
        }
        DonorLink link = loop.link(chosen);
        LinkRequest request = loop.newRequest();
        request.operation = Operation.GRANT;
        request.incarnation = null;
        request.slab = allocation.slab;
        request.offset = 0;
        request.length = 0;
        request.version = versions.nextGrant();
        // So that a server without this one's state file does not take lost pages for blank ones.
        request.lost = map.damaged(allocation.slab) ? map.lostPages(allocation.slab) : null;
        request.startNanos = System.nanoTime();
        request.deadlineNanos = loop.deadline(request.startNanos);
        Grant grant = new Grant(allocation, chosen);
        request.completion = grant::ended;
        loop.post(request, chosen);
        link.flush();
        if (!grant.answered) {
            loop.later(grant::late, GRANT_NANOS, TimeUnit.NANOSECONDS);
        }
    }

    private void retryOrFail(Allocation allocation) {
        if (allocation.endIfForgotten(System.nanoTime())) {
            boolean _ = allocations.remove(allocation.slab, allocation);
            failed(allocation, false);
        } else if (choice.allFull(allocation.slab, allocation.loop)) {
            failed(allocation, true);
            end(allocation, NbdError.ENOSPC.code());
        } else {
            allocation.loop.later(
                    () -> {
                        allocation.refused.clear();
                        attempt(allocation);
                    },
                    RETRY_MILLIS,
                    TimeUnit.MILLISECONDS);
        }
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

    /** Gives back what was granted and is not wanted, unless it is what the slab has, or will have. */
    private void giveBack(int slab, DeviceLoop loop, Member surplus) {
        if (!choice.beginFreeing(slab, surplus, map)) {
            return;
        }
        LinkRequest free = loop.newRequest();
        free.operation = Operation.FREE;
        free.incarnation = surplus.incarnation();
        free.slab = surplus.handle();
        free.offset = 0;
        free.length = 0;
        free.version = surplus.grantVersion();
        free.startNanos = System.nanoTime();
        free.deadlineNanos = loop.deadline(free.startNanos);
        free.completion = (done, now) -> {
            if (done.outcome != LinkRequest.Outcome.OK) {
                LOG.warn("slab {} of donor {} was not wanted and could not be given back", slab, surplus.donor());
            }
            choice.endFreeing(slab, surplus.donor());
            loop.release(done);
        };
        loop.post(free, surplus.donor());
        loop.link(surplus.donor()).flush();
    }

    /** One question to one donor. On the allocation's loop. */
    private final class Grant {

        private final Allocation allocation;
        private final int donor;
        private boolean answered;
        private boolean late;

        Grant(Allocation allocation, int donor) {
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
            if (allocation.over()) {
                giveBack(allocation.slab, allocation.loop, member);
                return;
            }
            try {
                map.map(allocation.slab, Placement.of(member));
            } catch (RuntimeException | Error e) {
                LOG.error("slab {} cannot be mapped", allocation.slab, e);
                end(allocation, NbdError.EIO.code());
                giveBack(allocation.slab, allocation.loop, member);
                return;
            }
            end(allocation, 0);
        }
    }
}
