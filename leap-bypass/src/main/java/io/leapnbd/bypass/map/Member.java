package io.leapnbd.bypass.map;

import io.leapnbd.donor.protocol.SlabName;
import java.util.UUID;

/**
 * One copy of a {@link Placement}: a slab at a donor. Immutable, and compared by identity: it stays the same object while the placement
 * around it changes.
 */
public final class Member {

    /** What a copy may be used for; docs/replicas.md, "Words". */
    public enum State {
        /** Gets every new write, and does not have all of the older ones yet. */
        FILLING,
        /** Has every acknowledged write; but a live one's donor may not name it: not yet, or not any more. */
        COMPLETE,
        /** Has every acknowledged write: it may be read, and others may be let go. */
        LIVE
    }

    private final int donor;
    private final UUID incarnation;
    private final int handle;
    private final long grantVersion;

    /**
     * A copy.
     *
     * @param donor index of the donor in the server's list
     * @param incarnation the donor process that granted the slab
     * @param handle what that process calls it
     * @param grantVersion version of the grant
     */
    public Member(int donor, UUID incarnation, int handle, long grantVersion) {
        this.donor = donor;
        this.incarnation = incarnation;
        this.handle = handle;
        this.grantVersion = grantVersion;
    }

    /** Index of the donor in the server's list. */
    public int donor() {
        return donor;
    }

    /** The donor process that granted the slab. */
    public UUID incarnation() {
        return incarnation;
    }

    /** What that process calls it. */
    public int handle() {
        return handle;
    }

    /** Version of the grant. It never changes: the placement's generation does. */
    public long grantVersion() {
        return grantVersion;
    }

    /** What donors call it for good. */
    public SlabName name() {
        return new SlabName(incarnation, handle, grantVersion);
    }

    /** For messages. */
    @Override
    public String toString() {
        return "slab " + handle + " of donor " + donor + " (" + incarnation + ", grant " + grantVersion + ")";
    }
}
