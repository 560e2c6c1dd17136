package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Protocol;
import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * What a store is opened with. Immutable; begin with {@link #ofMemory}.
 *
 * @param memory upper limit of what is lent, in bytes; rounded down to whole slabs, at least one
 * @param slabSize bytes of a slab, a power of two in {@link Protocol#MIN_SLAB_SIZE}..{@link Protocol#MAX_SLAB_SIZE}
 * @param lease how long slabs are kept after an export's last link is gone; 1 s to {@link Integer#MAX_VALUE} s
 * @param readySlabs how many free slabs are kept resident, so that a grant does not have to fault them in; with 0 not even slabs that
 *     are lent are made resident, but page by page as they are written
 * @param lock whether to lock slabs in memory; what could not be locked is counted and said once
 * @param hugePages whether to ask the kernel for huge pages
 * @param maxInFlight requests that a link may have in flight, as hellos are told; above zero
 * @param maxExports exports that are remembered at a time; above zero
 * @param nanoClock a monotonic clock, in nanoseconds
 * @param limits how much one owner's exports may hold
 */
public record StoreSettings(
        long memory,
        int slabSize,
        Duration lease,
        int readySlabs,
        boolean lock,
        boolean hugePages,
        int maxInFlight,
        int maxExports,
        LongSupplier nanoClock,
        OwnerLimits limits) {

    /** How long slabs are kept after the last link is gone, unless told otherwise. */
    public static final Duration DEFAULT_LEASE = Duration.ofMinutes(10);

    /** Requests that a link may have in flight, unless told otherwise. */
    public static final int DEFAULT_MAX_IN_FLIGHT = 4096;

    /** Most slabs that a store can have: what leaves a handle 11 bits for the generation. */
    public static final int MAX_SLABS = 1 << 20;

    /** See {@link #heapBytes}. */
    private static final int HEAP_PER_SLAB = 368;

    /** Smaller slabs would share one, and could not be made resident or be given back each by itself. */
    private static final int HUGE_PAGE = 2 << 20;

    /**
     * Checks every setting.
     *
     * @throws IllegalArgumentException with one sentence that says what is wrong and what would be right
     */
    public StoreSettings {
        if (slabSize < Protocol.MIN_SLAB_SIZE || slabSize > Protocol.MAX_SLAB_SIZE || Integer.bitCount(slabSize) != 1) {
            throw new IllegalArgumentException("a slab of " + slabSize
                    + " bytes is not possible: the size has to be a power of two from 1 MiB to 1 GiB");
        }
        if (memory < slabSize) {
            throw new IllegalArgumentException("memory of " + memory + " bytes is less than one slab of " + slabSize
                    + " bytes: lend more memory or choose smaller slabs");
        }
        if (memory / slabSize > MAX_SLABS) {
            throw new IllegalArgumentException("memory of " + memory + " bytes is more than " + MAX_SLABS + " slabs of "
                    + slabSize + " bytes: choose larger slabs");
        }
        if (lease.compareTo(Duration.ofSeconds(1)) < 0 || lease.toSeconds() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "a lease of " + lease + " is not in 1.." + Integer.MAX_VALUE + " seconds");
        }
        requireAtLeast("ready slabs", readySlabs, 0);
        requireAtLeast("requests in flight", maxInFlight, 1);
        requireAtLeast("exports", maxExports, 1);
    }

    /** Defaults for everything else. */
    public static StoreSettings ofMemory(long memory) {
        return ofMemory(memory, Protocol.DEFAULT_SLAB_SIZE);
    }

    /** As {@link #ofMemory}, with slabs of another size. */
    public static StoreSettings ofMemory(long memory, int slabSize) {
        return new StoreSettings(
                memory,
                slabSize,
                DEFAULT_LEASE,
                2,
                true,
                slabSize >= HUGE_PAGE,
                DEFAULT_MAX_IN_FLIGHT,
                1024,
                System::nanoTime,
                OwnerLimits.NONE);
    }

    /** These with another lease. */
    public StoreSettings withLease(Duration other) {
        return new StoreSettings(
                memory, slabSize, other, readySlabs, lock, hugePages, maxInFlight, maxExports, nanoClock, limits);
    }

    /** These with another number of free slabs kept resident. */
    public StoreSettings withReadySlabs(int other) {
        return new StoreSettings(
                memory, slabSize, lease, other, lock, hugePages, maxInFlight, maxExports, nanoClock, limits);
    }

    /** These, locking slabs in memory or not. */
    public StoreSettings withLock(boolean other) {
        return new StoreSettings(
                memory, slabSize, lease, readySlabs, other, hugePages, maxInFlight, maxExports, nanoClock, limits);
    }

    /** These, asking for huge pages or not. */
    public StoreSettings withHugePages(boolean other) {
        return new StoreSettings(
                memory, slabSize, lease, readySlabs, lock, other, maxInFlight, maxExports, nanoClock, limits);
    }

    /** These with another limit of requests in flight. */
    public StoreSettings withMaxInFlight(int other) {
        return new StoreSettings(
                memory, slabSize, lease, readySlabs, lock, hugePages, other, maxExports, nanoClock, limits);
    }

    /** These with another limit of exports. */
    public StoreSettings withMaxExports(int other) {
        return new StoreSettings(
                memory, slabSize, lease, readySlabs, lock, hugePages, maxInFlight, other, nanoClock, limits);
    }

    /** These with another clock. */
    public StoreSettings withNanoClock(LongSupplier other) {
        return new StoreSettings(
                memory, slabSize, lease, readySlabs, lock, hugePages, maxInFlight, maxExports, other, limits);
    }

    /** These with other limits of owners. */
    public StoreSettings withLimits(OwnerLimits other) {
        return new StoreSettings(
                memory, slabSize, lease, readySlabs, lock, hugePages, maxInFlight, maxExports, nanoClock, other);
    }

    /**
     * Bytes of heap that a store of so many slabs takes at most, all of them lent, with as many exports, notes and tombstones as there
     * may be. A slab that is lent takes 143 bytes by measure (with compressed references), one of four copies 311, and one that is registered for RDMA some more
     * outside of the store. The process around it is not counted.
     *
     * @param slabs how many slabs there are in all
     */
    public static long heapBytes(long slabs) {
        return slabs * HEAP_PER_SLAB;
    }

    /** How many slabs there are in all. */
    public int totalSlabs() {
        return (int) (memory / slabSize);
    }

    private static void requireAtLeast(String what, int value, int least) {
        if (value < least) {
            throw new IllegalArgumentException("a number of " + what + " of " + value + " is below " + least);
        }
    }
}
