package io.leapnbd.bypass.map;

import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * One slab of the device: where it is, if it is anywhere yet.
 *
 * <p>{@link #mapping()} is read by every request without a lock. All changes, and the list of those who wait for memory, are
 * guarded by this object's monitor, and are rare.
 */
public final class Slab {

    private final int index;
    private final Queue<Runnable> waiters = new ArrayDeque<>();
    private volatile @Nullable Mapping mapping;
    private volatile boolean damaged;
    private boolean allocating;

    Slab(int index) {
        this.index = index;
    }

    /** Its place in the device. */
    public int index() {
        return index;
    }

    /** Where it is; null as long as nothing was written to it, or after it was lost. */
    public @Nullable Mapping mapping() {
        return mapping;
    }

    /** Whether any of its pages may be lost. */
    public boolean damaged() {
        return damaged;
    }

    /**
     * Waits for the slab to be mapped.
     *
     * @param waiter run once, on whichever thread ends the allocation, whatever came of it; not if this returns false
     * @return false if the slab is mapped already
     */
    public synchronized boolean await(Runnable waiter) {
        if (mapping != null) {
            return false;
        }
        waiters.add(waiter);
        return true;
    }

    /** Whether the caller is the one to allocate: nobody else does, and it is needed. */
    public synchronized boolean beginAllocation() {
        if (allocating || mapping != null) {
            return false;
        }
        allocating = true;
        return true;
    }

    /** Ends an allocation that gave nothing, and tells those who wait. */
    public void failAllocation() {
        synchronized (this) {
            allocating = false;
        }
        wake();
    }

    void wake() {
        while (true) {
            Runnable waiter;
            synchronized (this) {
                waiter = waiters.poll();
            }
            if (waiter == null) {
                return;
            }
            waiter.run();
        }
    }

    void set(@Nullable Mapping to) {
        synchronized (this) {
            mapping = to;
            allocating = false;
        }
    }

    void damaged(boolean now) {
        damaged = now;
    }
}
