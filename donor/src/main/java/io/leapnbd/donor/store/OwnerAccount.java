package io.leapnbd.donor.store;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * What one owner has at a donor, over all its exports. Changed under the lock of {@link ExportTable}; {@link #left} may be asked by any
 * thread.
 */
final class OwnerAccount {

    static final int UNLIMITED = -1;

    final String name;

    /** Slabs that it may hold; {@link #UNLIMITED} for as many as there are. */
    volatile int limit;

    private final AtomicInteger slabs = new AtomicInteger();

    /** Exports that it has made and that are known. */
    int exports;

    /** Bytes of their notes. */
    int noteBytes;

    OwnerAccount(String name, int limit) {
        this.name = name;
        this.limit = limit;
    }

    void add(int more) {
        int _ = slabs.addAndGet(more);
    }

    int slabs() {
        return slabs.get();
    }

    /** Slabs that it may hold beyond those that it has; those that others had before it claimed their export count too. */
    int left() {
        return limit == UNLIMITED ? Integer.MAX_VALUE : Math.max(0, limit - slabs.get());
    }
}
