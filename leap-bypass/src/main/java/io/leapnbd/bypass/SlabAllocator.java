package io.leapnbd.bypass;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.Mapping;
import io.leapnbd.bypass.map.Slab;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.nbd.spi.NbdError;
import java.util.BitSet;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds memory for slabs on their first write, by the power of two choices: of two donors drawn at random, the one with more
 * free slabs (Mitzenmacher 2001; Leap, section 4.4, places remote memory so). Slabs that a donor is being asked for are not
 * free any more: a large write needs many at once, before a donor has said how many it has left.
 *
 * <p>A donor that refuses or does not answer is left out and another one asked. When no donor with room is connected, it is
 * tried again until the deadline of the request that wanted the memory.
 */
final class SlabAllocator {

    private static final Logger LOG = LoggerFactory.getLogger(SlabAllocator.class);
    private static final long RETRY_MILLIS = 100;
    private static final int NONE = -1;

    private final RemoteDevice device;
    private final LongAdder failures = new LongAdder();

    /** How many slabs each donor is being asked for, by all loops. */
    private final AtomicIntegerArray asked;

    SlabAllocator(RemoteDevice device, int donors) {
        this.device = device;
        asked = new AtomicIntegerArray(donors);
    }

    /** Writes that failed because no donor had room. */
    long failures() {
        return failures.sum();
    }

    /** Allocates a slab that the caller has {@linkplain Slab#beginAllocation() begun} to. On {@code loop}. */
    void allocate(Slab slab, DeviceLoop loop, long startNanos) {
        attempt(slab, loop, startNanos, new BitSet());
    }

    private void attempt(Slab slab, DeviceLoop loop, long startNanos, BitSet refused) {
        int chosen = choose(loop, refused);
        if (chosen == NONE) {
            retryOrFail(slab, loop, startNanos);
            return;
        }
        DonorLink link = loop.link(chosen);
        LinkRequest grant = loop.newRequest();
        grant.operation = Operation.GRANT;
        grant.incarnation = null;
        grant.slab = slab.index();
        grant.offset = 0;
        grant.length = 0;
        grant.version = device.nextVersion();
        grant.startNanos = System.nanoTime();
        grant.deadlineNanos = loop.deadline(startNanos);
        grant.completion = (done, now) -> granted(done, slab, loop, chosen, startNanos, refused);
        asked.incrementAndGet(chosen);
        link.post(grant);
        link.flush();
    }

    private void granted(LinkRequest done, Slab slab, DeviceLoop loop, int donor, long startNanos, BitSet refused) {
        LinkRequest.Outcome outcome = done.outcome;
        UUID incarnation = done.incarnation;
        int handle = done.grantedHandle;
        long version = done.version;
        loop.release(done);
        asked.decrementAndGet(donor);
        if (outcome == LinkRequest.Outcome.OK && incarnation != null) {
            device.map().map(slab, new Mapping(donor, incarnation, handle, version));
            return;
        }
        refused.set(donor);
        attempt(slab, loop, startNanos, refused);
    }

    private void retryOrFail(Slab slab, DeviceLoop loop, long startNanos) {
        boolean full = true;
        for (int i = 0; i < loop.links(); i++) {
            full &= loop.link(i).ready() && loop.link(i).donor().freeSlabs() == 0;
        }
        if (!full && System.nanoTime() - loop.deadline(startNanos) < 0) {
            loop.eventLoop.schedule(
                    () -> attempt(slab, loop, startNanos, new BitSet()), RETRY_MILLIS, TimeUnit.MILLISECONDS);
            return;
        }
        if (failures.sum() == 0) {
            LOG.warn(
                    "no memory for slab {}: {}; writes to it fail until there is",
                    slab.index(),
                    full ? "every donor is full" : "no donor with free slabs can be reached");
        }
        failures.increment();
        slab.failAllocation((full ? NbdError.ENOSPC : NbdError.EIO).code());
    }

    private int choose(DeviceLoop loop, BitSet refused) {
        int one = draw(loop, refused, NONE);
        if (one == NONE) {
            return NONE;
        }
        int other = draw(loop, refused, one);
        return other != NONE && left(loop, other) > left(loop, one) ? other : one;
    }

    /** A donor that may have room, each with the same chance. */
    private static int draw(DeviceLoop loop, BitSet refused, int except) {
        int chosen = NONE;
        int seen = 0;
        for (int i = 0; i < loop.links(); i++) {
            if (i != except && !refused.get(i) && loop.link(i).ready() && free(loop, i) > 0) {
                seen++;
                if (ThreadLocalRandom.current().nextInt(seen) == 0) {
                    chosen = i;
                }
            }
        }
        return chosen;
    }

    private static int free(DeviceLoop loop, int donor) {
        Donor of = loop.link(donor).donor();
        return of.freeSlabs();
    }

    /** What a donor will have when all that it is being asked for is granted. */
    private int left(DeviceLoop loop, int donor) {
        return free(loop, donor) - asked.get(donor);
    }
}
