package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.SlabName;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The oracle of a simulation: what was acknowledged last, and what may be read besides, of each page of each content; and which copies have to be
 * there, so that nobody may call an index lost.
 */
final class Truths {

    static final int SLABS = 4;

    /** Pages of a slab that are looked at: two of one group of the write order, and one of another. */
    private static final int[] PAGES_OF_A_SLAB = {0, 1, 130};

    static final int PAGES_A_SLAB = PAGES_OF_A_SLAB.length;
    static final int PAGES = SLABS * PAGES_A_SLAB;

    /** Whether there is one copy of each slab, so that a page that was read is settled. */
    private final boolean single;

    private final Map<UUID, Content> contents = new HashMap<>();

    Truths(boolean single) {
        this.single = single;
    }

    /** Where a page is on the device, in bytes. */
    static long offset(int page) {
        return (long) (page / PAGES_A_SLAB) * SimDonor.SLAB_SIZE + 4096L * PAGES_OF_A_SLAB[page % PAGES_A_SLAB];
    }

    private static final class Content {

        private final Truth[] pages = new Truth[PAGES];
        private final List<Set<SlabName>> needed = new ArrayList<>();
    }

    private Content content(UUID id) {
        return contents.computeIfAbsent(id, _ -> {
            Content blank = new Content();
            for (int i = 0; i < PAGES; i++) {
                blank.pages[i] = new Truth(single);
            }
            for (int i = 0; i < SLABS; i++) {
                blank.needed.add(Set.of());
            }
            return blank;
        });
    }

    Truth at(UUID content, int page) {
        return content(content).pages[page];
    }

    /** The copies which no later server may call lost if all of them are there. */
    Set<SlabName> needed(UUID content, int slab) {
        return content(content).needed.get(slab);
    }

    /** A running server has placed an index so. As long as donors are not told, those that were needed before are needed too. */
    void placed(UUID content, int slab, Placement at) {
        Set<SlabName> all = believed(at);
        if (!at.told()) {
            all.addAll(needed(content, slab));
        }
        content(content).needed.set(slab, all);
    }

    /** A change was acknowledged under a placement: from now on that is enough. */
    void acknowledged(UUID content, int slab, Placement at) {
        content(content).needed.set(slab, believed(at));
    }

    /** Nobody needs a copy of an index, as nothing is in it. */
    void givenBack(UUID content, int slab) {
        content(content).needed.set(slab, Set.of());
    }

    /** Copies that have every acknowledged write. */
    static Set<SlabName> believed(Placement at) {
        Set<SlabName> all = new HashSet<>();
        for (int i = 0; i < at.size(); i++) {
            if (at.state(i) != Member.State.FILLING) {
                all.add(at.member(i).name());
            }
        }
        return all;
    }

    /**
     * A server calls an index lost.
     *
     * @param whole whether all of its pages; otherwise those that were ever changed
     */
    void lost(UUID content, int slab, boolean whole) {
        content(content).needed.set(slab, Set.of());
        for (int page = 0; page < PAGES_A_SLAB; page++) {
            Truth at = at(content, slab * PAGES_A_SLAB + page);
            if (whole || at.changed) {
                at.mayFail();
            }
        }
    }

    /** What is right for one page. */
    static final class Truth {

        private final boolean single;

        /** Acknowledged last: 0 is blank. */
        private long value;

        /** Not acknowledged, and may have been done all the same. */
        private final Set<Long> perhaps = new HashSet<>();

        /** Whether an error is right. */
        private boolean lost;

        /** Whether anybody has ever begun to change it. */
        private boolean changed;

        private long acknowledgements;

        private final List<Reading> open = new ArrayList<>();

        Truth(boolean single) {
            this.single = single;
        }

        private void mayFail() {
            lost = true;
            open.forEach(reading -> reading.mayFail = true);
        }

        /** A write or trim has begun; returns what {@link #acknowledged} wants to know. */
        long begun(long to) {
            perhaps.add(to);
            changed = true;
            open.forEach(reading -> reading.right.add(to));
            return acknowledgements;
        }

        /** It was acknowledged. Another one that was acknowledged meanwhile may be the later one. */
        void acknowledged(long to, long before) {
            open.forEach(reading -> reading.right.add(to));
            if (acknowledgements != before) {
                perhaps.add(to);
                return;
            }
            acknowledgements++;
            value = to;
            perhaps.clear();
            lost = false;
        }

        Reading read() {
            Reading reading = new Reading(this);
            open.add(reading);
            return reading;
        }
    }

    /** A read that is under way. */
    static final class Reading {

        private final Truth of;
        private final Set<Long> right = new HashSet<>();
        private final long acknowledgements;
        private boolean mayFail;

        private Reading(Truth of) {
            this.of = of;
            right.add(of.value);
            right.addAll(of.perhaps);
            mayFail = of.lost;
            acknowledgements = of.acknowledgements;
        }

        /** Whether a page that is called lost may be. */
        boolean mayFail() {
            return mayFail;
        }

        void end() {
            of.open.remove(this);
        }

        /** Null if it is right. */
        @Nullable
        String problem(long got) {
            if (!right.contains(got)) {
                return "reads as " + got + "; acknowledged was " + of.value + ", perhaps " + of.perhaps
                        + (of.lost ? ", and that is lost" : "");
            }
            if (of.single && got != of.value && of.perhaps.contains(got) && acknowledgements == of.acknowledgements) {
                // What its server sent before can not come back.
                of.value = got;
                of.perhaps.remove(got);
            }
            return null;
        }
    }
}
