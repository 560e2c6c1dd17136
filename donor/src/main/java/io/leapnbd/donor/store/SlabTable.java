package io.leapnbd.donor.store;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Finds slabs by their handles.
 *
 * <pre>
 *   handle    31   30               s   s-1         0
 *            +----+-------------------+--------------+
 *            | 0  |   generation > 0  |     slot     |     s: bits that the highest slot needs
 *            +----+-------------------+--------------+
 * </pre>
 *
 * <p>A slot's generation grows with each lending, so that a handle is not used again before its slot was lent at least 2^11
 * times (2^21 times for a thousand slabs).
 */
final class SlabTable {

    private final AtomicReferenceArray<@Nullable Slab> slabs;
    private final int slotBits;

    /** Guarded by the lock of {@link ExportTable}. */
    private final int[] generations;

    SlabTable(int slots) {
        slabs = new AtomicReferenceArray<>(slots);
        slotBits = Integer.SIZE - Integer.numberOfLeadingZeros(slots - 1);
        generations = new int[slots];
    }

    /** A handle that this slot has not had lately. */
    int nextHandle(int slot) {
        int generation = generations[slot] + 1;
        if (generation >>> (Integer.SIZE - 1 - slotBits) != 0) {
            generation = 1;
        }
        generations[slot] = generation;
        return generation << slotBits | slot;
    }

    /** The slot was lent under this handle before. */
    void restore(int slot, int handle) {
        generations[slot] = handle >>> slotBits;
    }

    void put(Slab slab) {
        slabs.set(slab.slot, slab);
    }

    void remove(Slab slab) {
        slabs.set(slab.slot, null);
    }

    /** The slab that is lent under this handle now. */
    @Nullable
    Slab find(int handle) {
        int slot = handle & (1 << slotBits) - 1;
        if (slot >= slabs.length()) {
            return null;
        }
        Slab slab = slabs.get(slot);
        return slab != null && slab.handle == handle ? slab : null;
    }
}
