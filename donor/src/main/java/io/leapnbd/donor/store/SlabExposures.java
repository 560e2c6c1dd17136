package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Status;

/** Slabs whose memory is read by others than the store, as RDMA devices do. Any thread. */
public final class SlabExposures {

    private final SlabAccess access;
    private final SlabPool pool;
    private final int slabSize;

    SlabExposures(SlabAccess access, SlabPool pool, int slabSize) {
        this.access = access;
        this.pool = pool;
        this.slabSize = slabSize;
    }

    /** How much of {@link #prepare} can be done in about half a millisecond, in bytes; a multiple of a page. */
    public int step(int handle) {
        Slab slab = access.find(handle);
        return slab != null && slab.zeroed ? SlabStore.TRIM_STEP : SlabStore.ZEROING_STEP;
    }

    /**
     * Does a part of what {@link #expose} needs, so that a large slab need not be prepared in one go. Parts follow one another from the
     * slab's beginning to its end. Each is refused like a request of its own, for example because the claim has ended meanwhile.
     *
     * <p>Once all parts are done, the slab's bytes are its contents: what was written, and zeros elsewhere; and nothing that an older
     * claim has asked for changes them any more. That is to be done for each {@link #expose}, also of a slab that is exposed already.
     *
     * @param from bytes of the slab that the parts before have done; 0 for the first part
     * @param to bytes of it that are done after this part, a multiple of a page
     */
    public byte prepare(Claim claim, int handle, int from, int to) {
        Slab slab = access.find(handle);
        byte status = access.enter(claim, slab, from, to - from);
        if (status != Status.OK || slab == null) {
            return access.counters().ended(status);
        }
        try {
            SlabPages.expose(slab, from, to, pool.wasClean(slab.slot));
            if (to == slabSize) {
                slab.zeroed = true;
            }
        } finally {
            access.leave(slab);
        }
        return Status.OK;
    }

    /**
     * Lends a slab's memory to readers that do not come through the store. A reader that reads a page while it is being written may see a
     * part of the write.
     *
     * <p>Several may read the same slab. Each tells its end by itself.
     *
     * <p>If no {@link #prepare} has come to the slab's end, that is done here, in one go.
     *
     * @param onTakenBack run when the slab is handed back, by whichever thread does that; must not block. From then on the
     *     memory is kept until {@link Exposure#close}, which has to come soon
     */
    public Exposure expose(Claim claim, int handle, Runnable onTakenBack) {
        Slab slab = access.find(handle);
        byte status = access.enter(claim, slab, 0, 0);
        if (status != Status.OK || slab == null) {
            return new Exposure(access.counters().ended(status), 0, 0, () -> {});
        }
        Exposure exposure = new Exposure(Status.OK, slab.data, slabSize, () -> {
            slab.notReadBy(onTakenBack);
            access.leave(slab);
        });
        slab.readBy(onTakenBack);
        if (!slab.zeroed) {
            status = prepare(claim, handle, 0, slabSize);
        } else if (slab.closed()) {
            status = access.counters().ended(Status.NOT_OWNER);
        }
        if (status != Status.OK) {
            exposure.close();
            return new Exposure(status, 0, 0, () -> {});
        }
        return exposure;
    }
}
