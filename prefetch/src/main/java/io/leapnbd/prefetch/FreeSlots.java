package io.leapnbd.prefetch;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The slots that hold no page: a stack that anybody pushes to without a lock, and that only the holder of the claim lock
 * pops from. One popper at a time means that the top cannot be taken and come back between reading what lies under it and
 * the compare-and-set, so there is no ABA problem.
 *
 * <p>The number of free slots shares a word with the top, so that it is exact.
 */
final class FreeSlots {

    /** No slot is free. */
    static final int NONE = -1;

    private static final int COUNT_SHIFT = 32;
    private static final long TOP_MASK = 0xffff_ffffL;

    /** count (32) | top slot + 1 (32). */
    private final AtomicLong head = new AtomicLong();

    /** The slot + 1 under each free slot, or 0. */
    private final AtomicIntegerArray under;

    /** All slots are free; slot 0 is on top. */
    FreeSlots(int slots) {
        under = new AtomicIntegerArray(slots);
        for (int slot = slots - 1; slot >= 0; slot--) {
            push(slot);
        }
    }

    int count() {
        return (int) (head.get() >>> COUNT_SHIFT);
    }

    /** From any thread. The slot must be nobody else's. */
    void push(int slot) {
        long old;
        do {
            old = head.get();
            under.setPlain(slot, (int) (old & TOP_MASK));
        } while (!head.compareAndSet(old, ((old >>> COUNT_SHIFT) + 1) << COUNT_SHIFT | slot + 1));
    }

    /** Under the claim lock. Returns {@link #NONE} when no slot is free. */
    int pop() {
        while (true) {
            long old = head.get();
            int top = (int) (old & TOP_MASK);
            if (top == 0) {
                return NONE;
            }
            int below = under.getPlain(top - 1);
            if (head.compareAndSet(old, ((old >>> COUNT_SHIFT) - 1) << COUNT_SHIFT | below)) {
                return top - 1;
            }
        }
    }
}
