package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.SlabCopies;

/** Is told of slabs one by one, so that a list of any length takes no memory. */
@FunctionalInterface
public interface SlabSink {

    /**
     * A slab that a donor holds.
     *
     * @param index which part of the device it holds
     * @param handle what the donor calls it
     * @param grantVersion version of its grant: with process and handle, which slab it is
     * @param generation that version, or a higher one of the last placement
     * @param touched whether a write or trim has ever reached it
     * @param copies whether it is live, and which copies there are
     */
    void on(int index, int handle, long grantVersion, long generation, boolean touched, SlabCopies copies);
}
