package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.donor.protocol.SlabName;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What donors list for one index, and which of it is believed: docs/replicas.md, "What a later server believes". A pure function.
 *
 * @param slabs every slab of the index that counts: at donors that this start has claimed, and whose slabs it does not give up
 */
record ListedCopies(List<Listed> slabs) {

    /**
     * One slab.
     *
     * @param donor its donor's place in the server's list
     * @param name what donors call it for good
     * @param generation of its grant, or of the last that it was placed in
     * @param touched whether a write or trim has ever reached it
     * @param filling whether it does not have every acknowledged write
     * @param names the live copies, as its donor was told
     */
    record Listed(int donor, SlabName name, long generation, boolean touched, boolean filling, List<SlabName> names) {}

    /**
     * The highest generation that counts: of a live slab, if it or one that it names was ever touched; 0 if there is none. One that was filled from
     * blank pages is not touched, and what it names is newer than what the others know.
     */
    long generation() {
        long highest = 0;
        for (Listed one : slabs) {
            if (!one.filling() && one.generation() > highest && touched(one.generation())) {
                highest = one.generation();
            }
        }
        return highest;
    }

    private boolean touched(long generation) {
        for (Listed one : slabs) {
            if (!one.filling() && one.generation() == generation && (one.touched() || namesTouched(one))) {
                return true;
            }
        }
        return false;
    }

    private boolean namesTouched(Listed one) {
        for (SlabName name : one.names()) {
            Listed at = live(name);
            if (at != null && at.touched()) {
                return true;
            }
        }
        return false;
    }

    /** Whether a slab is being filled from live ones, of which none is to be seen: it tells that there was something. */
    boolean onlyFilling() {
        for (Listed one : slabs) {
            if (one.filling()) {
                for (SlabName name : one.names()) {
                    if (live(name) == null) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    /** The placement that is believed; null if what counts cannot be believed, so that the index is lost. */
    @Nullable
    PlannedSlab believed() {
        long generation = generation();
        Set<SlabName> names = new HashSet<>();
        for (Listed one : slabs) {
            if (!one.filling() && one.generation() == generation) {
                names.addAll(one.names());
            }
        }
        List<Listed> named = new ArrayList<>();
        for (SlabName name : names) {
            Listed at = live(name);
            if (at == null) {
                return null;
            }
            named.add(at);
        }
        List<Listed> live = named.stream()
                .filter(one -> named.stream().allMatch(other -> other.names().contains(one.name())))
                .toList();
        if (live.isEmpty()) {
            return null;
        }
        List<PlannedSlab.Copy> copies = new ArrayList<>();
        for (Listed one : live) {
            copies.add(copy(one, State.LIVE));
        }
        for (Listed one : named) {
            if (!live.contains(one)) {
                copies.add(copy(one, State.COMPLETE));
            }
        }
        return new PlannedSlab(generation, List.copyOf(copies), !allTold(live));
    }

    /** Whether live copies know exactly each other. */
    static boolean allTold(List<Listed> live) {
        Set<SlabName> names = new HashSet<>();
        live.forEach(one -> names.add(one.name()));
        return live.stream().allMatch(one -> new HashSet<>(one.names()).equals(names));
    }

    static PlannedSlab.Copy copy(Listed one, State state) {
        SlabName name = one.name();
        return new PlannedSlab.Copy(one.donor(), name.incarnation(), name.handle(), name.grantVersion(), state, true);
    }

    /** The very slab that is named, if it is live: another one of its process, or of its handle, would not have the bytes. Null if it is not. */
    private @Nullable Listed live(SlabName name) {
        for (Listed one : slabs) {
            if (!one.filling() && one.name().equals(name)) {
                return one;
            }
        }
        return null;
    }

    /** The very slab of a row; null if its donor does not list it. */
    @Nullable
    Listed find(UUID incarnation, int handle, long grantVersion) {
        for (Listed one : slabs) {
            SlabName name = one.name();
            if (name.handle() == handle
                    && name.grantVersion() == grantVersion
                    && name.incarnation().equals(incarnation)) {
                return one;
            }
        }
        return null;
    }
}
