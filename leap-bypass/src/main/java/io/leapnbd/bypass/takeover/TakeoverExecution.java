package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.map.StateHeader;
import io.leapnbd.bypass.takeover.TakeoverPlan.Fate;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import java.io.IOException;
import java.util.BitSet;
import java.util.List;

/**
 * Writes a plan into the state file. Each step is true by itself, so that a server that is killed in the middle leaves a file that the
 * next one can go on with: pages are called lost before their row goes, and what donors say is taken over before the row that needs
 * it.
 */
final class TakeoverExecution {

    private final StateFile file;
    private final MarksSource marks;
    private final long tellGeneration;
    private long lostSlabs;

    /**
     * Of one start.
     *
     * @param marks what donors say of pages
     * @param tellGeneration of the placements that donors were told of in this start
     */
    TakeoverExecution(StateFile file, MarksSource marks, long tellGeneration) {
        this.file = file;
        this.marks = marks;
        this.tellGeneration = tellGeneration;
    }

    /**
     * Before the claims: what a true file says of donors that have lost what they held. A claim wipes out what shows it, so that a later start
     * would wait for a slab that is not there.
     *
     * @return how many slabs that were
     */
    static int loseGone(StateFile file, Granted granted) {
        int lost = 0;
        for (int slab = 0; slab < file.slabs() && granted.complete(); slab++) {
            SlabRow row = file.row(slab);
            if (row == null
                    || row.copies().stream().noneMatch(copy -> granted.gone().contains(copy.incarnation()))) {
                continue;
            }
            List<SlabRow.Copy> left = row.copies().stream()
                    .filter(copy -> !granted.gone().contains(copy.incarnation()))
                    .toList();
            if (left.isEmpty()) {
                file.lose(slab, false);
                lost++;
            } else {
                // Whether what is left has everything is decided from the lists.
                file.putRow(slab, new SlabRow(row.generation(), left));
            }
        }
        return lost;
    }

    /**
     * Writes what became of one slab.
     *
     * @throws IOException if its donor cannot be asked
     */
    void apply(TakeoverPlan plan, int slab) throws IOException {
        Fate fate = plan.fate(slab);
        PlannedSlab planned = plan.planned(slab);
        switch (fate) {
            case BLANK -> {}
            case KEPT, ADOPTED -> {
                if (planned != null) {
                    take(slab, planned, fate == Fate.KEPT);
                }
            }
            case LOST_AS_WRITTEN, LOST_WHOLE -> {
                file.lose(slab, fate == Fate.LOST_WHOLE);
                lostSlabs++;
            }
        }
    }

    private void take(int slab, PlannedSlab planned, boolean join) throws IOException {
        PlannedSlab.Copy first = planned.first();
        PageMarks of = marks.of(first.donor(), first.handle());
        if (of != null) {
            file.mark(slab, of.written(), of.lost(), join);
        }
        if (!file.seals().reserve(slab)) {
            throw new IOException("there is no room in the state folder for the seals of the pages that donors hold;"
                    + " make room, name another --state-dir, or go on without them by --seals off");
        }
        if (!join || file.header().boot().equals(StateHeader.NOBODY)) {
            // The file is not the truth: its seals may be of older bytes than donors hold.
            file.seals().forget(slab);
        }
        long generation = planned.generation();
        if (planned.untold()) {
            generation = tellGeneration;
        }
        List<SlabRow.Copy> copies = planned.copies().stream()
                .map(copy -> new SlabRow.Copy(copy.incarnation(), copy.handle(), copy.grantVersion(), copy.state()))
                .toList();
        file.putRow(slab, new SlabRow(generation, copies));
    }

    /** Slabs that were found to be gone. */
    long lostSlabs() {
        return lostSlabs;
    }

    /**
     * What a donor says of a slab's pages.
     *
     * @param written those that are written
     * @param lost those that are lost
     */
    record PageMarks(BitSet written, BitSet lost) {}

    /** Asks donors for the marks of pages. */
    @FunctionalInterface
    interface MarksSource {

        /** The marks of a slab; null if its donor does not answer and is waited for. */
        @org.jspecify.annotations.Nullable
        PageMarks of(int donor, int handle) throws IOException;
    }
}
