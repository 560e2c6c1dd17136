package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.takeover.SimDonor.SimSlab;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** The oracle of a simulation: what was acknowledged last, and what may be read besides, of each page of each content. */
final class Truths {

    static final int SLABS = 4;
    static final int PAGES = SLABS * SimSlab.PAGES;

    private final Map<UUID, Truth[]> contents = new HashMap<>();

    Truth at(UUID content, int page) {
        return contents.computeIfAbsent(content, fresh -> {
            Truth[] blank = new Truth[PAGES];
            for (int i = 0; i < PAGES; i++) {
                blank[i] = new Truth();
            }
            return blank;
        })[page];
    }

    /** What these slabs held is in no donor any more. */
    void gone(Map<Integer, SimSlab> slabs) {
        slabs.forEach((index, slab) -> {
            for (Truth[] truth : contents.values()) {
                for (int page = 0; page < SimSlab.PAGES; page++) {
                    truth[index * SimSlab.PAGES + page].lose(slab);
                }
            }
        });
    }

    /** A start says that these are given up, and it is not known whether it gets to its end. */
    void mayBeLost(Map<Integer, SimSlab> slabs) {
        slabs.forEach((index, slab) -> {
            for (Truth[] truth : contents.values()) {
                for (int page = 0; page < SimSlab.PAGES; page++) {
                    Truth at = truth[index * SimSlab.PAGES + page];
                    at.vague |= slab == at.holder || slab == at.unanswered;
                }
            }
        });
    }

    /** A start calls a whole slab lost, as nobody knows what was written there. */
    void wholeMayBeLost(UUID content, int slab) {
        for (int page = 0; page < SimSlab.PAGES; page++) {
            at(content, slab * SimSlab.PAGES + page).vague = true;
        }
    }

    /** Slabs that a server frees for want of use hold nothing that was acknowledged last. */
    void requireUnused(UUID content, Map<Integer, SimSlab> back) {
        back.forEach((index, slab) -> {
            for (int page = 0; page < SimSlab.PAGES; page++) {
                Truth at = at(content, index * SimSlab.PAGES + page);
                if (at.vague) {
                    // A start that was told to give it up did not get to its end.
                    at.lose(slab);
                } else if (at.holder == slab && at.value != 0) {
                    throw new AssertionError("a slab that is in use was freed: " + index);
                }
            }
        });
    }

    /**
     * A page was read.
     *
     * @param error whether that ended in an error; {@code value} does not count then
     */
    void read(UUID content, int page, boolean error, long value, String who) {
        Truth at = at(content, page);
        boolean right = error ? at.lost || at.vague : (!at.lost && value == at.value) || at.perhaps.contains(value);
        if (!right) {
            throw new AssertionError("page " + page + " reads as " + (error ? "an error" : value) + " on " + who
                    + "; acknowledged was " + at.value + ", perhaps " + at.perhaps
                    + (at.lost ? ", and that is lost" : ""));
        }
        if (!error && !at.perhaps.isEmpty()) {
            // Once it was read it is settled: what its server sent last can not arrive any more.
            // A page of zeros may still be marked as written, and is called lost then if its donor ends.
            boolean vague = at.vague;
            at.set(value, at.perhaps.contains(value) ? at.unanswered : at.holder);
            at.vague = vague;
        }
    }

    /** What is right for one page. */
    static final class Truth {

        /** Acknowledged last: 0 is blank. */
        private long value;

        /** Not acknowledged, and may have been done all the same. */
        private final Set<Long> perhaps = new HashSet<>();

        /** Where the value is; null if it is nowhere. */
        private @Nullable SimSlab holder;

        /** Where what was not acknowledged is; null if it is nowhere. */
        private @Nullable SimSlab unanswered;

        private boolean lost;

        /** An error may be read although nothing was lost: a server could not know, and said so. */
        private boolean vague;

        /** A write was sent, and its server was killed before it was acknowledged. It may have reached the slab, if one is named. */
        void sent(long to, @Nullable SimSlab in) {
            perhaps.add(to);
            if (in != null) {
                unanswered = in;
            }
            vague = true;
        }

        private void lose(SimSlab slab) {
            if (slab == unanswered) {
                // It cannot be read any more, so what was before may not either. But a trim leaves nothing that can be
                // lost: a start
                // that has seen it has written down that the page is blank (seed 1099101).
                perhaps.removeIf(sent -> sent != 0);
                unanswered = null;
                vague = true;
            }
            if (slab != holder) {
                return;
            }
            holder = null;
            lost |= value != 0;
            vague = true;
        }

        /** A write or trim was acknowledged. */
        void set(long to, @Nullable SimSlab in) {
            value = to;
            perhaps.clear();
            holder = in;
            unanswered = null;
            lost = false;
            vague = false;
        }
    }
}
