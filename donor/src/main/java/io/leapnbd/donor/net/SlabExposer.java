package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.store.Claim;

/** Lets an RDMA link's peer read a slab's memory by itself. */
@FunctionalInterface
interface SlabExposer {

    /** Registers the memory of a slab that was {@linkplain io.leapnbd.donor.store.SlabExposures#prepare prepared}, unless it is. On the link's thread. */
    Answer expose(Claim claim, int handle);

    /**
     * How it went.
     *
     * @param status one of {@link io.leapnbd.donor.protocol.Status}
     * @param key where the memory is, if the status is OK
     */
    record Answer(byte status, SlabKey key) {}
}
