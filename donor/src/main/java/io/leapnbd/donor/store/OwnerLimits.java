package io.leapnbd.donor.store;

import java.util.Map;

/**
 * How much one owner's exports may hold together at a donor. Immutable.
 *
 * @param each bytes for owners that are not named; {@link #UNLIMITED} for as much as there is
 * @param named bytes for those that are; 0 lets them hold nothing
 */
public record OwnerLimits(long each, Map<String, Long> named) {

    /** As much as there is. */
    public static final long UNLIMITED = Long.MAX_VALUE;

    /** Nobody is limited. */
    public static final OwnerLimits NONE = new OwnerLimits(UNLIMITED, Map.of());

    /**
     * Checks them.
     *
     * @throws IllegalArgumentException if one is negative
     */
    public OwnerLimits {
        named = Map.copyOf(named);
        if (each < 0 || named.values().stream().anyMatch(bytes -> bytes < 0)) {
            throw new IllegalArgumentException("a limit below zero for an owner");
        }
    }

    /** Whole slabs that fit an owner's limit; {@link OwnerAccount#UNLIMITED} for as many as there are. */
    int slabs(String owner, int slabSize) {
        long bytes = named.getOrDefault(owner, each);
        return bytes == UNLIMITED ? OwnerAccount.UNLIMITED : (int) Math.min(bytes / slabSize, StoreSettings.MAX_SLABS);
    }
}
