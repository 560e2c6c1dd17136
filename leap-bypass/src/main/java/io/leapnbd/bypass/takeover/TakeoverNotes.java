package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.takeover.Verdict.ClaimOrder;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.IntFunction;
import java.util.function.IntToLongFunction;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What a start writes about donors: into the note that goes with its claims, and into the state file. The note of a claim says no less than
 * the server before knew, because nobody knows whether this start gets to its end.
 */
final class TakeoverNotes {

    private TakeoverNotes() {}

    /** Slabs of which pages are lost, as a file has it that is gone on with. */
    static BitSet lost(Granted granted, @Nullable StateFile file) {
        return granted.source() == Verdict.Source.FILE && file != null ? lost(file) : new BitSet();
    }

    /** Held or not: a slab that was granted for such an index and never used does not tell. */
    private static BitSet lost(StateFile file) {
        BitSet lost = new BitSet();
        for (int slab = 0; slab < file.slabs(); slab++) {
            lost.set(slab, file.anyLost(slab));
        }
        return lost;
    }

    /** The note of the claims: whoever may hold slabs, those included that are gone, and all that is known to be lost. */
    static ExportNote atClaim(Granted granted, long size, int slabShift, BitSet lost, IntFunction<String> addresses) {
        boolean blank = granted.source() == Verdict.Source.BLANK;
        Note before = blank ? Note.NONE : granted.note();
        // A claim wipes out what shows that a donor has forgotten its slabs, so the note has to say that something is
        // lost.
        boolean allLost =
                before.allLost() || granted.unheldLost() || !granted.gone().isEmpty();
        ExportNote note = new ExportNote(granted.term(), size, slabShift, before, allLost);
        if (!blank) {
            lost.stream().forEach(note::lose);
            granted.gone().forEach(incarnation -> note.add(incarnation, addressIn(granted.note(), incarnation)));
            granted.givenUp().forEach(note::giveUp);
            addressesGivenUp(granted).forEach(note::giveUpAddress);
        }
        granted.unnamed().forEach(note::add);
        granted.unclaimed().forEach(note::addAddress);
        granted.waiting().forEach((incarnation, place) -> note.add(incarnation, addresses.apply(place)));
        for (ClaimOrder order : granted.claims()) {
            note.add(order.incarnation(), addresses.apply(order.donor()));
        }
        return note;
    }

    /** The note once the plan is in the file: the gone are forgotten, and what they held is named. */
    static void exact(ExportNote note, Granted granted, StateFile file) {
        note.loseExactly(lost(file));
        Set<UUID> claimed =
                granted.claims().stream().map(ClaimOrder::incarnation).collect(Collectors.toSet());
        // A donor that has forgotten its slabs is a member again: it was claimed anew.
        granted.gone().stream().filter(one -> !claimed.contains(one)).forEach(note::remove);
    }

    /** Names the claimed donors in the file, before any row does. */
    static void putDonors(
            StateFile file, Granted granted, IntFunction<String> addresses, IntToLongFunction epochs, UUID instance) {
        for (ClaimOrder order : granted.claims()) {
            file.putDonor(new StateFile.DonorRow(
                    order.incarnation(), addresses.apply(order.donor()), epochs.applyAsLong(order.donor()), instance));
        }
    }

    /** Forgets donor processes that have ended or were given up. */
    static void forgetDonors(StateFile file, Granted granted) {
        for (StateFile.DonorRow row : file.donors()) {
            boolean claimed = granted.claims().stream()
                    .anyMatch(order -> order.incarnation().equals(row.incarnation()));
            boolean expected = granted.waiting().containsKey(row.incarnation())
                    || granted.unnamed().containsKey(row.incarnation());
            if (!claimed && !expected) {
                file.removeDonor(row.incarnation());
            }
        }
    }

    /** What this server is at each donor once it has claimed: of one that is waited for, what the file expects there. */
    static List<DonorStanding> standings(StateFile file, Granted granted, int donors, IntToLongFunction epochs) {
        List<DonorStanding> all = new ArrayList<>(Collections.nCopies(donors, DonorStanding.NONE));
        for (ClaimOrder order : granted.claims()) {
            all.set(order.donor(), DonorStanding.claimed(order.incarnation(), epochs.applyAsLong(order.donor())));
        }
        for (StateFile.DonorRow row : file.donors()) {
            Integer donor = granted.waiting().get(row.incarnation());
            if (donor != null) {
                all.set(donor, new DonorStanding(row.incarnation(), row.epoch(), row.instance()));
            }
        }
        return List.copyOf(all);
    }

    /** Of donors that were given up: their processes, or ones after them, may have been claimed unknown to this start. */
    private static List<String> addressesGivenUp(Granted granted) {
        return granted.note().members().stream()
                .filter(member -> member.incarnation().equals(Note.Member.ENDED)
                        ? !granted.unclaimed().contains(member.address())
                        : granted.givenUp().contains(member.incarnation()))
                .map(Note.Member::address)
                .toList();
    }

    private static String addressIn(Note note, UUID incarnation) {
        for (Note.Member member : note.members()) {
            if (member.incarnation().equals(incarnation)) {
                return member.address();
            }
        }
        return "unknown";
    }
}
