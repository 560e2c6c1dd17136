package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.donor.protocol.SlabName;
import java.util.List;
import java.util.UUID;

/**
 * Where a slab will be.
 *
 * @param generation of its placement
 * @param copies 1 or more, of which at least one is live
 * @param untold whether the donors of the live copies have to be told who these are
 */
record PlannedSlab(long generation, List<Copy> copies, boolean untold) {

    /**
     * One copy.
     *
     * @param donor its donor's place in the server's list
     * @param incarnation its donor's identity
     * @param handle what the donor calls it
     * @param grantVersion version of its grant
     * @param state what it may be used for
     * @param heard whether the donor has listed it now; otherwise it is waited for
     */
    record Copy(int donor, UUID incarnation, int handle, long grantVersion, State state, boolean heard) {

        /** What donors call it for good. */
        SlabName name() {
            return new SlabName(incarnation, handle, grantVersion);
        }

        /** The same copy for another use. */
        Copy as(State other) {
            return new Copy(donor, incarnation, handle, grantVersion, other, heard);
        }
    }

    /** The copy whose pages' marks are looked at: the first live one that is heard, or else the first. */
    Copy first() {
        for (Copy copy : copies) {
            if (copy.heard() && copy.state() == State.LIVE) {
                return copy;
            }
        }
        return copies.getFirst();
    }

    boolean has(int donor, int handle) {
        return copies.stream().anyMatch(copy -> copy.donor() == donor && copy.handle() == handle);
    }

    /** The live copies. */
    List<SlabName> live() {
        return copies.stream()
                .filter(copy -> copy.state() == State.LIVE)
                .map(Copy::name)
                .toList();
    }
}
