package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Source;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of each slab of the device: decided from the state file and from what the donors list after the claim, when nothing
 * changes any more. A pure function, in about 20 bytes a slab, whatever the device's size.
 *
 * <p>If the file is the truth, its rows are: a slab that a donor lists and the file does not name was granted and never written down, so it
 * was never used. Otherwise, of all that are known for one index, the slab with the highest grant version is the one in use. Rows of the file
 * compete with slabs that donors list, if a write or trim has ever reached these: a slab that was never used may have been granted in vain,
 * before or after the one in use. If the winner is a row whose donor process has ended, or does not hold the slab any more, the index is lost,
 * however many older slabs there are.
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
    private static final int NO_DONOR = -1;

    private final byte[] fates;
    private final int[] donors;
    private final int[] handles;
    private final long[] grants;
    private final List<Superseded> superseded = new ArrayList<>();
    private int unexplained;

    private TakeoverPlan(int slabs) {
        fates = new byte[slabs];
        donors = new int[slabs];
        handles = new int[slabs];
        grants = new long[slabs];
        Arrays.fill(donors, NO_DONOR);
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
        if (granted.source() == Source.LISTS || (granted.source() == Source.FILE && !granted.complete())) {
            plan.takeLists(granted, held);
        }
        if (granted.source() == Source.FILE && file != null) {
            plan.joinFile(granted, file, held);
        }
        for (int slab = 0; slab < slabs; slab++) {
            if (plan.fate(slab) == Fate.BLANK) {
                boolean lost = granted.unheldLost()
                        || (!granted.complete() && granted.note().lost().get(slab));
                plan.set(slab, lost ? Fate.LOST_WHOLE : Fate.BLANK);
            }
        }
        plan.findSuperseded(held);
        return plan;
    }

    int slabs() {
        return fates.length;
    }

    Fate fate(int slab) {
        return FATES[fates[slab]];
    }

    /** Place in the server's list of the donor that holds it; of slabs that are kept or adopted. */
    int donor(int slab) {
        return donors[slab];
    }

    int handle(int slab) {
        return handles[slab];
    }

    long grantVersion(int slab) {
        return grants[slab];
    }

    /** Slabs that donors hold for nothing: never used, or a newer one of the same index was granted. These are freed. */
    List<Superseded> superseded() {
        return superseded;
    }

    /** Slabs that are not in use, for no reason that is known here. These stay, since what is not understood is never freed. */
    int unexplained() {
        return unexplained;
    }

    /** The newest slab of each index, of those that donors list. */
    private void takeLists(Granted granted, List<HeldSlabs> held) {
        for (HeldSlabs at : held) {
            if (granted.abandoned().contains(at.donor())) {
                continue;
            }
            for (int i = 0; i < at.count(); i++) {
                int slab = at.index(i);
                if (slab < fates.length
                        && at.touched(i)
                        && (donors[slab] == NO_DONOR || at.grantVersion(i) > grants[slab])) {
                    donors[slab] = at.donor();
                    handles[slab] = at.handle(i);
                    grants[slab] = at.grantVersion(i);
                    set(slab, Fate.ADOPTED);
                }
            }
        }
    }

    private void joinFile(Granted granted, Recorded file, List<HeldSlabs> held) {
        Recorded.SlabRows rows = file.slabs();
        Fate lost = granted.complete() ? Fate.LOST_AS_WRITTEN : Fate.LOST_WHOLE;
        for (int slab = 0; slab < fates.length; slab++) {
            UUID at = rows.broken(slab) ? null : rows.incarnation(slab);
            if (at == null) {
                if (rows.broken(slab) && fate(slab) == Fate.BLANK) {
                    set(slab, Fate.LOST_WHOLE);
                }
                continue;
            }
            long version = rows.grantVersion(slab);
            boolean listed = fate(slab) == Fate.ADOPTED;
            if (listed && grants[slab] > version) {
                continue;
            }
            Integer waited = granted.waiting().get(at);
            int place = holder(held, at, slab, rows.handle(slab), version);
            if (waited != null) {
                donors[slab] = waited;
                handles[slab] = rows.handle(slab);
                grants[slab] = version;
                set(slab, Fate.KEPT);
            } else if (place != NO_DONOR) {
                donors[slab] = place;
                handles[slab] = rows.handle(slab);
                grants[slab] = version;
                set(slab, Fate.KEPT);
            } else {
                donors[slab] = NO_DONOR;
                grants[slab] = version;
                set(slab, lost);
            }
        }
    }

    private void findSuperseded(List<HeldSlabs> held) {
        for (HeldSlabs at : held) {
            for (int i = 0; i < at.count(); i++) {
                int slab = at.index(i);
                if (slab < fates.length && donors[slab] == at.donor() && handles[slab] == at.handle(i)) {
                    continue;
                }
                if (!at.touched(i) || (slab < fates.length && at.grantVersion(i) < grants[slab])) {
                    superseded.add(new Superseded(at.donor(), slab, at.handle(i)));
                } else {
                    unexplained++;
                }
            }
        }
    }

    /** Place in the server's list of the donor that lists the very slab of a row; {@link #NO_DONOR} if none does. */
    private static int holder(List<HeldSlabs> held, UUID incarnation, int index, int handle, long grantVersion) {
        for (HeldSlabs at : held) {
            if (at.incarnation().equals(incarnation)) {
                int i = at.find(index);
                return i >= 0 && at.handle(i) == handle && at.grantVersion(i) == grantVersion ? at.donor() : NO_DONOR;
            }
        }
        return NO_DONOR;
    }

    private void set(int slab, Fate fate) {
        fates[slab] = (byte) fate.ordinal();
    }

    /**
     * A slab that is held for nothing.
     *
     * @param donor its place in the server's list
     * @param index which part of the device it held
     * @param handle what the donor calls it
     */
    record Superseded(int donor, int index, int handle) {}
}
