package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.path.Suspensions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Whether a donor process that has nothing of this server may be claimed while the device is in use. {@code docs/ownership.md}, "Nobody goes
 * on without the others", has the proof.
 *
 * <p>Two things are asked. This server has to be certain that it still owns the export: such a process shows nothing, and another server may
 * have taken over at the donors that are not connected. And a donor at an address that is new to the contents is claimed only when every donor
 * of the contents has been told of it.
 *
 * <p>Any thread.
 */
public final class Admissions {

    private static final long PROOF_NANOS = TimeUnit.MILLISECONDS.toNanos(Takeover.SELF_ANSWER_MILLIS);

    private final List<Donor> donors;
    private final ExportNote note;
    private final Reach reach;

    /** By address, the version of the note that names it first, of donors that not everybody is known to have been told of. */
    private final Map<String, Long> told = new HashMap<>();

    /** Whether a donor process ended unseen, so that it may have been claimed by another server before. */
    private boolean missedEnd;

    private long missedAt;

    private final Suspensions suspensions;

    /** What was sent before the end of the machine's last suspend proves nothing: others went on, and the clock stood still. */
    private long voidBefore;

    private final LongSupplier clock;

    /**
     * Of one server.
     *
     * @param donors by number, as of now
     * @param note that goes to all of them
     * @param reach which of them has it
     * @param suspendedNanos for how long the machine has been suspended in all; may be too high, and is never too low
     */
    public Admissions(List<Donor> donors, ExportNote note, Reach reach, LongSupplier suspendedNanos) {
        this(donors, note, reach, suspendedNanos, System::nanoTime);
    }

    /** Likewise, with the clock of the donors' proofs. */
    Admissions(List<Donor> donors, ExportNote note, Reach reach, LongSupplier suspendedNanos, LongSupplier clock) {
        suspensions = new Suspensions(suspendedNanos);
        this.donors = donors;
        this.note = note;
        this.reach = reach;
        this.clock = clock;
        voidBefore = clock.getAsLong();
    }

    /** A donor process is gone, and another server may have claimed it before. */
    public synchronized void missedEnd() {
        missedEnd = true;
        missedAt = clock.getAsLong();
    }

    /**
     * A donor at an address is about to come: every other donor is to be told.
     *
     * @return the version of the note that names it, or an earlier one if they know already
     */
    public synchronized long announce(String address) {
        if (!note.namesAddress(address)) {
            note.addAddress(address);
            told.put(address, note.version());
        }
        return told.getOrDefault(address, 0L);
    }

    /** Answers null if the process may be claimed, and names it in the note; otherwise why it may not, for the log. */
    public synchronized @Nullable String admit(Donor donor, UUID found) {
        if (donor.use().compareTo(Donor.Use.LEAVING) >= 0) {
            return "is about to be removed, and is not used any more";
        }
        if (!ownsForCertain()) {
            return stranded()
                    ? "has nothing of this export, and no donor is left that could show that this server still owns it"
                    : "has nothing of this export, and no other donor answers that this server still owns it; it is not"
                            + " used until one does";
        }
        String address = donor.name();
        long version = announce(address);
        if (version != 0) {
            String missing = whoDoesNotKnow(address, version);
            if (missing != null) {
                return "is new to this export, and is not used until donor " + missing + " knows of it";
            }
            told.remove(address);
        }
        note.add(found, address);
        return null;
    }

    /**
     * A donor is drained and has held nothing for longer than any request takes: nobody has to hear it any more. Does nothing while it is not certain that
     * this server still owns the export.
     */
    synchronized void retire(Donor donor) {
        if (!ownsForCertain()) {
            return;
        }
        donor.unasked(true);
        UUID process = donor.incarnation();
        if (process != null) {
            note.retire(process);
        } else {
            note.retireAddress(donor.name());
        }
    }

    /** Whether a donor that was drained may be given slabs again: the note names it, and every donor has that note. */
    synchronized boolean readmit(Donor donor) {
        UUID process = donor.incarnation();
        // Whoever comes to be there is admitted first.
        boolean known = process == null || (note.names(process) && !told.containsKey(donor.name()));
        if (process != null && !known && admit(donor, process) != null) {
            return false;
        }
        donor.unasked(false);
        return true;
    }

    /**
     * Whether no other server can have taken over. A donor that has answered this one as the owner within the last second shows it: another is
     * not ready before it has claimed that donor, and has waited for longer. Otherwise every donor must have ended before this server's eyes, and
     * another process must be where it was: a connection that ends may have been ended by another server's claim.
     */
    private boolean ownsForCertain() {
        if (suspensions.ended()) {
            missedEnd();
            voidBefore = missedAt;
        }
        long now = clock.getAsLong();
        for (Donor donor : donors) {
            long proven = donor.provenNanos();
            if (now - proven < PROOF_NANOS && proven - voidBefore > 0) {
                missedEnd &= proven - missedAt <= 0;
                return true;
            }
        }
        return allEnded() && !missedEnd;
    }

    private boolean allEnded() {
        return donors.stream().allMatch(donor -> donor.incarnation() == null);
    }

    /**
     * Whether nothing can show any more that this server owns the export, for good: it is the owner nowhere, and may have missed the end of a
     * donor that another server had claimed.
     */
    public synchronized boolean stranded() {
        return missedEnd && allEnded();
    }

    /**
     * A donor of the contents that is not known to have the note of a version, or a later one; null if all have.
     *
     * @param except the address of one that need not have it
     */
    public synchronized @Nullable String whoDoesNotKnow(String except, long version) {
        for (Note.Member member : note.now().members()) {
            boolean ended = member.incarnation().equals(Note.Member.ENDED);
            if (!ended && !member.address().equals(except) && !knows(member.incarnation(), version)) {
                return member.address();
            }
        }
        return null;
    }

    private boolean knows(UUID member, long version) {
        for (int i = 0; i < donors.size(); i++) {
            DonorStanding standing = donors.get(i).standing();
            if (standing.isClaimed() && standing.isOf(member)) {
                return reach.hasReached(i, version);
            }
        }
        return false;
    }

    /** How far the note has come. */
    @FunctionalInterface
    public interface Reach {

        /** Whether the donor at a place of the list has acknowledged the note of this version, or a later one. */
        boolean hasReached(int donor, long version);
    }
}
