package io.leapnbd.prefetch;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The locked half of the cache: finds a slot for a page, evicting what is oldest when the budget is used up.
 *
 * <p>One lock guards the {@linkplain ClaimOrder order of claims}, popping of {@linkplain FreeSlots free slots} and changes to
 * the {@linkplain PageIndex index}. It is held for well under a microsecond, by claims only. A claimer that does not get it
 * in a few microseconds (its holder has lost the processor) refuses the prefetch rather than wait.
 */
final class SlotClaims {

    /** How many slots in a row that cannot be evicted are passed over before a claim gives up. */
    private static final int EVICTION_STEPS = 64;

    /** How often a claim tries for the lock. */
    private static final int LOCK_SPINS = 200;

    private final int capacity;
    private final AtomicLongArray words;
    private final PageIndex index;
    private final PendingWrites pendingWrites;
    private final CacheCounters counters;
    private final FreeSlots free;

    private final AtomicBoolean lock = new AtomicBoolean();
    /** Guarded by the lock. */
    private final ClaimOrder order;

    /** Written under the lock. */
    private volatile int budget;

    SlotClaims(AtomicLongArray words, PageIndex index, PendingWrites pendingWrites, CacheCounters counters) {
        capacity = words.length();
        budget = capacity;
        this.words = words;
        this.index = index;
        this.pendingWrites = pendingWrites;
        this.counters = counters;
        free = new FreeSlots(capacity);
        order = new ClaimOrder(capacity);
    }

    /** See {@link PageCache#claim}. The slot is in FETCHING. */
    int claim(long page) {
        int slot = PageCache.NO_ROOM;
        if (tryLock()) {
            try {
                slot = claimLocked(page);
            } finally {
                unlock();
            }
        }
        if (slot == PageCache.NO_ROOM) {
            counters.add(CacheCounters.NO_ROOM);
        }
        return slot;
    }

    private int claimLocked(long page) {
        int vacant = PageIndex.NONE;
        int end = index.bucket(page) + PageIndex.WAYS;
        for (int at = end - PageIndex.WAYS; at < end; at++) {
            long entry = index.entry(at);
            if (entry == 0) {
                vacant = at;
                continue;
            }
            long word = words.get(PageIndex.slot(entry));
            if (!SlotWord.live(word) || SlotWord.page(word) != PageIndex.page(entry)) {
                vacant = at;
            } else if (SlotWord.page(word) == page) {
                return SlotWord.state(word) == SlotWord.READY ? PageCache.PRESENT : PageCache.IN_FLIGHT;
            }
        }
        if (vacant == PageIndex.NONE) {
            return PageCache.NO_ROOM;
        }
        int slot = takeSlot();
        if (slot == FreeSlots.NONE) {
            return PageCache.NO_ROOM;
        }
        index.forget(slot);
        words.set(slot, page | SlotWord.FETCHING);
        index.put(vacant, page, slot);
        // Only now, when a write that begins can see the slot; the essay in PageCache says why.
        if (pendingWrites.covers(page)) {
            // Nobody pins a slot in FETCHING, and a write that has found it made it STALE at most.
            free(slot);
            return PageCache.BEING_WRITTEN;
        }
        return slot;
    }

    private int takeSlot() {
        while (inUse() >= budget) {
            if (!evictOldest()) {
                return FreeSlots.NONE;
            }
        }
        int slot = free.pop();
        if (slot != FreeSlots.NONE) {
            order.append(slot);
        }
        return slot;
    }

    /** Frees the oldest page that is ready and not being read. Under the lock. */
    private boolean evictOldest() {
        int steps = 0;
        while (steps < EVICTION_STEPS) {
            int slot = order.oldest();
            if (slot == ClaimOrder.NONE) {
                return false;
            }
            long word = words.get(slot);
            if (word == SlotWord.EMPTY) {
                order.unlink(slot);
            } else if (SlotWord.state(word) != SlotWord.READY || SlotWord.pinned(word)) {
                order.append(slot);
                steps++;
            } else if (words.compareAndSet(slot, word, SlotWord.EMPTY)) {
                order.unlink(slot);
                counters.add(CacheCounters.EVICTED);
                if (!SlotWord.used(word)) {
                    counters.add(CacheCounters.EVICTED_UNUSED);
                }
                free.push(slot);
                return true;
            }
        }
        return false;
    }

    /** Empties a slot that is the caller's alone. No lock. */
    void free(int slot) {
        words.set(slot, SlotWord.EMPTY);
        free.push(slot);
    }

    /** Takes back a slot that the caller has just made empty. No lock. */
    void freed(int slot) {
        free.push(slot);
    }

    /** See {@link PageCache#resize}; checked there. */
    void resize(int slots) {
        while (!tryLock()) {
            Thread.onSpinWait();
        }
        try {
            budget = slots;
            boolean evicted = true;
            while (evicted && inUse() > slots) {
                evicted = evictOldest();
            }
        } finally {
            unlock();
        }
    }

    /** Slots that may be used. */
    int budget() {
        return budget;
    }

    /** Slots that are not free. */
    int inUse() {
        return capacity - free.count();
    }

    private boolean tryLock() {
        for (int spin = 0; spin < LOCK_SPINS; spin++) {
            if (lock.compareAndSet(false, true)) {
                return true;
            }
            Thread.onSpinWait();
        }
        return false;
    }

    private void unlock() {
        lock.set(false);
    }
}
