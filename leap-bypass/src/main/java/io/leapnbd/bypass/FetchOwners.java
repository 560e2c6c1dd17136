package io.leapnbd.bypass;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Which loop fetches into a slot of the cache, so that a demand on another one can have the fetch hurried up. An entry stays
 * when its fetch has ended; whoever uses it asks the loop, which knows.
 */
final class FetchOwners {

    private final AtomicReferenceArray<@Nullable CachedPages> owners;

    FetchOwners(int slots) {
        owners = new AtomicReferenceArray<>(slots);
    }

    void set(int slot, CachedPages owner) {
        owners.set(slot, owner);
    }

    @Nullable
    CachedPages get(int slot) {
        return owners.get(slot);
    }
}
