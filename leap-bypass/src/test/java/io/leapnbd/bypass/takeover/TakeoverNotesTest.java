package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.map.PageProbe;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.takeover.Verdict.ClaimOrder;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Source;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Rules 1, 2, 3 and 6 of docs/ownership.md, as far as a start's note and file have to keep them: whoever reads these misses nobody. */
class TakeoverNotesTest {

    private static final int SHIFT = 20;
    private static final long SIZE = 4L << SHIFT;
    private static final UUID CONTENT = new UUID(8, 1);
    private static final UUID MINE = new UUID(9, 1);
    private static final UUID BEFORE = new UUID(9, 2);

    private static UUID process(int i) {
        return new UUID(1, i);
    }

    private static ClaimOrder order(int donor, boolean blank) {
        return new ClaimOrder(donor, process(donor), 5, CONTENT, blank);
    }

    /** Donor 0 is claimed, 1 is gone, 2 is waited for, 3 is not named, 4 was given up, 5 is new; at d6 a process has ended. */
    private static Granted granted(boolean unheldLost, Set<UUID> gone) {
        Note before = new Note(
                4L << 32,
                SIZE,
                SHIFT,
                List.of(new Note.Member(process(0), "d0"), new Note.Member(process(1), "d1")),
                Set.of(process(9)),
                new BitSet(),
                false);
        return new Granted(
                CONTENT,
                Source.FILE,
                true,
                5,
                List.of(order(0, false)),
                List.of(order(5, true)),
                gone,
                Map.of(process(2), 2),
                Map.of(process(3), "d3"),
                Set.of("d6"),
                Set.of(process(4)),
                Set.of(),
                unheldLost,
                before,
                List.of());
    }

    private static ExportNote note(Granted granted, BitSet lost) {
        return TakeoverNotes.atClaim(granted, SIZE, SHIFT, lost, place -> "d" + place);
    }

    @Test
    void a_claims_note_names_everybody_who_may_hold_slabs_and_every_address_that_has_to_be_asked() {
        Note note = note(granted(false, Set.of(process(1))), new BitSet()).now();
        assertThat(note.members())
                .containsExactlyInAnyOrder(
                        new Note.Member(process(0), "d0"),
                        new Note.Member(process(1), "d1"),
                        new Note.Member(process(2), "d2"),
                        new Note.Member(process(3), "d3"),
                        new Note.Member(process(5), "d5"),
                        new Note.Member(Note.Member.ENDED, "d6"));
    }

    @Test
    void who_was_given_up_stays_given_up_for_every_later_server() {
        Note note = note(granted(false, Set.of()), new BitSet()).now();
        assertThat(note.givenUp()).containsExactlyInAnyOrder(process(4), process(9));
        assertThat(note.names(process(4))).isFalse();
    }

    @Test
    void a_claims_note_says_what_is_lost_before_the_claim_wipes_out_what_shows_it() {
        assertThat(note(granted(false, Set.of()), new BitSet()).now().allLost()).isFalse();
        assertThat(note(granted(true, Set.of()), new BitSet()).now().allLost()).isTrue();
        assertThat(note(granted(false, Set.of(process(1))), new BitSet()).now().allLost())
                .isTrue();
        BitSet lost = new BitSet();
        lost.set(2);
        assertThat(note(granted(false, Set.of()), lost).now().lost()).isEqualTo(lost);
    }

    @Test
    void once_the_plan_is_in_the_file_the_note_is_exact_and_keeps_the_addresses_of_those_who_ended() {
        Granted granted = granted(false, Set.of(process(1)));
        ExportNote note = note(granted, new BitSet());
        StateFile file = StateFile.inMemory(SIZE, SHIFT);
        PageProbe.mark(file, 256, true);
        file.lose(1, false);
        TakeoverNotes.exact(note, granted, file);
        assertThat(note.now().allLost()).isFalse();
        assertThat(note.now().lost().stream()).containsExactly(1);
        assertThat(note.now().names(process(1))).isFalse();
        assertThat(note.now().members()).contains(new Note.Member(Note.Member.ENDED, "d1"));
        file.close();
    }

    @Test
    void the_file_forgets_who_ended_or_was_given_up_and_expects_those_who_are_away() {
        Granted granted = granted(false, Set.of(process(1)));
        StateFile file = StateFile.inMemory(SIZE, SHIFT);
        for (int i = 0; i < 5; i++) {
            file.putDonor(new StateFile.DonorRow(process(i), "d" + i, 4, BEFORE));
        }
        TakeoverNotes.putDonors(file, granted, place -> "d" + place, place -> 7, MINE);
        TakeoverNotes.forgetDonors(file, granted);
        assertThat(file.donors())
                .containsExactlyInAnyOrder(
                        new StateFile.DonorRow(process(0), "d0", 7, MINE),
                        new StateFile.DonorRow(process(2), "d2", 4, BEFORE),
                        new StateFile.DonorRow(process(3), "d3", 4, BEFORE),
                        new StateFile.DonorRow(process(5), "d5", 7, MINE));
        assertThat(TakeoverNotes.standings(file, granted, 6, _ -> 7))
                .containsExactly(
                        DonorStanding.claimed(process(0), 7),
                        DonorStanding.NONE,
                        new DonorStanding(process(2), 4, BEFORE),
                        DonorStanding.NONE,
                        DonorStanding.NONE,
                        DonorStanding.claimed(process(5), 7));
        file.close();
    }
}
