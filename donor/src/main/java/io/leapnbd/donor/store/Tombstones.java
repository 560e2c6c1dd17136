package io.leapnbd.donor.store;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Epochs of exports that a donor holds nothing for any more, so that no epoch is given out twice.
 *
 * <p>There are at most {@link #MOST}. When the oldest is thrown out, its epoch raises the <i>floor</i>, and the floor is the epoch of
 * every export that is not known. So an epoch never goes back, whatever was forgotten; and epoch 0 proves that nothing was. Guarded by
 * the lock of {@link ExportTable}.
 */
final class Tombstones {

    /** How many are kept. */
    static final int MOST = 4096;

    private final Map<String, Long> epochs = new LinkedHashMap<>();
    private long floor;

    /** The epoch of an export that is not about: its own if it is remembered, else the floor. */
    long epochOf(String export) {
        return epochs.getOrDefault(export, floor);
    }

    /** Remembers the epoch of an export that ends. */
    void bury(String export, long epoch) {
        // The last one to end is to be the last one to be thrown out.
        epochs.remove(export);
        if (epochs.size() == MOST) {
            Iterator<Long> oldest = epochs.values().iterator();
            floor = Math.max(floor, oldest.next());
            oldest.remove();
        }
        epochs.put(export, epoch);
    }

    /** The epoch of an export that begins again; it is kept with the export from now on. */
    long exhume(String export) {
        Long own = epochs.remove(export);
        return own == null ? floor : own;
    }

    int size() {
        return epochs.size();
    }
}
