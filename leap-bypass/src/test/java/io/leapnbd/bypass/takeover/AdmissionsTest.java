package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.link.IgnoringListener;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Rules 3 and 4 of docs/ownership.md, "Nobody goes on without the others". */
class AdmissionsTest {

    private static final UUID P0 = new UUID(1, 0);
    private static final UUID P1 = new UUID(1, 1);
    private static final UUID NEW = new UUID(1, 9);

    private final Donor zero = new Donor("d0", new IgnoringListener());
    private final Donor one = new Donor("d1", new IgnoringListener());
    private final Donor two = new Donor("d2", new IgnoringListener());
    private final Map<Integer, Long> reached = new HashMap<>();
    private final AtomicLong suspended = new AtomicLong();
    private final ExportNote note = new ExportNote(4, 1 << 20, 20, Note.NONE, false);
    private final Admissions admissions = new Admissions(
            List.of(zero, one, two),
            note,
            (donor, version) -> reached.getOrDefault(donor, 0L) >= version,
            suspended::get);

    AdmissionsTest() {
        note.add(P0, "d0");
        note.add(P1, "d1");
        zero.stand(DonorStanding.claimed(P0, 1));
        one.stand(DonorStanding.claimed(P1, 1));
    }

    private static void answers(Donor donor) {
        // Ahead, so that a machine that stops for a second does not make the proof old.
        donor.proven(System.nanoTime() + TimeUnit.MINUTES.toNanos(5));
    }

    @Test
    void seed_1145_a_donor_that_restarted_unseen_is_not_claimed_until_another_one_proves_that_nobody_took_over() {
        one.stand(DonorStanding.NONE);
        admissions.missedEnd();
        assertThat(admissions.admit(one, NEW)).contains("no other donor answers");
        assertThat(note.now().names(NEW)).isFalse();
        answers(zero);
        assertThat(admissions.admit(one, NEW)).isNull();
        assertThat(note.now().names(NEW)).isTrue();
    }

    /** A server that takes over finds a note that does not name it, and is ready without having asked it. */
    @Test
    void a_donor_that_others_need_not_ask_proves_nothing_until_all_know_of_it_again() {
        answers(zero);
        one.drain(true);
        admissions.retire(one);
        assertThat(note.now().names(P1)).isFalse();
        long before = one.provenNanos();
        answers(one);
        assertThat(one.provenNanos()).isEqualTo(before);

        one.drain(false);
        assertThat(admissions.readmit(one)).isFalse();
        answers(one);
        assertThat(one.provenNanos()).isEqualTo(before);
        reached.put(0, Long.MAX_VALUE);
        assertThat(admissions.readmit(one)).isTrue();
        answers(one);
        assertThat(one.provenNanos()).isGreaterThan(before);
    }

    @Test
    void a_donor_that_is_disowned_proves_nothing() {
        long before = one.provenNanos();
        one.use(Donor.Use.DISOWNED);
        answers(one);
        assertThat(one.provenNanos()).isEqualTo(before);
    }

    /** Also if it shows that this very server has claimed it: it was told nothing of that since. */
    @Test
    void a_donor_that_leaves_is_not_claimed_anew() {
        answers(zero);
        two.use(Donor.Use.LEAVING);
        assertThat(admissions.admit(two, NEW)).contains("about to be removed");
        assertThat(note.now().names(NEW)).isFalse();
    }

    @Test
    void a_server_that_saw_its_only_donors_end_goes_on_with_what_comes_after_them() {
        // Never proven, so not seen.
        assertThat(admissions.admit(one, NEW)).isNotNull();
        one.stand(DonorStanding.NONE);
        zero.stand(DonorStanding.NONE);
        assertThat(admissions.admit(one, NEW)).isNull();
    }

    @Test
    void a_donor_whose_connection_ended_has_not_ended_until_another_process_is_there() {
        // A claim of another server ends connections as well.
        zero.proven(System.nanoTime() - TimeUnit.SECONDS.toNanos(2));
        one.stand(DonorStanding.NONE);
        assertThat(admissions.admit(one, NEW)).contains("no other donor answers");
        zero.stand(DonorStanding.NONE);
        assertThat(admissions.admit(one, NEW)).isNull();
    }

    @Test
    void what_a_donor_answered_before_the_machine_was_suspended_proves_nothing() {
        zero.proven(System.nanoTime());
        suspended.addAndGet(TimeUnit.HOURS.toNanos(1));
        assertThat(admissions.admit(one, NEW)).contains("no other donor answers");
        answers(zero);
        assertThat(admissions.admit(one, NEW)).isNull();
    }

    /** Rule 4, to the nanosecond: by then a server that took over may be ready. */
    @Test
    void a_proof_is_good_for_as_long_as_a_server_that_takes_over_waits_and_no_longer() {
        long sent = System.nanoTime() + TimeUnit.MINUTES.toNanos(5);
        AtomicLong clock = new AtomicLong(sent - 1);
        Admissions timed =
                new Admissions(List.of(zero, one, two), note, (donor, version) -> true, suspended::get, clock::get);
        zero.proven(sent);
        clock.set(sent + TimeUnit.MILLISECONDS.toNanos(Takeover.SELF_ANSWER_MILLIS));
        assertThat(timed.admit(one, NEW)).contains("no other donor answers");
        clock.decrementAndGet();
        assertThat(timed.admit(one, NEW)).isNull();
    }

    @Test
    void a_server_that_missed_the_end_of_its_last_donor_is_stranded() {
        one.stand(DonorStanding.NONE);
        admissions.missedEnd();
        // The other one may still show that nobody has taken over.
        assertThat(admissions.stranded()).isFalse();
        zero.stand(DonorStanding.NONE);
        assertThat(admissions.stranded()).isTrue();
        assertThat(admissions.admit(one, NEW)).contains("no donor is left");
    }

    @Test
    void a_server_that_saw_its_last_donors_end_is_not_stranded() {
        one.stand(DonorStanding.NONE);
        zero.stand(DonorStanding.NONE);
        assertThat(admissions.stranded()).isFalse();
    }

    @Test
    void a_proof_from_before_an_unseen_end_does_not_heal_it() {
        zero.proven(System.nanoTime() - TimeUnit.SECONDS.toNanos(10));
        one.stand(DonorStanding.NONE);
        admissions.missedEnd();
        zero.stand(DonorStanding.NONE);
        assertThat(admissions.admit(one, NEW)).isNotNull();
    }

    @Test
    void seed_311015_a_donor_at_a_new_address_waits_until_every_member_has_been_told() {
        answers(zero);
        assertThat(admissions.admit(two, NEW)).contains("is new", "d0");
        assertThat(note.namesAddress("d2")).isTrue();
        assertThat(note.now().names(NEW)).isFalse();
        reached.put(0, note.version());
        assertThat(admissions.admit(two, NEW)).contains("is new", "d1");
        reached.put(1, note.version());
        assertThat(admissions.admit(two, NEW)).isNull();
        assertThat(note.now().names(NEW)).isTrue();
    }

    @Test
    void a_donor_that_is_waited_for_keeps_new_ones_out() {
        answers(zero);
        one.stand(new DonorStanding(P1, 1, new UUID(7, 7)));
        assertThat(admissions.admit(two, NEW)).contains("is new");
        reached.put(0, Long.MAX_VALUE);
        reached.put(1, Long.MAX_VALUE);
        assertThat(admissions.admit(two, NEW)).contains("d1");
        // It turns out to have restarted: nobody who does not know is left.
        one.stand(DonorStanding.NONE);
        note.remove(P1);
        assertThat(admissions.admit(two, NEW)).isNull();
    }

    @Test
    void a_donor_that_restarted_at_its_address_needs_no_announcement() {
        answers(zero);
        one.stand(DonorStanding.NONE);
        note.remove(P1);
        assertThat(note.namesAddress("d1")).isTrue();
        assertThat(admissions.admit(one, NEW)).isNull();
    }
}
