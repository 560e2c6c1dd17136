package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.SlabCopies;

/**
 * What a {@link SlabFile} knows of a slab.
 *
 * @param slot which part of the file it is
 * @param index which part of the device it holds
 * @param handle what requests call it
 * @param grantVersion version of its grant
 * @param grantedFilling whether it was granted to be filled
 * @param generation of its grant, or of the last that it was placed in
 * @param copies whether it is live, and which copies there are
 */
public record KeptSlab(
        int slot,
        int index,
        int handle,
        long grantVersion,
        boolean grantedFilling,
        long generation,
        SlabCopies copies) {}
