package io.leapnbd.bypass.takeover;

import java.util.Arrays;
import java.util.BitSet;
import java.util.UUID;

/** What one donor lists: slabs by growing index, in 17 bytes each. Filled by one thread, then read. */
final class HeldSlabs {

    private final int donor;
    private final UUID incarnation;
    private int[] indices;
    private int[] handles;
    private long[] grants;
    private final BitSet touched = new BitSet();
    private int count;

    /**
     * An empty list.
     *
     * @param donor its place in the server's list
     * @param incarnation its identity
     * @param expected how many slabs it said that it holds
     */
    HeldSlabs(int donor, UUID incarnation, int expected) {
        this.donor = donor;
        this.incarnation = incarnation;
        indices = new int[Math.max(8, expected)];
        handles = new int[indices.length];
        grants = new long[indices.length];
    }

    /**
     * Adds one.
     *
     * @param used whether a write or trim has ever reached it
     */
    void add(int index, int handle, long grantVersion, boolean used) {
        if (count == indices.length) {
            int larger = count + (count >> 1);
            indices = Arrays.copyOf(indices, larger);
            handles = Arrays.copyOf(handles, larger);
            grants = Arrays.copyOf(grants, larger);
        }
        indices[count] = index;
        handles[count] = handle;
        grants[count] = grantVersion;
        touched.set(count, used);
        count++;
    }

    /** Place in the list of the slab with this index; negative if there is none. */
    int find(int index) {
        return Arrays.binarySearch(indices, 0, count, index);
    }

    int donor() {
        return donor;
    }

    UUID incarnation() {
        return incarnation;
    }

    int count() {
        return count;
    }

    int index(int i) {
        return indices[i];
    }

    int handle(int i) {
        return handles[i];
    }

    long grantVersion(int i) {
        return grants[i];
    }

    /** Whether a write or trim has ever reached it. One that was granted and never mapped was not: it holds nothing. */
    boolean touched(int i) {
        return touched.get(i);
    }
}
