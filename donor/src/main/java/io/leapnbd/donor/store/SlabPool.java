package io.leapnbd.donor.store;

import java.util.BitSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Which slots are free, and in what state.
 *
 * <pre>
 *                  take                        recycle
 *    READY  -------------------+         +---------------->  DIRTY
 *      ^                       |         |                    | |
 *      | populate              v         |    zeroed, stays   | |  given back
 *    FRESH  ----------------> LENT ------+   resident: READY  + +  to the kernel: FRESH
 *                              ^
 *    DIRTY  -------------------+   (only if nothing else is free)
 * </pre>
 *
 * <p>READY is resident and zero; FRESH is not resident; DIRTY holds what its last owner wrote. A slot can be taken in any of
 * these states at once, so a grant never waits and never fails for want of preparation: one that is taken FRESH becomes
 * resident behind the back of its new owner, and one that is taken DIRTY is blank because its words are (see
 * {@link SlabPages}). A pool that is to keep no slot ready makes none resident, lent or not: pages become so as they are written.
 *
 * <p>No more slots are lent than a {@linkplain #lendAtMost limit} that may change at any time, also to less than are lent. No more are kept ready
 * than can be lent.
 *
 * <p>The slow part is done in small bits by one worker thread. What must not meet a grant, wiping a DIRTY slot, goes in steps
 * of {@link #WIPE_STEP}, each under the lock: that, some 50 µs, is the longest that a grant waits.
 */
final class SlabPool {

    /** Divides every slab size. */
    private static final int WIPE_STEP = 256 << 10;

    private static final int NONE = -1;

    private final SlabMemory memory;
    private final int readyTarget;

    /** How many slots are not lent. Changed under the lock, read by anybody. */
    private final AtomicInteger free;

    /** How many slots may be lent. Changed under the lock, read by anybody. */
    private volatile int limit;

    /** Fair, so that a grant gets in between two steps of the worker. Guards everything below. */
    private final ReentrantLock lock = new ReentrantLock(true);

    private final Condition workThere = lock.newCondition();
    private final Condition allFree = lock.newCondition();
    private final SlotQueue ready = new SlotQueue();
    private final SlotQueue fresh = new SlotQueue();
    private final SlotQueue dirty = new SlotQueue();

    /** Slots that were lent without being resident. */
    private final SlotQueue toPopulate = new SlotQueue();

    /** Slots that were lent DIRTY: their bytes are another owner's where their words say that they are zeros. */
    private final BitSet soiled = new BitSet();

    /** Slots from this one on were never lent, and are FRESH too. */
    private int untouched;

    /** The last refill failed; the next is tried after a pause. */
    private boolean outOfMemory;

    /** The DIRTY slot that is being wiped: its first {@link #wiped} bytes are zero. */
    private int wiping = NONE;

    private int wiped;
    private boolean wipingInPlace;

    SlabPool(SlabMemory memory, int readyTarget) {
        this.memory = memory;
        this.readyTarget = Math.min(readyTarget, memory.slots());
        free = new AtomicInteger(memory.slots());
        limit = memory.slots();
    }

    /** Takes some slots out for slabs that were kept; before anything else is asked for. */
    void restore(BitSet kept) {
        lock.lock();
        try {
            for (int slot = 0; slot < memory.slots(); slot++) {
                if (!kept.get(slot)) {
                    fresh.addLast(slot);
                }
            }
            untouched = memory.slots();
            free.addAndGet(-kept.cardinality());
        } finally {
            lock.unlock();
        }
    }

    /** How many slots can be taken now. */
    int free() {
        return Math.max(0, limit - lent());
    }

    /** How many slots are lent, or were handed back and are still used. */
    int lent() {
        return memory.slots() - free.get();
    }

    /** How many more slots are lent than may be. */
    int excess() {
        return Math.max(0, lent() - limit);
    }

    /** From now on so many slots may be lent, and no more than there are. What is lent stays so. */
    void lendAtMost(int slots) {
        lock.lock();
        try {
            limit = Math.clamp(slots, 0, memory.slots());
            workThere.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Address of a slot's bytes. */
    long data(int slot) {
        return memory.data(slot);
    }

    /** Address of a slot's words. */
    long words(int slot) {
        return memory.words(slot);
    }

    /** A blank slot; negative if none is free. */
    int take() {
        int slot;
        boolean blank = true;
        lock.lock();
        try {
            if (free() == 0) {
                return NONE;
            }
            if (!ready.isEmpty()) {
                slot = ready.removeFirst();
            } else {
                if (untouched < memory.slots()) {
                    slot = untouched++;
                } else if (!fresh.isEmpty()) {
                    slot = fresh.removeFirst();
                } else if (!dirty.isEmpty()) {
                    slot = dirty.removeLast();
                    blank = false;
                    if (slot == wiping) {
                        wiping = NONE;
                    }
                } else {
                    return NONE;
                }
                if (readyTarget > 0) {
                    toPopulate.addLast(slot);
                }
            }
            soiled.set(slot, !blank);
            free.decrementAndGet();
            workThere.signal();
        } finally {
            lock.unlock();
        }
        if (!blank) {
            memory.blank(slot);
        }
        return slot;
    }

    /** Whether a slot that is lent was all zeros when it was. */
    boolean wasClean(int slot) {
        lock.lock();
        try {
            return !soiled.get(slot);
        } finally {
            lock.unlock();
        }
    }

    /** Takes back a slot that nobody uses any more. */
    void recycle(int slot) {
        lock.lock();
        try {
            dirty.addLast(slot);
            if (free.incrementAndGet() == memory.slots()) {
                allFree.signalAll();
            }
            workThere.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Waits until no slot is lent; false if some still were after {@code nanos}. */
    boolean awaitAllFree(long nanos) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long left = nanos;
            while (free.get() < memory.slots()) {
                if (left <= 0) {
                    return false;
                }
                left = allFree.awaitNanos(left);
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Does a small bit of the most urgent work; false if there is none. For the worker thread. */
    boolean work() {
        return populateLent() || wipe() || keepFewerReady() || refill();
    }

    /** Waits until there may be work, at most {@code nanos}. For the worker thread. */
    void awaitWork(long nanos) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            long left = nanos;
            while (left > 0
                    && toPopulate.isEmpty()
                    && dirty.isEmpty()
                    && ready.size() <= toKeepReady()
                    && (outOfMemory || ready.size() == toKeepReady() || nothingFresh())) {
                left = workThere.awaitNanos(left);
            }
            outOfMemory = false;
        } finally {
            lock.unlock();
        }
    }

    /** Under the lock. */
    private int toKeepReady() {
        return Math.min(readyTarget, free());
    }

    private boolean nothingFresh() {
        return fresh.isEmpty() && untouched == memory.slots();
    }

    private boolean populateLent() {
        int slot;
        lock.lock();
        try {
            if (toPopulate.isEmpty()) {
                return false;
            }
            slot = toPopulate.removeFirst();
        } finally {
            lock.unlock();
        }
        // Handed back already? Then it is resident for nothing until it is wiped.
        memory.populate(slot);
        return true;
    }

    /** A ready slot that cannot be lent keeps memory for nothing. */
    private boolean keepFewerReady() {
        lock.lock();
        try {
            if (ready.size() <= toKeepReady()) {
                return false;
            }
            dirty.addLast(ready.removeFirst());
            return true;
        } finally {
            lock.unlock();
        }
    }

    private boolean refill() {
        int slot;
        lock.lock();
        try {
            if (outOfMemory || ready.size() >= toKeepReady() || nothingFresh()) {
                return false;
            }
            if (fresh.isEmpty()) {
                fresh.addLast(untouched++);
            }
            slot = fresh.last();
        } finally {
            lock.unlock();
        }
        boolean populated = memory.populate(slot);
        lock.lock();
        try {
            outOfMemory = !populated;
            // Unless somebody took it meanwhile.
            if (populated && fresh.remove(slot)) {
                ready.addLast(slot);
            }
        } finally {
            lock.unlock();
        }
        return populated;
    }

    /** Wipes the DIRTY slot that was handed back first by one step. */
    private boolean wipe() {
        int slot;
        boolean begin;
        boolean inPlace;
        lock.lock();
        try {
            if (dirty.isEmpty()) {
                return false;
            }
            slot = dirty.first();
            begin = slot != wiping;
            inPlace = ready.size() < toKeepReady() && memory.isResident(slot);
        } finally {
            lock.unlock();
        }
        if (begin && !inPlace) {
            // Takes its time, and harms nobody who takes the slot meanwhile.
            inPlace = !memory.beginDiscard(slot);
        }
        boolean gone = false;
        lock.lock();
        try {
            if (begin && !dirty.isEmpty() && dirty.first() == slot) {
                wiping = slot;
                wiped = 0;
                wipingInPlace = inPlace;
            }
            if (slot == wiping) {
                gone = wipeStep(slot) && !wipingInPlace;
            }
        } finally {
            lock.unlock();
        }
        if (gone) {
            memory.relock(slot);
        }
        return true;
    }

    /** True if it was the last. */
    private boolean wipeStep(int slot) {
        if (wiped < memory.slabSize()) {
            if (!wipingInPlace && !memory.discard(slot, wiped, WIPE_STEP)) {
                wipingInPlace = true;
            }
            if (wipingInPlace) {
                memory.zero(slot, wiped, WIPE_STEP);
            }
            wiped += WIPE_STEP;
            return false;
        }
        memory.blank(slot);
        int _ = dirty.removeFirst();
        wiping = NONE;
        (wipingInPlace ? ready : fresh).addLast(slot);
        return true;
    }
}
