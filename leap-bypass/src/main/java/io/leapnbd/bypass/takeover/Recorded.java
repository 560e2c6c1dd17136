package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.map.SlabRow;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a state file says, if it can be read.
 *
 * @param size bytes of the device
 * @param slabShift binary logarithm of the slab size
 * @param content whose slabs the rows name
 * @param owner the server that wrote it
 * @param claimer a server that began to take over with this file and did not get to the end; null if there is none
 * @param term of the owner or claimer, the higher one
 * @param complete whether it was written in this boot, or closed in good order, and every checksum is right
 * @param thisBoot whether it was written in this boot: then it is no old copy
 * @param donors every donor process that rows may name
 * @param slabs the rows
 * @param cipher how pages are encrypted
 */
record Recorded(
        long size,
        int slabShift,
        UUID content,
        UUID owner,
        @Nullable UUID claimer,
        long term,
        boolean complete,
        boolean thisBoot,
        List<DonorRow> donors,
        SlabRows slabs,
        CipherKind cipher) {

    /** Of pages that are not encrypted. */
    Recorded(
            long size,
            int slabShift,
            UUID content,
            UUID owner,
            @Nullable UUID claimer,
            long term,
            boolean complete,
            boolean thisBoot,
            List<DonorRow> donors,
            SlabRows slabs) {
        this(size, slabShift, content, owner, claimer, term, complete, thisBoot, donors, slabs, CipherKind.NONE);
    }

    boolean isOwner(UUID instance) {
        return instance.equals(owner) || instance.equals(claimer);
    }

    @Nullable
    DonorRow donor(UUID incarnation) {
        for (DonorRow row : donors) {
            if (row.incarnation().equals(incarnation)) {
                return row;
            }
        }
        return null;
    }

    /**
     * A donor process.
     *
     * @param incarnation its identity
     * @param address where it was found
     * @param epoch of the last claim there that the file knows of
     * @param instance the server that made that claim
     */
    record DonorRow(UUID incarnation, String address, long epoch, UUID instance) {}

    /** The rows of slabs. */
    interface SlabRows {

        /** Number of slabs of the device. */
        int count();

        /** Where it is; null if it is nowhere. */
        @Nullable
        SlabRow row(int slab);

        /** Whether any page of it is lost; not looked at if {@link #broken}. */
        default boolean anyLost(int slab) {
            return false;
        }

        /** Whether the row is not what was written: its checksum is wrong. */
        boolean broken(int slab);
    }
}
