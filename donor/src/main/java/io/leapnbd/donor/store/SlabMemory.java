package io.leapnbd.donor.store;

import io.leapnbd.donor.memory.MappedMemory;
import io.leapnbd.donor.memory.MemoryException;
import io.leapnbd.donor.memory.RawMemory;
import java.util.BitSet;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory of all slabs, cut into slots: the bytes in one mapping, the pages' words in another.
 *
 * <p>As many slots as permitted are locked from the start on, the first ones, in the way that costs nothing before they are
 * resident. What makes slots resident or gives them back belongs to the {@link SlabPool}'s worker; the rest is immutable.
 */
final class SlabMemory implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(SlabMemory.class);

    /** How much is made resident by one call: other calls on the address space wait that long. */
    private static final int POPULATE_STEP = 4 << 20;

    private final int slabSize;
    private final int slots;
    private final int wordsStride;
    /** Null where bytes are kept in a file. */
    private final @Nullable MappedMemory data;

    private final MappedMemory words;

    /** Slots below this one may be locked. */
    private final int lockableSlots;

    private final @Nullable String lockRefusal;

    /** Slots that are wholly resident. The worker's. */
    private final BitSet resident;

    /** Slots below {@link #lockableSlots} that are not locked at present. The worker's. */
    private final BitSet unlocked = new BitSet();

    private boolean failureLogged;

    /** Cardinality of {@link #resident}, for everybody. */
    private final AtomicInteger residentSlots = new AtomicInteger();

    /** How many of them are locked. */
    private final AtomicInteger lockedSlots = new AtomicInteger();

    /** Reserves address space for bytes and words. */
    SlabMemory(StoreSettings settings) throws MemoryException {
        this(settings, false);
    }

    /**
     * Reserves address space.
     *
     * @param wordsOnly whether the bytes are elsewhere
     */
    SlabMemory(StoreSettings settings, boolean wordsOnly) throws MemoryException {
        slabSize = settings.slabSize();
        slots = settings.totalSlabs();
        wordsStride = Math.max(MappedMemory.GRANULE, SlabPages.wordsLength(slabSize));
        resident = new BitSet(slots);
        data = wordsOnly ? null : MappedMemory.reserve((long) slots * slabSize, settings.hugePages());
        try {
            words = MappedMemory.reserve((long) slots * wordsStride, false);
        } catch (MemoryException e) {
            if (data != null) {
                data.close();
            }
            throw e;
        }
        if (!settings.lock()) {
            lockableSlots = 0;
            lockRefusal = "not asked for";
        } else if (lock(0, slots) == null) {
            lockableSlots = slots;
            lockRefusal = null;
        } else {
            int lockable = 0;
            String refusal = lock(0, 1);
            while (refusal == null && lockable < slots - 1) {
                lockable++;
                refusal = lock(lockable, 1);
            }
            lockableSlots = lockable;
            lockRefusal = refusal;
            if (data == null) {
                LOG.warn("what is kept of slabs in a file may be swapped out: {}", refusal);
                return;
            }
            LOG.warn(
                    "only {} of {} MiB can be locked in memory, the rest may be swapped out: {}",
                    lockableBytes() >> 20,
                    ((long) slots * slabSize) >> 20,
                    refusal);
        }
    }

    /** Address of a slot's bytes. */
    long data(int slot) {
        return data == null ? 0 : data.address() + dataOffset(slot);
    }

    /** Address of a slot's words. */
    long words(int slot) {
        return words.address() + wordsOffset(slot);
    }

    int slabSize() {
        return slabSize;
    }

    int slots() {
        return slots;
    }

    /** What the slabs take of the machine's memory, as far as they were made resident on purpose. */
    long residentBytes() {
        return (long) residentSlots.get() * (slabSize + wordsStride);
    }

    /** How much of {@link #residentBytes} cannot be swapped out. */
    long lockedBytes() {
        return (long) lockedSlots.get() * (slabSize + wordsStride);
    }

    /** How much of the slabs, without their words, would be locked if all were lent. */
    long lockableBytes() {
        return (long) lockableSlots * slabSize;
    }

    /** Why not everything can be locked; null if it can. */
    @Nullable
    String lockRefusal() {
        return lockRefusal;
    }

    boolean isResident(int slot) {
        return resident.get(slot);
    }

    /** Makes a slot's words zero, so that it is blank. */
    void blank(int slot) {
        if (data != null || !giveWordsBack(slot)) {
            RawMemory.zero(words(slot), wordsStride);
        }
    }

    /** Where bytes are elsewhere, words are all the memory that a slot has. False if they stay. */
    private boolean giveWordsBack(int slot) {
        try {
            words.unlock(wordsOffset(slot), wordsStride);
            words.discard(wordsOffset(slot), wordsStride);
        } catch (MemoryException e) {
            logOnce("the words of a slab that was handed back stay resident", e);
            return false;
        } finally {
            if (slot < lockableSlots) {
                String _ = words.lock(wordsOffset(slot), wordsStride);
            }
        }
        return true;
    }

    /** Makes a part of a slot's bytes zero. */
    void zero(int slot, int offset, int length) {
        if (data != null) {
            RawMemory.zero(data(slot) + offset, length);
        }
    }

    /** Makes a slot resident; its contents stay. False if that failed; pages become resident one by one then. */
    boolean populate(int slot) {
        if (resident.get(slot)) {
            return true;
        }
        relock(slot);
        try {
            words.populate(wordsOffset(slot), wordsStride);
            for (int at = 0; data != null && at < slabSize; at += POPULATE_STEP) {
                data.populate(dataOffset(slot) + at, Math.min(POPULATE_STEP, slabSize - at));
            }
        } catch (MemoryException e) {
            logOnce("a slab could not be made resident in advance", e);
            return false;
        }
        resident.set(slot);
        residentSlots.incrementAndGet();
        if (locked(slot)) {
            lockedSlots.incrementAndGet();
        }
        return true;
    }

    /** Prepares a slot for {@link #discard}; false if it has to stay resident. */
    boolean beginDiscard(int slot) {
        if (resident.get(slot)) {
            resident.clear(slot);
            residentSlots.decrementAndGet();
            if (locked(slot)) {
                lockedSlots.decrementAndGet();
            }
        }
        if (data != null && locked(slot)) {
            try {
                data.unlock(dataOffset(slot), slabSize);
                unlocked.set(slot);
            } catch (MemoryException e) {
                logOnce("a slab that was handed back stays resident", e);
                return false;
            }
        }
        return true;
    }

    /** Gives a part of a slot back to the kernel; it reads as zeros then. False if that failed. */
    boolean discard(int slot, int offset, int length) {
        if (data == null) {
            return true;
        }
        try {
            data.discard(dataOffset(slot) + offset, length);
            return true;
        } catch (MemoryException e) {
            logOnce("a slab that was handed back stays resident; was all memory locked meanwhile?", e);
            return false;
        }
    }

    /** Locks again what {@link #beginDiscard} unlocked. */
    void relock(int slot) {
        if (unlocked.get(slot)) {
            String refusal = lock(slot, 1);
            if (refusal == null) {
                unlocked.clear(slot);
            } else if (!failureLogged) {
                failureLogged = true;
                LOG.warn("a slab could not be locked again: {}", refusal);
            }
        }
    }

    @Override
    public void close() {
        if (data != null) {
            data.close();
        }
        words.close();
    }

    private boolean locked(int slot) {
        return slot < lockableSlots && !unlocked.get(slot);
    }

    private @Nullable String lock(int firstSlot, int count) {
        String refusal = words.lock(wordsOffset(firstSlot), (long) count * wordsStride);
        return refusal != null || data == null ? refusal : data.lock(dataOffset(firstSlot), (long) count * slabSize);
    }

    private long dataOffset(int slot) {
        return (long) slot * slabSize;
    }

    private long wordsOffset(int slot) {
        return (long) slot * wordsStride;
    }

    private void logOnce(String what, MemoryException e) {
        if (!failureLogged) {
            failureLogged = true;
            LOG.warn("{}: {}", what, e.getMessage());
        }
    }
}
