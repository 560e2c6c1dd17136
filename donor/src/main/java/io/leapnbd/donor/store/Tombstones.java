package io.leapnbd.donor.store;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

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

    private record Tombstone(long epoch, Identity identity) {}

    private final Map<String, Tombstone> buried = new LinkedHashMap<>();
    private long floor;

    /** The epoch of an export that is not about: its own if it is remembered, else the floor. */
    long epochOf(String export) {
        Tombstone own = buried.get(export);
        return own == null ? floor : own.epoch();
    }

    /** Whose an export was that is not about any more; null if that is not remembered. */
    @Nullable
    Identity identityOf(String export) {
        Tombstone own = buried.get(export);
        return own == null ? null : own.identity();
    }

    /** Remembers the epoch of an export that ends, and whose it was. */
    void bury(String export, long epoch, Identity identity) {
        // The last one to end is to be the last one to be thrown out.
        buried.remove(export);
        if (buried.size() == MOST) {
            Iterator<Tombstone> oldest = buried.values().iterator();
            floor = Math.max(floor, oldest.next().epoch());
            oldest.remove();
        }
        buried.put(export, new Tombstone(epoch, identity));
    }

    /** The epoch of an export that begins again; it is kept with the export from now on. */
    long exhume(String export) {
        Tombstone own = buried.remove(export);
        return own == null ? floor : own.epoch();
    }

    int size() {
        return buried.size();
    }
}
