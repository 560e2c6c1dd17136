package io.leapnbd.prefetch;

import org.jspecify.annotations.Nullable;

/**
 * A demand read that waits for a fetch of its page that is already on its way. Subclassed by the request object itself,
 * so that waiting allocates nothing.
 *
 * <p>From a successful {@link PageCache#await} until {@link #fetchEnded} the waiter belongs to the cache: it must not be
 * reused or made to wait elsewhere, and it cannot be taken back. A request that is given up meanwhile (its connection has
 * gone, say) stays in the chain and gives its slot back when it is told.
 */
public abstract class Waiter {

    /** The page wanted; written before the waiter is pushed, read by whoever ends the fetch. */
    long page;

    /** The one that was pushed before; written before the push, read after the chain has been taken off. */
    @Nullable
    Waiter next;

    /** For subclasses. */
    protected Waiter() {}

    /**
     * The fetch has ended. Called exactly once, on the thread that called {@link PageCache#publish} or
     * {@link PageCache#abort}, which need not be the waiter's own: hand over to the right event loop. Must not throw. May
     * call the cache.
     *
     * @param slot the slot that holds the page, pinned for this waiter, to be given back with {@link PageCache#consume} or
     *     {@link PageCache#release}; or {@link PageCache#MISS}: the fetch failed or was overtaken by a write, so read the
     *     page from the donor
     */
    protected abstract void fetchEnded(int slot);
}
