package io.leapnbd.bypass.takeover;

import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What one donor lists: slabs by growing index, in 17 bytes each; if any was placed, in 12 more, and 16 for
 * each name. Filled by one thread, then read.
 */
final class HeldSlabs {

    private final int donor;
    private final UUID incarnation;
    private int[] indices;
    private int[] handles;
    private long[] generations;
    private final BitSet touched = new BitSet();

    /** Null as long as no slab was placed: then these are the generations. */
    private long @Nullable [] grantVersions;

    private final BitSet filling = new BitSet();

    /** Where the names of each slab begin, in {@link #names}, and end; null as long as there are none. */
    private int @Nullable [] firstNames;

    /** Two words for each name: process and handle, and version of the grant. */
    private long[] names = {};

    private int nameCount;

    /** The processes that are named. */
    private final List<UUID> processes = new ArrayList<>();

    private final Map<UUID, Integer> processNumbers = new HashMap<>();

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
        generations = new long[indices.length];
    }

    /**
     * Adds one.
     *
     * @param grantVersion version of its grant: with process and handle, which slab it is
     * @param generation that version, or a higher one of the last placement
     * @param used whether a write or trim has ever reached it
     * @param its whether it is live, and which copies there are
     */
    void add(int index, int handle, long grantVersion, long generation, boolean used, SlabCopies its) {
        if (count == indices.length) {
            int larger = count + (count >> 1);
            indices = Arrays.copyOf(indices, larger);
            handles = Arrays.copyOf(handles, larger);
            generations = Arrays.copyOf(generations, larger);
            grantVersions = grantVersions == null ? null : Arrays.copyOf(grantVersions, larger);
            firstNames = firstNames == null ? null : Arrays.copyOf(firstNames, larger + 1);
        }
        if (grantVersions == null && grantVersion != generation) {
            grantVersions = generations.clone();
        }
        if (grantVersions != null) {
            grantVersions[count] = grantVersion;
        }
        filling.set(count, its.filling());
        if (firstNames == null && its.count() > 0) {
            firstNames = new int[indices.length + 1];
        }
        if (firstNames != null) {
            its.names().forEach(this::addName);
            firstNames[count + 1] = nameCount;
        }
        indices[count] = index;
        handles[count] = handle;
        generations[count] = generation;
        touched.set(count, used);
        count++;
    }

    private void addName(SlabName name) {
        if (2 * nameCount == names.length) {
            names = Arrays.copyOf(names, Math.max(16, 2 * names.length));
        }
        int process = processNumbers.computeIfAbsent(name.incarnation(), fresh -> {
            processes.add(fresh);
            return processes.size() - 1;
        });
        names[2 * nameCount] = (long) process << Integer.SIZE | name.handle();
        names[2 * nameCount + 1] = name.grantVersion();
        nameCount++;
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

    /** Version of its grant. */
    long grantVersion(int i) {
        return grantVersions == null ? generations[i] : grantVersions[i];
    }

    /** What the slab is called for good. */
    SlabName name(int i) {
        return new SlabName(incarnation, handles[i], grantVersion(i));
    }

    /** Of its grant, or of the last that it was placed in. */
    long generation(int i) {
        return generations[i];
    }

    /** Whether it does not have every acknowledged write: then it is never used. */
    boolean filling(int i) {
        return filling.get(i);
    }

    /** The live copies, as this donor was told; its own slab among them exactly if that is live. */
    List<SlabName> names(int i) {
        int from = firstNames == null ? 0 : firstNames[i];
        int to = firstNames == null ? 0 : firstNames[i + 1];
        if (from == to) {
            return filling(i) ? List.of() : List.of(name(i));
        }
        List<SlabName> all = new ArrayList<>(to - from);
        for (int at = from; at < to; at++) {
            long slab = names[2 * at];
            all.add(new SlabName(processes.get((int) (slab >>> Integer.SIZE)), (int) slab, names[2 * at + 1]));
        }
        return all;
    }

    /** Whether a write or trim has ever reached it. One that was granted and never mapped was not: it holds nothing. */
    boolean touched(int i) {
        return touched.get(i);
    }
}
