package io.leapnbd.donor.rdma;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/** Which memory of this process is registered with a device, and by which keys work requests name it. Immutable. */
public final class MemoryKeys {

    /** What {@link #keyOf} answers for memory that is not registered. */
    public static final int NONE = 0;

    private final long[] from;
    private final long[] to;
    private final int[] keys;

    /** Of regions that do not overlap. */
    public MemoryKeys(Collection<Region> regions) {
        List<Region> sorted = regions.stream()
                .sorted(Comparator.comparingLong(Region::address))
                .toList();
        from = sorted.stream().mapToLong(Region::address).toArray();
        to = sorted.stream().mapToLong(region -> region.address + region.length).toArray();
        keys = sorted.stream().mapToInt(Region::key).toArray();
    }

    /** The local key of the region that holds a range of memory; {@link #NONE} if no single one does. */
    public int keyOf(long address, int length) {
        int low = 0;
        int high = from.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (address < from[middle]) {
                high = middle - 1;
            } else if (address >= to[middle]) {
                low = middle + 1;
            } else {
                return address + length <= to[middle] ? keys[middle] : NONE;
            }
        }
        return NONE;
    }

    /**
     * Registered memory.
     *
     * @param length bytes
     * @param key its local key, not {@link #NONE}
     */
    public record Region(long address, long length, int key) {}
}
