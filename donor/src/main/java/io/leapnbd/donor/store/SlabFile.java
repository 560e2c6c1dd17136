package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.PageMarks;
import java.io.IOException;

/**
 * Where a {@link FileBackedStore} has its bytes, and writes down what the next process has to know. When a method has returned, what it
 * was given outlives a kill of this process. Which of it outlives the machine is not asked: nothing needs to.
 *
 * <p>What is written down is whole or not there. A kill in the middle leaves what was there before.
 */
public interface SlabFile {

    /** Bytes of a slab whose marks are kept together; smaller slabs are one piece. */
    int MARKS_RANGE = 32 << 20;

    /**
     * Reads pages of a slot.
     *
     * @param offset in the slot, a multiple of a page
     * @param length a multiple of a page
     * @param to address, a multiple of a page
     */
    void read(int slot, int offset, int length, long to) throws IOException;

    /** Writes pages of a slot; parameters as of {@link #read}. */
    void write(int slot, int offset, int length, long from) throws IOException;

    /**
     * Who owns the export now, and its note.
     *
     * @param blank whether all slabs that were written down before are void from now on, in the same step
     */
    void keepExport(KeptExport export, boolean blank) throws IOException;

    /** A slab as it was lent or placed, in place of what was known of its slot. Marks of earlier slabs in this slot do not count for it. */
    void keepSlab(KeptSlab slab) throws IOException;

    /** A slab was taken back. Its slot is called by other handles later. */
    void keepFree(KeptSlab slab) throws IOException;

    /**
     * Which pages of a part of a slab are written, and which are lost.
     *
     * @param piece the part, counted in {@link #MARKS_RANGE} from 0
     * @param touched whether a write or trim has reached the slab
     */
    void keepMarks(KeptSlab slab, int piece, boolean touched, PageMarks marks) throws IOException;
}
