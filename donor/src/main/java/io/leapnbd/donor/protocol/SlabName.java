package io.leapnbd.donor.protocol;

import java.util.UUID;

/**
 * Which slab is meant, for good: no other slab of any donor ever has the same name. A process alone would not do, since it may hold another slab
 * of the same index later; nor a handle, which comes back after some thousand lendings; nor a grant, which may be sent twice.
 *
 * @param incarnation the donor process that granted it; not zero
 * @param handle what that process calls it; above zero
 * @param grantVersion version of the grant, 1 or more. It stays as it is, whatever placements come
 */
public record SlabName(UUID incarnation, int handle, long grantVersion) {

    /** Bytes on the wire: incarnation, handle, 4 that are zero, version of the grant. */
    public static final int LENGTH = 32;

    /** Refuses what no slab is called. */
    public SlabName {
        if (incarnation.equals(HelloReply.NONE) || handle < 1 || grantVersion < 1) {
            throw new IllegalArgumentException(
                    "the name of no slab: " + handle + " at " + incarnation + ", grant " + grantVersion);
        }
    }
}
