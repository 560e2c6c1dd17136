package io.leapnbd.bypass.map;

import java.util.UUID;

/**
 * One donor's part in a {@link Placement}. Immutable, and compared by identity: a reply is about the present placement exactly
 * if the request was made for a member of it.
 */
public final class Member {

    /** What a member may be used for. */
    public enum State {
        /** Has every byte: reads and writes go to it. */
        LIVE
    }

    private final int donor;
    private final UUID incarnation;
    private final int handle;
    private final long grantVersion;
    private final State state;

    /**
     * A member that has every byte.
     *
     * @param donor index of the donor in the server's list
     * @param incarnation the donor process that granted the slab
     * @param handle what that process calls it
     * @param grantVersion version of the grant
     */
    public Member(int donor, UUID incarnation, int handle, long grantVersion) {
        this(donor, incarnation, handle, grantVersion, State.LIVE);
    }

    /** As above, in a state. */
    public Member(int donor, UUID incarnation, int handle, long grantVersion, State state) {
        this.donor = donor;
        this.incarnation = incarnation;
        this.handle = handle;
        this.grantVersion = grantVersion;
        this.state = state;
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

    /** Version of the grant. */
    public long grantVersion() {
        return grantVersion;
    }

    /** What it may be used for. */
    public State state() {
        return state;
    }

    /** For messages. */
    @Override
    public String toString() {
        return "slab " + handle + " of donor " + donor + " (" + incarnation + ", grant " + grantVersion + ", " + state
                + ")";
    }
}
