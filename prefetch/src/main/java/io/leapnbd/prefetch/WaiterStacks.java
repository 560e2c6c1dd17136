package io.leapnbd.prefetch;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * For each slot, the demand reads that wait for its fetch: a stack that is open only while a fetch is in flight. Pushing and
 * closing are lock-free and from any thread.
 */
final class WaiterStacks {

    /** On top of a closed stack; null is an open and empty one. */
    private static final Waiter CLOSED = new Waiter() {
        @Override
        protected void fetchEnded(int slot) {
            throw new AssertionError("nobody waits here");
        }
    };

    private final AtomicReferenceArray<@Nullable Waiter> tops;

    /** All closed. */
    WaiterStacks(int slots) {
        tops = new AtomicReferenceArray<>(slots);
        for (int slot = 0; slot < slots; slot++) {
            tops.set(slot, CLOSED);
        }
    }

    void open(int slot) {
        tops.set(slot, null);
    }

    /** Closes a slot's stack and returns what was on it, linked by {@link Waiter#next}, the last to come first. */
    @Nullable
    Waiter close(int slot) {
        return tops.getAndSet(slot, CLOSED);
    }

    /** Whether a slot's stack is open and not empty. */
    @SuppressWarnings("ReferenceEquality") // CLOSED is a marker, not a value
    boolean anyIn(int slot) {
        Waiter top = tops.get(slot);
        return top != null && top != CLOSED;
    }

    /** Pushes a waiter whose page is set, unless the stack is closed. */
    @SuppressWarnings("ReferenceEquality") // CLOSED is a marker, not a value
    boolean push(int slot, Waiter waiter) {
        while (true) {
            Waiter top = tops.get(slot);
            if (top == CLOSED) {
                return false;
            }
            waiter.next = top;
            if (tops.compareAndSet(slot, top, waiter)) {
                return true;
            }
        }
    }
}
