package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** Who may use a slab: each request is checked, enters its slab, and leaves it again. Any thread; nothing is allocated. */
final class SlabAccess {

    private final SlabTable table;
    private final SlabPool pool;
    private final StoreCounters counters;
    private final int slabSize;

    SlabAccess(SlabTable table, SlabPool pool, StoreCounters counters, int slabSize) {
        this.table = table;
        this.pool = pool;
        this.counters = counters;
        this.slabSize = slabSize;
    }

    /** The slab that is called so now. */
    @Nullable
    Slab find(int handle) {
        return table.find(handle);
    }

    StoreCounters counters() {
        return counters;
    }

    /** As the other, for a write or trim: its version is noted before the look at the claim ({@link Claim}). */
    byte enter(Claim claim, @Nullable Slab slab, int offset, int length, long version) {
        if (version < 1 || version > Version.MAX_REQUEST || version > Version.MAX_EFFECTIVE - claim.base) {
            return bad(claim);
        }
        if (claim.export != null) {
            claim.raise(version);
        }
        return enter(claim, slab, offset, length);
    }

    /** Checks a request, and if it is in order enters the slab, which has to be left again. */
    byte enter(Claim claim, @Nullable Slab slab, int offset, int length) {
        if (claim.export == null) {
            return Status.NOT_CLAIMED;
        }
        claim.answering();
        if (claim.fenced()) {
            return Status.FENCED;
        }
        if (slab == null || slab.export != claim.export) {
            return Status.NOT_OWNER;
        }
        if (offset < 0 || length < 0 || offset > slabSize - length) {
            return Status.OUT_OF_RANGE;
        }
        return slab.enter() ? Status.OK : Status.NOT_OWNER;
    }

    /** What a request that does not follow the protocol is answered. */
    static byte bad(Claim claim) {
        if (claim.export == null) {
            return Status.NOT_CLAIMED;
        }
        return claim.fenced() ? Status.FENCED : Status.BAD_REQUEST;
    }

    /** Ends what an enter has begun. */
    void leave(Slab slab) {
        if (slab.leave()) {
            pool.recycle(slab.slot);
        }
    }

    /** What a write or trim is answered, by what {@link SlabPages} says of it. */
    byte changed(int stale, int length, LongAdder bytes) {
        if (stale == SlabPages.FENCED) {
            return counters.ended(Status.FENCED);
        }
        if (stale == SlabPages.LOST) {
            return counters.ended(Status.PAGE_LOST);
        }
        bytes.add(length);
        if (stale > 0) {
            counters.stalePages.add(stale);
        }
        return Status.OK;
    }
}
