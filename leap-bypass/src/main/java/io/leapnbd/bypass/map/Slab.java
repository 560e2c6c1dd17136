package io.leapnbd.bypass.map;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * One slab of the device: where it is, if it is anywhere yet.
 *
 * <p>{@link #mapping()} is read by every request without a lock. All changes, and the list of those who wait for memory, are
 * guarded by this object's monitor, and are rare.
 */
public final class Slab {

    private final int index;
    private final Queue<IntConsumer> waiters = new ArrayDeque<>();
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
     * @param waiter called once, on whichever thread ends the allocation, with 0 or the error that it ended with; not at all if
     *     this returns false
     * @return false if the slab is mapped already
     */
    public synchronized boolean await(IntConsumer waiter) {
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

    /**
     * Ends an allocation that gave nothing, and tells those who wait.
     *
     * @param error the code of an NBD error
     */
    public void failAllocation(int error) {
        synchronized (this) {
            allocating = false;
        }
        wake(error);
    }

    void wake(int error) {
        while (true) {
            IntConsumer waiter;
            synchronized (this) {
                waiter = waiters.poll();
            }
            if (waiter == null) {
                return;
            }
            waiter.accept(error);
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
