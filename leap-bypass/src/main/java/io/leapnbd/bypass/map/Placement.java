package io.leapnbd.bypass.map;

import java.util.List;
import java.util.UUID;

/**
 * Where one slab of the device is. Immutable: a slab that moves gets another placement, with members of its own, so that whoever
 * holds an old one can tell.
 */
public final class Placement {

    private final long generation;
    private final Member only;

    private Placement(long generation, Member only) {
        this.generation = generation;
        this.only = only;
    }

    /** A slab that one donor holds. The generation is the version of its grant. */
    public static Placement of(Member member) {
        return new Placement(member.grantVersion(), member);
    }

    /** Likewise; see {@link Member} for the parameters. */
    public static Placement of(int donor, UUID incarnation, int handle, long grantVersion) {
        return of(new Member(donor, incarnation, handle, grantVersion));
    }

    /** Orders the placements of one slab: a later one has a higher number. */
    public long generation() {
        return generation;
    }

    /** Who holds the slab; at least one. */
    public List<Member> members() {
        return List.of(only);
    }

    /** The member to read from. Allocates nothing. */
    public Member primary() {
        return only;
    }

    /** Whether a member is one of this very placement. */
    public boolean has(Member member) {
        return only == member;
    }

    /** For messages. */
    @Override
    public String toString() {
        return "placement " + generation + " at " + only;
    }
}
