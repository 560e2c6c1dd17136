package io.leapnbd.donor.store;

import java.util.concurrent.atomic.AtomicLong;

/** Small stores for tests. */
final class Settings {

    static final int SLAB = 1 << 20;

    private Settings() {}

    static StoreSettings slabs(int count) {
        return StoreSettings.ofMemory((long) count * SLAB, SLAB).withReadySlabs(1);
    }

    /** With a clock that only the test moves. */
    static StoreSettings slabs(int count, AtomicLong clock) {
        return slabs(count).withNanoClock(clock::get);
    }
}
