package io.leapnbd.bypass.spill;

import io.leapnbd.donor.store.SlabFile;

/**
 * Where everything is in a spill file.
 *
 * <pre>
 *  header (2 places) | a row a slab (2 places) | marks of a slab's pages, 32 MiB a piece (2 places) | slabs
 * </pre>
 *
 * @param slabSize bytes of a slab
 * @param slots how many there are
 */
record SpillLayout(int slabSize, int slots) {

    /** Bytes of a place of the header: a note of 32 KiB, names, and what else there is. */
    static final int HEADER = 40 << 10;

    private static final long ROWS = 128 << 10;
    private static final long PLACES = 2L * DirectFile.BLOCK;
    private static final long DATA_ALIGNMENT = 1 << 20;

    int pieces() {
        return Math.ceilDiv(slabSize, SlabFile.MARKS_RANGE);
    }

    long row(int slot) {
        return ROWS + slot * PLACES;
    }

    long marks(int slot, int piece) {
        return row(slots) + ((long) slot * pieces() + piece) * PLACES;
    }

    long data(int slot) {
        return Math.ceilDiv(marks(slots, 0), DATA_ALIGNMENT) * DATA_ALIGNMENT + (long) slot * slabSize;
    }

    /** Bytes of the file. */
    long length() {
        return data(slots);
    }
}
