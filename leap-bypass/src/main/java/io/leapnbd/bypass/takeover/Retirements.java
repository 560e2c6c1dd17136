package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.StateFile;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.function.LongSupplier;

/**
 * Takes donors out of the note that were drained and hold nothing any more, so that no later start has to hear them; and brings them back before they are used
 * again. {@code docs/ownership.md}, "Nobody goes on without the others", rule 8, has the proof. For one loop's thread.
 */
public final class Retirements {

    private static final long NOT = Long.MIN_VALUE;

    private final List<Donor> donors;
    private final Admissions admissions;
    private final IntPredicate empty;
    private final long waitNanos;
    private final LongSupplier clock;

    /** By donor: since when it has been seen drained and empty. */
    private final long[] emptySince;

    /**
     * Of one server.
     *
     * @param donors by number, as of now
     * @param empty whether nothing of this server is at a donor, by its place
     * @param waitNanos longer than any request takes: nothing that was asked for before can come to be there any more
     * @param clock {@link System#nanoTime()}
     */
    public Retirements(
            List<Donor> donors, Admissions admissions, IntPredicate empty, long waitNanos, LongSupplier clock) {
        this.donors = donors;
        this.admissions = admissions;
        this.empty = empty;
        this.waitNanos = waitNanos;
        this.clock = clock;
        emptySince = new long[StateFile.MAX_DONORS];
        Arrays.fill(emptySince, NOT);
    }

    /** Looks at all of them. Where none is drained this allocates nothing. */
    public void tick() {
        for (int place = 0; place < donors.size(); place++) {
            Donor donor = donors.get(place);
            if (donor.use() != Donor.Use.USED) {
                // One that joins or leaves has rules of its own.
                emptySince[place] = NOT;
            } else if (donor.drained()) {
                donor.retire(true);
                empty(place, donor);
            } else {
                emptySince[place] = NOT;
                if (donor.retired() && admissions.readmit(donor)) {
                    donor.retire(false);
                }
            }
        }
    }

    private void empty(int place, Donor donor) {
        if (!empty.test(place) || !anyOtherClaimed(donor)) {
            emptySince[place] = NOT;
        } else if (emptySince[place] == NOT) {
            emptySince[place] = clock.getAsLong();
        } else if (clock.getAsLong() - emptySince[place] >= waitNanos) {
            admissions.retire(donor);
        }
    }

    /** Somebody has to keep the note. */
    private boolean anyOtherClaimed(Donor donor) {
        for (Donor other : donors) {
            if (other != donor && other.takesSlabs() && other.standing().isClaimed()) {
                return true;
            }
        }
        return false;
    }
}
