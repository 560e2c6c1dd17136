package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.takeover.ListedCopies.Listed;
import io.leapnbd.bypass.takeover.PlannedSlab.Copy;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Source;
import io.leapnbd.donor.protocol.SlabName;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of each slab of the device: decided from the state file and from what the donors list after the claim, when nothing
 * changes any more. A pure function.
 *
 * <p>If the file is the truth, its rows are: a slab that a donor lists and the file does not name was granted and never written down, so it
 * was never used. Otherwise, of all that are known for one index, the slabs with the highest generation are those in use. Rows of the file
 * compete with slabs that donors list, if a write or trim has ever reached these: a slab that was never used may have been granted in vain,
 * before or after the one in use. If the winner is a row whose donor process has ended, or does not hold the slab any more, the index is lost,
 * however many older slabs there are. Which copies of one generation are believed, {@link ListedCopies} says.
 */
final class TakeoverPlan {

    /** What becomes of a slab. */
    enum Fate {
        /** Nobody ever held it. */
        BLANK,
        /** The file's row is right, or its donor is waited for. */
        KEPT,
        /** A donor holds it, and the file does not say so. */
        ADOPTED,
        /** It is gone. What the file calls written is lost; the rest is blank. */
        LOST_AS_WRITTEN,
        /** It is gone, and nobody knows what was written there: all of it is lost. */
        LOST_WHOLE
    }

    private static final Fate[] FATES = Fate.values();

    private final byte[] fates;
    private final @Nullable PlannedSlab[] planned;
    private final List<Superseded> superseded = new ArrayList<>();
    private int unexplained;

    private TakeoverPlan(int slabs) {
        fates = new byte[slabs];
        planned = new PlannedSlab[slabs];
    }

    /**
     * Plans.
     *
     * @param granted what was decided before the claim
     * @param file the state file; looked at only if the decision says so
     * @param slabs slabs of the device
     * @param held what each claimed donor lists
     */
    static TakeoverPlan of(Granted granted, @Nullable Recorded file, int slabs, List<HeldSlabs> held) {
        TakeoverPlan plan = new TakeoverPlan(slabs);
        int[] cursors = new int[held.size()];
        for (int slab = 0; slab < slabs; slab++) {
            plan.decide(granted, file, slab, listed(slab, held, cursors));
        }
        for (int i = 0; i < held.size(); i++) {
            plan.beyond(held.get(i), cursors[i]);
        }
        return plan;
    }

    /** What all donors list for an index, in the order of growing indices. */
    private static List<Listed> listed(int slab, List<HeldSlabs> held, int[] cursors) {
        List<Listed> all = List.of();
        for (int i = 0; i < cursors.length; i++) {
            HeldSlabs at = held.get(i);
            int entry = cursors[i];
            if (entry < at.count() && at.index(entry) == slab) {
                cursors[i]++;
                all = all.isEmpty() ? new ArrayList<>(2) : all;
                all.add(new Listed(
                        at.donor(),
                        at.name(entry),
                        at.generation(entry),
                        at.touched(entry),
                        at.filling(entry),
                        at.names(entry)));
            }
        }
        return all;
    }

    private void decide(Granted granted, @Nullable Recorded file, int slab, List<Listed> listed) {
        Recorded.SlabRows rows = granted.source() == Source.FILE && file != null ? file.slabs() : null;
        boolean byLists = granted.source() == Source.LISTS || (granted.source() == Source.FILE && !granted.complete());
        ListedCopies copies = new ListedCopies(byLists ? without(granted, listed) : List.of());
        long generation = copies.generation();
        PlannedSlab chosen = generation == 0 ? null : copies.believed();
        Fate fate = chosen != null ? Fate.ADOPTED : Fate.BLANK;
        boolean notBelieved = chosen == null && (generation > 0 || copies.onlyFilling());
        if (notBelieved) {
            fate = Fate.LOST_WHOLE;
        }
        SlabRow row = rows == null || rows.broken(slab) ? null : rows.row(slab);
        if (rows != null && rows.broken(slab) && fate == Fate.BLANK) {
            fate = Fate.LOST_WHOLE;
        } else if (row != null && (fate == Fate.BLANK || generation <= row.generation())) {
            generation = row.generation();
            notBelieved = false;
            chosen = ofRow(granted, row, new ListedCopies(listed));
            fate = chosen != null ? Fate.KEPT : granted.complete() ? Fate.LOST_AS_WRITTEN : Fate.LOST_WHOLE;
        }
        if (fate == Fate.BLANK) {
            boolean lost = granted.unheldLost()
                    || (!granted.complete() && granted.note().lost().get(slab));
            fate = lost ? Fate.LOST_WHOLE : Fate.BLANK;
        }
        fates[slab] = (byte) fate.ordinal();
        planned[slab] = chosen;
        for (Listed one : listed) {
            if (chosen == null || !chosen.has(one.donor(), one.name().handle())) {
                boolean vain = !one.touched() || one.filling() || one.generation() < generation;
                surplus(one.donor(), slab, one.name().handle(), one.generation(), vain && !notBelieved);
            }
        }
    }

    private static List<Listed> without(Granted granted, List<Listed> listed) {
        return granted.abandoned().isEmpty()
                ? listed
                : listed.stream()
                        .filter(one -> !granted.abandoned().contains(one.donor()))
                        .toList();
    }

    /** What is left of a row: copies that are there, or whose donors are waited for. Null if no copy has everything. */
    private static @Nullable PlannedSlab ofRow(Granted granted, SlabRow row, ListedCopies listed) {
        List<Copy> left = new ArrayList<>();
        boolean liveIsGone = false;
        for (SlabRow.Copy copy : row.copies()) {
            Integer waited = granted.waiting().get(copy.incarnation());
            Listed at = listed.find(copy.incarnation(), copy.handle(), copy.grantVersion());
            if (waited != null) {
                if (copy.state() != State.FILLING) {
                    left.add(new Copy(
                            waited, copy.incarnation(), copy.handle(), copy.grantVersion(), copy.state(), false));
                }
            } else if (at != null && (!at.filling() || (granted.complete() && copy.state() == State.COMPLETE))) {
                // Its donor may know an older generation than the row: the row is written before anybody is told.
                // So may the donor of one that was filled: the row of a true file knows that it has everything.
                // One that is live at its donor has been filled, whatever the row says.
                State state = copy.state() == State.FILLING ? State.COMPLETE : copy.state();
                left.add(ListedCopies.copy(at, state));
            } else {
                liveIsGone |= copy.state() == State.LIVE;
            }
        }
        boolean anyLive = left.stream().anyMatch(copy -> copy.state() == State.LIVE);
        if (left.isEmpty() || (!granted.complete() && liveIsGone)) {
            return null;
        }
        if (!anyLive) {
            // The live ones are gone, and these have everything.
            left.replaceAll(copy -> copy.as(State.LIVE));
        }
        PlannedSlab plan = new PlannedSlab(row.generation(), List.copyOf(left), false);
        return new PlannedSlab(row.generation(), plan.copies(), !isTold(plan, listed));
    }

    private static boolean isTold(PlannedSlab plan, ListedCopies listed) {
        List<SlabName> live = plan.live();
        for (Copy copy : plan.copies()) {
            Listed at = listed.find(copy.incarnation(), copy.handle(), copy.grantVersion());
            if (copy.state() == State.LIVE
                    && at != null
                    && !(at.names().size() == live.size() && at.names().containsAll(live))) {
                return false;
            }
        }
        return true;
    }

    /** Slabs of indices that the device does not have. */
    private void beyond(HeldSlabs held, int from) {
        for (int i = from; i < held.count(); i++) {
            surplus(held.donor(), held.index(i), held.handle(i), held.generation(i), !held.touched(i));
        }
    }

    private void surplus(int donor, int slab, int handle, long generation, boolean vain) {
        if (vain) {
            superseded.add(new Superseded(donor, slab, handle, generation));
        } else {
            unexplained++;
        }
    }

    /**
     * A slab that is held for nothing.
     *
     * @param donor its place in the server's list
     * @param index which part of the device it held
     * @param handle what the donor calls it
     * @param generation that its donor lists
     */
    record Superseded(int donor, int index, int handle, long generation) {}

    int slabs() {
        return fates.length;
    }

    Fate fate(int slab) {
        return FATES[fates[slab]];
    }

    /** Where a slab will be; null if it is neither kept nor adopted. */
    @Nullable
    PlannedSlab planned(int slab) {
        return planned[slab];
    }

    /** Slabs that donors hold for nothing: never used, or newer ones of the same index are. These are freed. */
    List<Superseded> superseded() {
        return superseded;
    }

    /** Slabs that are not in use, for no reason that is known here. These stay, since what is not understood is never freed. */
    int unexplained() {
        return unexplained;
    }
}
