package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.takeover.TakeoverPlan.Fate;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import java.io.IOException;
import java.util.BitSet;
import java.util.UUID;
import java.util.function.IntFunction;

/**
 * Writes a plan into the state file. Each step is true by itself, so that a server that is killed in the middle leaves a file that the
 * next one can go on with: pages are called lost before their row goes, and what donors say is taken over before the row that needs
 * it.
 */
final class TakeoverExecution {

    private final StateFile file;
    private final IntFunction<UUID> incarnations;
    private final MarksSource marks;
    private long lostSlabs;

    /**
     * Of one start.
     *
     * @param incarnations identity of the donor at a place of the server's list
     * @param marks what donors say of pages
     */
    TakeoverExecution(StateFile file, IntFunction<UUID> incarnations, MarksSource marks) {
        this.file = file;
        this.incarnations = incarnations;
        this.marks = marks;
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
            UUID holder = file.incarnation(slab);
            if (holder != null && granted.gone().contains(holder)) {
                file.lose(slab, false);
                lost++;
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
        switch (fate) {
            case BLANK -> {}
            case KEPT -> takeMarks(plan, slab, true);
            case ADOPTED -> {
                takeMarks(plan, slab, false);
                file.putSlab(slab, incarnations.apply(plan.donor(slab)), plan.handle(slab), plan.grantVersion(slab));
            }
            case LOST_AS_WRITTEN, LOST_WHOLE -> {
                file.lose(slab, fate == Fate.LOST_WHOLE);
                lostSlabs++;
            }
        }
    }

    /** Slabs that were found to be gone. */
    long lostSlabs() {
        return lostSlabs;
    }

    private void takeMarks(TakeoverPlan plan, int slab, boolean join) throws IOException {
        PageMarks of = marks.of(plan.donor(slab), plan.handle(slab));
        if (of != null) {
            file.mark(slab, of.written(), of.lost(), join);
        }
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
