package io.leapnbd.bypass.cache;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Which loop fetches into a slot of the cache, so that a demand on another one can have the fetch hurried up. An entry stays
 * when its fetch has ended; whoever uses it asks the loop, which knows.
 */
public final class FetchOwners {

    private final AtomicReferenceArray<@Nullable PageFetches> owners;

    /** For a cache of so many slots. */
    public FetchOwners(int slots) {
        owners = new AtomicReferenceArray<>(slots);
    }

    void set(int slot, PageFetches owner) {
        owners.set(slot, owner);
    }

    @Nullable
    PageFetches get(int slot) {
        return owners.get(slot);
    }
}
