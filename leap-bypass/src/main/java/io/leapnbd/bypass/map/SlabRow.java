package io.leapnbd.bypass.map;

import java.util.List;
import java.util.UUID;

/**
 * Where a slab is, as the {@link StateFile} has it.
 *
 * @param generation of the placement
 * @param copies 1 to {@link Placement#MAX_MEMBERS}
 */
public record SlabRow(long generation, List<Copy> copies) {

    /**
     * One copy.
     *
     * @param incarnation the donor process that holds it
     * @param handle what that process calls it
     * @param grantVersion version of its grant, whatever the placement's generation is by now
     * @param state what it may be used for
     */
    public record Copy(UUID incarnation, int handle, long grantVersion, Member.State state) {}

    /** A slab with one copy, which is live and was never placed. */
    public static SlabRow of(UUID incarnation, int handle, long grantVersion) {
        return new SlabRow(grantVersion, List.of(new Copy(incarnation, handle, grantVersion, Member.State.LIVE)));
    }

    /** Whether a donor process has a copy. */
    public boolean isAt(UUID incarnation) {
        return copies.stream().anyMatch(copy -> copy.incarnation().equals(incarnation));
    }
}
