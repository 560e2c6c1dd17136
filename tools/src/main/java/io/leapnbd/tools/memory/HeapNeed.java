package io.leapnbd.tools.memory;

import io.leapnbd.bypass.map.DeviceNeed;
import io.leapnbd.donor.store.StoreSettings;

/**
 * About how many bytes of the JVM's heap a process needs, on the safe side. The one place that says what depends on the number of
 * event loops, of slabs and of cached pages; docs/memory.md has the measurements behind the numbers.
 */
public final class HeapNeed {

    private static final long MIB = 1L << 20;

    /** Classes, Netty, records of requests; 7 MiB of the adaptive prefetcher; 4 MiB for what is new. */
    private static final long SERVER = 18 * MIB;

    /** A loop's histograms, and its part of the requests that are under way. */
    private static final long SERVER_LOOP = MIB * 3 / 8;

    /** A link's table of requests that are under way, and what else it has. Every loop has one to every donor. */
    private static final long SERVER_LINK = 16 << 10;

    /** What a spill keeps of a slab beside its store: what its file says of its marks. */
    private static final long SPILL_SLAB = 256;

    /** What certificates, and TLS of the JDK while donors are asked at the start, take beside. */
    public static final long POOL = 4 * MIB;

    /** What the longest answer of a registry takes while it is read: 1 MiB as bytes, as text, and as values. */
    public static final long REGISTRY = 8 * MIB;

    /** What pushing for 24 processes takes in the process that has the swap device. */
    public static final long PUSH = 8 * MIB;

    /** Of {@code attach --push}; without it the launcher's heap suffices. */
    public static final long ATTACH_PUSH = 16 * MIB;

    private static final long DONOR = 28 * MIB;
    private static final long DONOR_LOOP = MIB / 2;

    private HeapNeed() {}

    /**
     * Of {@code serve}.
     *
     * @param loops event loops
     * @param donors that each of them has a link to
     * @param slabs that the device is made of
     * @param copies of each
     * @param cachedPages slots of the page cache, at its limit
     */
    public static long server(int loops, int donors, long slabs, int copies, long cachedPages) {
        return SERVER
                + loops * (SERVER_LOOP + donors * SERVER_LINK)
                + DeviceNeed.heap(slabs, copies)
                + cache(cachedPages, loops);
    }

    /**
     * Of {@code serve} with a spill, beside.
     *
     * @param slabs that it holds
     */
    public static long spill(long slabs) {
        return StoreSettings.heapBytes(slabs) + SPILL_SLAB * slabs;
    }

    /**
     * Of {@code donor}.
     *
     * @param loops event loops
     * @param slabs that it lends
     */
    public static long donor(int loops, long slabs) {
        return DONOR + loops * DONOR_LOOP + StoreSettings.heapBytes(slabs);
    }

    /** A hash table of twice the slots, rounded up to a power of two, and lists of them, of which each loop has one. */
    private static long cache(long pages, int loops) {
        return pages <= 0 ? 0 : 64 * Long.highestOneBit(2 * pages - 1) + (48 + 4L * loops) * pages;
    }
}
