package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.bypass.takeover.Recorded.DonorRow;
import io.leapnbd.bypass.takeover.Verdict.ClaimOrder;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import io.leapnbd.bypass.takeover.Verdict.Source;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Each row of docs/ownership.md, and each fault of FAULTS.md A, E and F that a start can commit, by name. */
class TakeoverCheckTest {

    private static final int SLAB = 1 << 20;
    private static final int SLABS = 8;
    private static final long SIZE = (long) SLABS * SLAB;
    private static final UUID HERE = new UUID(7, 1);
    private static final UUID ELSEWHERE = new UUID(7, 2);
    private static final UUID CONTENT = new UUID(8, 1);
    private static final UUID OTHER_CONTENT = new UUID(8, 2);
    private static final UUID MINE = new UUID(9, 1);
    private static final UUID OTHERS = new UUID(9, 2);

    private static final TakeoverOptions PLAIN = new TakeoverOptions("swap0", SIZE, HERE, 2, false, false, false);
    private static final TakeoverOptions TAKE_OVER = new TakeoverOptions("swap0", SIZE, HERE, 2, true, false, false);
    private static final TakeoverOptions FRESH = new TakeoverOptions("swap0", SIZE, HERE, 2, false, true, false);
    private static final TakeoverOptions LOSE = new TakeoverOptions("swap0", SIZE, HERE, 2, false, false, true);

    private static UUID process(int i) {
        return new UUID(1, i);
    }

    private static Found blank(int i) {
        return new Found(process(i), SLAB, 0, Found.NONE, Owner.NOBODY, false, -1, 100, 100, 0, Note.NONE);
    }

    private static Found holding(int i, long epoch, UUID content, UUID instance, UUID host, long term, Note note) {
        Owner owner = new Owner(instance, term, host, "web1, process 4711", 7_200_000);
        return new Found(process(i), SLAB, epoch, content, owner, false, 50, 100, 90, 3, note);
    }

    private static Found answering(Found found) {
        return new Found(
                found.incarnation(),
                found.slabSize(),
                found.epoch(),
                found.content(),
                found.owner(),
                true,
                found.answeredMillisAgo(),
                found.freeLinks(),
                found.freeSlabs(),
                found.heldSlabs(),
                found.note());
    }

    private static Found forgot(int i, long epoch) {
        return new Found(process(i), SLAB, epoch, Found.NONE, Owner.NOBODY, false, -1, 100, 100, 0, Note.NONE);
    }

    private static Note note(long version, int... members) {
        List<Note.Member> all = new ArrayList<>();
        for (int member : members) {
            all.add(new Note.Member(process(member), "d" + member));
        }
        return new Note(version, SIZE, 20, all, Set.of(), new BitSet(), false);
    }

    private static Note givingUp(Note note, int donor) {
        return new Note(
                note.version(),
                note.size(),
                note.slabShift(),
                note.members(),
                Set.of(process(donor)),
                note.lost(),
                note.allLost());
    }

    /** With a donor d3, which holds nothing. */
    private static Recorded withIdleDonor(Recorded file) {
        List<DonorRow> donors = new ArrayList<>(file.donors());
        donors.add(new DonorRow(process(3), "d3", 7, MINE));
        return new Recorded(
                file.size(), file.slabShift(), file.content(), MINE, null, 4, true, true, donors, file.slabs());
    }

    /** With a donor process that was at the address of d1, too, when it was last seen. */
    private static Recorded withSecondProcessAtTheAddressOfD1(Recorded file) {
        List<DonorRow> donors = new ArrayList<>(file.donors());
        donors.add(new DonorRow(process(3), "d1", 7, MINE));
        return new Recorded(
                file.size(), file.slabShift(), file.content(), MINE, null, 4, true, true, donors, file.slabs());
    }

    /** By place in the list: what a donor at address "d" + its number said; null for silence. */
    private static List<Greeting> greetings(Map<Integer, @Nullable Found> said, int... order) {
        List<Greeting> all = new ArrayList<>();
        for (int address : order) {
            Found found = said.get(address);
            all.add(
                    found == null
                            ? Greeting.none(all.size(), "d" + address, "connection refused")
                            : Greeting.of(all.size(), "d" + address, found));
        }
        return all;
    }

    /** A file of the owner MINE with content CONTENT, whose donors d0 and d1 each hold a slab. */
    private static Recorded file(boolean complete) {
        return new Recorded(
                SIZE,
                20,
                CONTENT,
                MINE,
                null,
                4,
                complete,
                complete,
                List.of(new DonorRow(process(0), "d0", 5, MINE), new DonorRow(process(1), "d1", 6, MINE)),
                new Recorded.SlabRows() {
                    @Override
                    public int count() {
                        return SLABS;
                    }

                    @Override
                    public @Nullable SlabRow row(int slab) {
                        return slab < 2 ? SlabRow.of(process(slab), 10 + slab, 4L << 32 | slab) : null;
                    }

                    @Override
                    public boolean broken(int slab) {
                        return false;
                    }
                });
    }

    private static Found mine(int i) {
        return holding(i, 5 + i, CONTENT, MINE, HERE, 4, note(4L << 32, 0, 1));
    }

    private static Granted granted(Verdict verdict) {
        assertThat(verdict).isInstanceOf(Granted.class);
        return (Granted) verdict;
    }

    private static Refused refused(Verdict verdict) {
        assertThat(verdict).isInstanceOf(Refused.class);
        return (Refused) verdict;
    }

    private static Map<Integer, @Nullable Found> said(@Nullable Found... all) {
        Map<Integer, @Nullable Found> map = new HashMap<>();
        for (int i = 0; i < all.length; i++) {
            map.put(i, all[i]);
        }
        return map;
    }

    @Test
    void an_export_that_nobody_has_begins_blank() {
        Granted granted = granted(TakeoverCheck.check(null, greetings(said(blank(0), blank(1)), 0, 1), PLAIN));
        assertThat(granted.source()).isEqualTo(Source.BLANK);
        assertThat(granted.content()).isNull();
        assertThat(granted.claims()).extracting(ClaimOrder::epoch).containsExactly(0L, 0L);
    }

    /** It was an IllegalStateException when the first slab of the other process was bound: seed 1005304 of the simulation. */
    @Test
    void two_processes_at_one_silent_address_are_refused_in_a_sentence_and_waited_for() {
        Recorded file = withSecondProcessAtTheAddressOfD1(file(true));
        Refused refused = refused(TakeoverCheck.check(file, greetings(said(mine(0)), 0, 1), PLAIN));
        assertThat(refused.sentence()).contains("donor d1 does not answer, and two donor processes", "start it");
        assertThat(refused.waitFor()).containsExactly("d1");

        // When it answers, the other one has ended.
        Granted granted = granted(TakeoverCheck.check(file, greetings(said(mine(0), mine(1)), 0, 1), PLAIN));
        assertThat(granted.waiting()).isEmpty();
    }

    @Test
    void A4_a_server_that_answers_is_not_pushed_aside_without_a_word() {
        Found served = answering(mine(0));
        List<Greeting> greetings = greetings(said(served, mine(1)), 0, 1);
        assertThat(refused(TakeoverCheck.check(null, greetings, PLAIN)).sentence())
                .contains("swap0", "web1, process 4711", "2 h", "3 slabs (3M)", "d0", "--take-over");
        assertThat(refused(TakeoverCheck.check(file(true), greetings, PLAIN)).waitFor())
                .isEmpty();
        assertThat(granted(TakeoverCheck.check(null, greetings, TAKE_OVER)).content())
                .isEqualTo(CONTENT);
    }

    @Test
    void E4_a_second_host_with_the_same_name_does_not_get_the_first_ones_pages() {
        Found theirs = holding(0, 5, CONTENT, OTHERS, ELSEWHERE, 4, note(4L << 32, 0));
        assertThat(refused(TakeoverCheck.check(null, greetings(said(theirs), 0), PLAIN))
                        .sentence())
                .contains("another machine", "--take-over");
        assertThat(refused(TakeoverCheck.check(null, greetings(said(theirs), 0), FRESH))
                        .sentence())
                .contains("another machine");
    }

    @Test
    void A1_a_server_that_comes_back_does_not_believe_a_file_from_before_the_fail_over() {
        Found since = holding(0, 6, CONTENT, OTHERS, ELSEWHERE, 5, note(5L << 32, 0, 1));
        List<Greeting> greetings = greetings(said(since, mine(1)), 0, 1);
        assertThat(refused(TakeoverCheck.check(file(true), greetings, PLAIN)).sentence())
                .contains("another machine");
        Granted granted = granted(TakeoverCheck.check(file(true), greetings, TAKE_OVER));
        assertThat(granted.source()).isEqualTo(Source.LISTS);
        assertThat(granted.term()).isEqualTo(6);
    }

    @Test
    void A3_an_export_whose_lease_ended_and_that_somebody_else_took_is_not_gone_on_with() {
        // The other server's lease has ended as well: only the epoch is left of it.
        Verdict verdict = TakeoverCheck.check(file(true), greetings(said(forgot(0, 9), forgot(1, 6)), 0, 1), PLAIN);
        assertThat(refused(verdict).sentence()).contains("another server", "--fresh");
    }

    @Test
    void A5_a_donor_that_is_left_out_does_not_turn_its_pages_into_zeros() {
        Verdict verdict = TakeoverCheck.check(null, greetings(said(mine(0)), 0), PLAIN);
        assertThat(refused(verdict).sentence()).contains("d1", "--donors", "--lose-missing");
        Granted granted = granted(TakeoverCheck.check(null, greetings(said(mine(0)), 0), LOSE));
        assertThat(granted.unheldLost()).isTrue();
        assertThat(granted.gone()).containsExactly(process(1));
    }

    @Test
    void A6_a_donor_that_restarted_is_remembered_by_the_others_when_the_file_is_gone() {
        Found restarted = new Found(process(9), SLAB, 0, Found.NONE, Owner.NOBODY, false, -1, 100, 100, 0, Note.NONE);
        Granted granted = granted(TakeoverCheck.check(null, greetings(said(mine(0), restarted), 0, 1), PLAIN));
        assertThat(granted.unheldLost()).isTrue();
    }

    @Test
    void A7_a_file_of_another_boot_is_joined_with_what_every_donor_says() {
        Granted granted = granted(TakeoverCheck.check(file(false), greetings(said(mine(0), mine(1)), 0, 1), PLAIN));
        assertThat(granted.source()).isEqualTo(Source.FILE);
        assertThat(granted.complete()).isFalse();
        Verdict missing = TakeoverCheck.check(file(false), greetings(said(mine(0), null), 0, 1), PLAIN);
        assertThat(refused(missing).waitFor()).containsExactly("d1");
    }

    @Test
    void A9_what_can_be_refused_is_refused_before_a_claim() {
        Found small = new Found(process(0), SLAB, 0, Found.NONE, Owner.NOBODY, false, -1, 100, 2, 0, Note.NONE);
        assertThat(refused(TakeoverCheck.check(null, greetings(said(small), 0), PLAIN))
                        .sentence())
                .contains("--size 8M", "2M");
        Found full = new Found(process(0), SLAB, 0, Found.NONE, Owner.NOBODY, false, -1, 1, 100, 0, Note.NONE);
        assertThat(refused(TakeoverCheck.check(null, greetings(said(full), 0), PLAIN))
                        .sentence())
                .contains("1 more links", "--threads");
        Found large = new Found(process(1), 2 * SLAB, 0, Found.NONE, Owner.NOBODY, false, -1, 100, 100, 0, Note.NONE);
        assertThat(refused(TakeoverCheck.check(null, greetings(said(blank(0), large), 0, 1), PLAIN))
                        .sentence())
                .contains("slabs of 2M", "--slab-size");
    }

    @Test
    void F4_another_size_is_refused_with_or_without_a_file() {
        TakeoverOptions larger = new TakeoverOptions("swap0", 2 * SIZE, HERE, 2, false, false, false);
        List<Greeting> greetings = greetings(said(mine(0), mine(1)), 0, 1);
        assertThat(refused(TakeoverCheck.check(file(true), greetings, larger)).sentence())
                .contains("--size 8M", "--size 16M");
        assertThat(refused(TakeoverCheck.check(null, greetings, larger)).sentence())
                .contains("--size 8M", "--size 16M");
    }

    @Test
    void E2_donors_may_be_named_in_any_order() {
        Granted granted = granted(TakeoverCheck.check(file(true), greetings(said(mine(0), mine(1)), 1, 0), PLAIN));
        assertThat(granted.source()).isEqualTo(Source.FILE);
        assertThat(granted.claims()).extracting(ClaimOrder::incarnation).containsExactly(process(0), process(1));
        assertThat(granted.claims()).extracting(ClaimOrder::donor).containsExactly(1, 0);
        assertThat(granted.gone()).isEmpty();
    }

    @Test
    void E2_a_donor_of_the_file_that_is_not_named_is_missed_every_time() {
        for (int attempt = 0; attempt < 2; attempt++) {
            Verdict verdict = TakeoverCheck.check(file(true), greetings(said(mine(0)), 0), PLAIN);
            assertThat(refused(verdict).sentence()).contains("d1", "not named");
        }
    }

    @Test
    void a_donor_of_a_true_file_that_does_not_answer_is_not_waited_for() {
        Granted granted = granted(TakeoverCheck.check(file(true), greetings(said(mine(0), null), 0, 1), PLAIN));
        assertThat(granted.complete()).isTrue();
        assertThat(granted.waiting()).containsExactly(Map.entry(process(1), 1));
    }

    @Test
    void a_true_file_that_no_donor_confirms_is_not_believed() {
        Found restarted = new Found(process(9), SLAB, 0, Found.NONE, Owner.NOBODY, false, -1, 100, 100, 0, Note.NONE);
        Verdict verdict = TakeoverCheck.check(file(true), greetings(said(restarted, null), 0, 1), PLAIN);
        assertThat(refused(verdict).waitFor()).containsExactly("d1");
    }

    @Test
    void F1_a_server_that_was_killed_among_its_claims_is_the_files_too() {
        Recorded file = file(true);
        Recorded claimed = new Recorded(
                file.size(),
                file.slabShift(),
                file.content(),
                MINE,
                OTHERS,
                5,
                true,
                true,
                file.donors(),
                file.slabs());
        Found half = holding(0, 6, CONTENT, OTHERS, HERE, 5, note(5L << 32, 0, 1));
        Granted granted = granted(TakeoverCheck.check(claimed, greetings(said(half, mine(1)), 0, 1), PLAIN));
        assertThat(granted.source()).isEqualTo(Source.FILE);
        assertThat(granted.complete()).isTrue();
    }

    @Test
    void F2_one_donor_under_two_addresses_is_refused() {
        List<Greeting> greetings = List.of(Greeting.of(0, "d0", blank(0)), Greeting.of(1, "localhost", blank(0)));
        assertThat(refused(TakeoverCheck.check(null, greetings, PLAIN)).sentence())
                .contains("d0", "localhost", "one donor");
    }

    @Test
    void F3_contents_are_never_mixed() {
        Found other = holding(1, 5, OTHER_CONTENT, OTHERS, HERE, 3, note(3L << 32, 1));
        List<Greeting> greetings = greetings(said(mine(0), other), 0, 1);
        assertThat(refused(TakeoverCheck.check(null, greetings, TAKE_OVER)).sentence())
                .contains("different contents", "--fresh");
        assertThat(refused(TakeoverCheck.check(file(true), greetings, TAKE_OVER))
                        .sentence())
                .contains("different contents");
        assertThat(granted(TakeoverCheck.check(file(true), greetings, FRESH)).claims())
                .allMatch(ClaimOrder::blank);
    }

    @Test
    void other_contents_than_the_files_want_a_word() {
        Found other = holding(0, 5, OTHER_CONTENT, OTHERS, HERE, 3, note(3L << 32, 0));
        List<Greeting> greetings = greetings(said(other), 0);
        assertThat(refused(TakeoverCheck.check(file(true), greetings, PLAIN)).sentence())
                .contains("other contents", "--take-over", "--fresh");
        assertThat(granted(TakeoverCheck.check(file(true), greetings, TAKE_OVER))
                        .content())
                .isEqualTo(OTHER_CONTENT);
    }

    @Test
    void a_start_before_its_donors_knows_whom_to_wait_for() {
        assertThat(refused(TakeoverCheck.check(null, greetings(said(blank(0), null), 0, 1), PLAIN))
                        .waitFor())
                .containsExactly("d1");
        assertThat(refused(TakeoverCheck.check(null, greetings(said(null, null), 0, 1), PLAIN))
                        .waitFor())
                .containsExactly("d0", "d1");
    }

    @Test
    void a_donor_that_was_given_up_and_is_back_is_neither_used_nor_listened_to() {
        // A later server gave d1 up, and its note says so; now it is back with old pages.
        Found current = holding(0, 9, CONTENT, OTHERS, HERE, 6, givingUp(note(6L << 32, 0), 1));
        Granted granted = granted(TakeoverCheck.check(null, greetings(said(current, mine(1)), 0, 1), PLAIN));
        assertThat(granted.claims()).extracting(ClaimOrder::donor).containsExactly(0);
        assertThat(granted.warnings()).anyMatch(warning -> warning.contains("d1 was given up"));
        assertThat(granted.unheldLost()).isFalse();
    }

    @Test
    void a_donor_whose_pages_no_other_donor_knows_of_is_not_decided_about_without_a_word() {
        Found current = holding(0, 9, CONTENT, OTHERS, HERE, 6, note(6L << 32, 0));
        List<Greeting> greetings = greetings(said(current, mine(1)), 0, 1);
        assertThat(refused(TakeoverCheck.check(null, greetings, PLAIN)).sentence())
                .contains("d1", "no other donor knows of", "--lose-missing");
        assertThat(granted(TakeoverCheck.check(null, greetings, LOSE)).givenUp())
                .containsExactly(process(1));
    }

    @Test
    void seed_202478_a_clean_file_of_another_boot_is_the_truth_only_if_every_donor_is_as_it_says() {
        Recorded here = file(true);
        Recorded old = new Recorded(
                here.size(), here.slabShift(), here.content(), MINE, null, 4, true, false, here.donors(), here.slabs());
        List<Greeting> untouched = greetings(said(mine(0), mine(1)), 0, 1);
        assertThat(granted(TakeoverCheck.check(old, untouched, PLAIN)).complete())
                .isTrue();
        // The lease has ended at d0, and d1 restarted: a server may have come in between.
        Found restarted = new Found(process(9), SLAB, 0, Found.NONE, Owner.NOBODY, false, -1, 100, 100, 0, Note.NONE);
        List<Greeting> greetings = greetings(said(forgot(0, 5), restarted), 0, 1);
        Granted granted = granted(TakeoverCheck.check(old, greetings, PLAIN));
        assertThat(granted.complete()).isFalse();
        assertThat(granted.unheldLost()).isTrue();
    }

    @Test
    void seed_311015_a_new_donor_is_not_claimed_while_one_is_waited_for_that_would_not_know_of_it() {
        Granted granted =
                granted(TakeoverCheck.check(file(true), greetings(said(mine(0), null, blank(2)), 0, 1, 2), PLAIN));
        assertThat(granted.waiting()).containsKey(process(1));
        assertThat(granted.claims()).extracting(ClaimOrder::donor).containsExactly(0);
        assertThat(granted.warnings()).anyMatch(warning -> warning.contains("d2 is new"));
    }

    @Test
    void a_new_donor_is_refused_while_one_is_not_named_that_would_not_know_of_it() {
        // d3 is a donor of the file, and holds nothing.
        Recorded file = withIdleDonor(file(true));
        List<Greeting> greetings = greetings(said(mine(0), mine(1), blank(2)), 0, 1, 2);
        assertThat(refused(TakeoverCheck.check(file, greetings, PLAIN)).sentence())
                .contains("d3", "would not learn of donor d2", "--lose-missing");
        Granted granted = granted(TakeoverCheck.check(file, greetings, LOSE));
        assertThat(granted.claims()).hasSize(3);
        assertThat(granted.givenUp()).containsExactly(process(3));
        assertThat(granted.gone()).isEmpty();
        // Without the new one nobody has to learn anything.
        Granted fewer = granted(TakeoverCheck.check(file, greetings(said(mine(0), mine(1)), 0, 1), PLAIN));
        assertThat(fewer.unnamed()).containsKey(process(3));
    }

    @Test
    void nothing_is_given_up_while_a_donor_is_silent_that_would_not_learn_of_it() {
        Recorded file = withIdleDonor(file(true));
        List<Greeting> greetings = greetings(said(mine(0), null), 0, 1);
        assertThat(refused(TakeoverCheck.check(file, greetings, LOSE)).waitFor())
                .containsExactly("d1");
    }

    @Test
    void a_start_that_gives_donors_up_is_ahead_of_every_server_that_it_did_not_hear_of() {
        Granted granted = granted(TakeoverCheck.check(null, greetings(said(mine(0)), 0), LOSE));
        assertThat(granted.term()).isEqualTo(4 + TakeoverCheck.UNSEEN_TERMS);
    }

    @Test
    void an_address_whose_donor_ended_is_asked_by_a_start_without_a_file() {
        List<Note.Member> members =
                List.of(new Note.Member(process(0), "d0"), new Note.Member(Note.Member.ENDED, "d1"));
        Note note = new Note(4L << 32, SIZE, 20, members, Set.of(), new BitSet(), false);
        Found left = holding(0, 5, CONTENT, MINE, HERE, 4, note);
        assertThat(refused(TakeoverCheck.check(null, greetings(said(left), 0), PLAIN))
                        .sentence())
                .contains("d1", "not named");
        assertThat(refused(TakeoverCheck.check(null, greetings(said(left, null), 0, 1), PLAIN))
                        .waitFor())
                .containsExactly("d1");
        assertThat(granted(TakeoverCheck.check(null, greetings(said(left, blank(1)), 0, 1), PLAIN))
                        .unheldLost())
                .isFalse();
    }

    @Test
    void an_address_whose_donor_ended_and_that_is_not_named_can_be_given_up_by_a_true_file_too() {
        List<Note.Member> members = List.of(
                new Note.Member(process(0), "d0"),
                new Note.Member(process(1), "d1"),
                new Note.Member(Note.Member.ENDED, "d3"));
        Note note = new Note(4L << 32, SIZE, 20, members, Set.of(), new BitSet(), false);
        List<Greeting> greetings =
                greetings(said(holding(0, 5, CONTENT, MINE, HERE, 4, note), mine(1), blank(2)), 0, 1, 2);
        assertThat(refused(TakeoverCheck.check(file(true), greetings, PLAIN)).sentence())
                .contains("d3", "would not learn of donor d2", "--lose-missing");
        Granted granted = granted(TakeoverCheck.check(file(true), greetings, LOSE));
        assertThat(granted.unclaimed()).isEmpty();
        assertThat(granted.claims()).hasSize(3);
        // Somebody may have claimed a process there that nobody knows: the note remembers the address.
        ExportNote next = TakeoverNotes.atClaim(granted, SIZE, 20, new BitSet(), place -> "d" + place);
        assertThat(next.now().givenUpAddresses()).containsExactly("d3");
        assertThat(granted.term()).isEqualTo(4 + TakeoverCheck.UNSEEN_TERMS);
    }

    @Test
    void the_address_of_a_donor_that_is_given_up_is_given_up_with_it() {
        Granted granted = granted(TakeoverCheck.check(null, greetings(said(mine(0)), 0), LOSE));
        ExportNote next = TakeoverNotes.atClaim(granted, SIZE, 20, new BitSet(), place -> "d" + place);
        assertThat(next.now().givenUp()).containsExactly(process(1));
        assertThat(next.now().givenUpAddresses()).containsExactly("d1");
    }

    /** The fault: its identity is not known, so its claim was taken for one of a later server, or refused as unknown. */
    @Test
    void a_donor_that_comes_back_at_an_address_that_was_given_up_is_left_out() {
        Note note = new Note(
                6L << 32,
                SIZE,
                20,
                List.of(new Note.Member(process(0), "d0")),
                Set.of(),
                List.of("d1"),
                new BitSet(),
                false);
        Found current = holding(0, 9, CONTENT, OTHERS, HERE, 6, note);
        Found back = holding(7, 2, CONTENT, MINE, HERE, 5, note(5L << 32, 0, 7));
        Granted granted = granted(TakeoverCheck.check(null, greetings(said(current, back), 0, 1), PLAIN));
        assertThat(granted.claims()).extracting(ClaimOrder::donor).containsExactly(0);
        assertThat(granted.givenUp()).containsExactly(process(7));
        // Of a server that came later it is not.
        Found later = holding(7, 2, CONTENT, MINE, HERE, 6, note(5L << 32, 0, 7));
        assertThat(refused(TakeoverCheck.check(null, greetings(said(current, later), 0, 1), PLAIN))
                        .sentence())
                .contains("d1", "no other donor knows of");
    }

    /** All donors had restarted, and what they held was written down as lost. Then they restarted again, and nobody confirms the file. */
    @Test
    void a_file_that_knows_of_lost_pages_is_not_begun_blank_without_a_word() {
        List<Greeting> greetings = greetings(said(blank(7), blank(8)), 0, 1);
        Granted granted = granted(TakeoverCheck.check(holdingNothing(-1), greetings, PLAIN));
        assertThat(granted.source()).isEqualTo(Verdict.Source.BLANK);
        assertThat(refused(TakeoverCheck.check(holdingNothing(1), greetings, PLAIN))
                        .sentence())
                .contains("no donor that answers holds the pages", "--fresh");
    }

    private static Recorded holdingNothing(int lostSlab) {
        return new Recorded(SIZE, 20, CONTENT, MINE, null, 4, true, true, List.of(), new Recorded.SlabRows() {
            @Override
            public int count() {
                return SLABS;
            }

            @Override
            public @Nullable SlabRow row(int slab) {
                return null;
            }

            @Override
            public boolean anyLost(int slab) {
                return slab == lostSlab;
            }

            @Override
            public boolean broken(int slab) {
                return false;
            }
        });
    }

    @Test
    void donors_that_know_of_the_contents_are_claimed_before_others() {
        Granted granted =
                granted(TakeoverCheck.check(file(true), greetings(said(mine(0), mine(1), blank(-5)), 2, 1, 0), PLAIN));
        assertThat(granted.members()).extracting(ClaimOrder::incarnation).containsExactly(process(0), process(1));
        assertThat(granted.others()).extracting(ClaimOrder::incarnation).containsExactly(process(-5));
    }

    private static Note with(Note note, Note.Member more) {
        List<Note.Member> members = new ArrayList<>(note.members());
        members.add(more);
        return new Note(
                note.version(), note.size(), note.slabShift(), members, note.givenUp(), note.lost(), note.allLost());
    }

    /** The same file, as of another boot. */
    private static Recorded ofAnotherBoot(boolean closedInOrder) {
        Recorded file = file(true);
        return new Recorded(
                file.size(),
                file.slabShift(),
                file.content(),
                MINE,
                null,
                4,
                closedInOrder,
                false,
                file.donors(),
                file.slabs());
    }

    @Test
    void members_that_only_the_note_names_are_heard_by_a_file_that_is_not_the_truth() {
        Note named = note(4L << 32, 0, 1, 2);
        Found first = holding(0, 5, CONTENT, MINE, HERE, 4, named);
        Verdict verdict = TakeoverCheck.check(file(false), greetings(said(first, mine(1), null), 0, 1, 2), PLAIN);
        assertThat(refused(verdict).waitFor()).containsExactly("d2");
    }

    @Test
    void a_donor_that_moved_to_anothers_address_does_not_show_that_the_other_one_has_ended() {
        // d1's process answers at d0, and d1 is silent: d0's may be there.
        Map<Integer, @Nullable Found> said = new HashMap<>();
        said.put(0, mine(1));
        assertThat(refused(TakeoverCheck.check(null, greetings(said, 0), PLAIN)).sentence())
                .contains("d0");
        Granted granted = granted(TakeoverCheck.check(file(true), greetings(said, 0, 1), LOSE));
        assertThat(granted.givenUp()).containsExactly(process(0));
    }

    @Test
    void an_address_at_which_a_process_has_ended_is_not_heard_by_a_donor_that_moved_there() {
        Note left = with(note(4L << 32, 0), new Note.Member(Note.Member.ENDED, "d1"));
        Map<Integer, @Nullable Found> said = new HashMap<>();
        said.put(1, holding(0, 5, CONTENT, MINE, HERE, 4, left));
        assertThat(refused(TakeoverCheck.check(null, greetings(said, 1), PLAIN)).sentence())
                .contains("d1");
    }

    @Test
    void a_donor_with_a_new_address_is_not_used_while_one_is_silent_that_would_not_learn_of_it() {
        Map<Integer, @Nullable Found> said = new HashMap<>();
        said.put(2, mine(0));
        List<Greeting> greetings = greetings(said, 1, 2);
        assertThat(refused(TakeoverCheck.check(file(true), greetings, PLAIN)).sentence())
                .contains("d1");
    }

    @Test
    void a_new_donor_waits_while_nobody_answers_where_a_process_has_ended() {
        Note left = with(note(4L << 32, 0, 1), new Note.Member(Note.Member.ENDED, "d3"));
        Map<Integer, @Nullable Found> said = said(holding(0, 5, CONTENT, MINE, HERE, 4, left), mine(1), blank(2), null);
        Granted granted = granted(TakeoverCheck.check(file(true), greetings(said, 0, 1, 2, 3), PLAIN));
        assertThat(granted.claims()).extracting(ClaimOrder::donor).containsExactly(0, 1);
        assertThat(granted.unclaimed()).containsExactly("d3");
    }

    @Test
    void a_clean_file_of_another_boot_is_not_the_truth_if_a_donor_is_silent_or_was_claimed_since() {
        assertThat(granted(TakeoverCheck.check(ofAnotherBoot(true), greetings(said(mine(0), mine(1)), 0, 1), PLAIN))
                        .complete())
                .isTrue();
        assertThat(refused(TakeoverCheck.check(ofAnotherBoot(true), greetings(said(mine(0), null), 0, 1), PLAIN))
                        .waitFor())
                .containsExactly("d1");
        Found claimedAgain = holding(0, 9, CONTENT, MINE, HERE, 4, note(4L << 32, 0, 1));
        assertThat(granted(TakeoverCheck.check(
                                ofAnotherBoot(true), greetings(said(claimedAgain, mine(1)), 0, 1), PLAIN))
                        .complete())
                .isFalse();
        Found byAnother = holding(0, 5, CONTENT, OTHERS, HERE, 5, note(5L << 32, 0, 1));
        assertThat(granted(TakeoverCheck.check(ofAnotherBoot(true), greetings(said(byAnother, mine(1)), 0, 1), PLAIN))
                        .source())
                .isEqualTo(Source.LISTS);
    }

    @Test
    void a_donor_of_the_contents_that_the_file_does_not_know_shows_a_later_server() {
        Found later = holding(2, 1, CONTENT, OTHERS, HERE, 5, note(5L << 32, 0, 1, 2));
        Granted granted =
                granted(TakeoverCheck.check(file(true), greetings(said(mine(0), mine(1), later), 0, 1, 2), PLAIN));
        assertThat(granted.source()).isEqualTo(Source.LISTS);
    }

    @Test
    void a_donor_that_was_given_up_is_no_later_server_and_is_left_alone_by_a_true_file() {
        Found current = holding(0, 5, CONTENT, MINE, HERE, 4, givingUp(note(4L << 32, 0, 1), 2));
        Found back = holding(2, 1, CONTENT, OTHERS, HERE, 3, note(3L << 32, 0, 1, 2));
        Granted granted =
                granted(TakeoverCheck.check(file(true), greetings(said(current, mine(1), back), 0, 1, 2), PLAIN));
        assertThat(granted.source()).isEqualTo(Source.FILE);
        assertThat(granted.claims()).extracting(ClaimOrder::donor).containsExactly(0, 1);
        assertThat(granted.warnings()).anyMatch(warning -> warning.contains("d2 was given up"));
    }

    @Test
    void a_donor_whose_slabs_a_true_file_does_not_know_of_begins_blank() {
        // It was claimed by this server, and the file never came to name it.
        Found mineToo = holding(2, 1, CONTENT, MINE, HERE, 4, note(4L << 32, 0, 1));
        Granted granted =
                granted(TakeoverCheck.check(file(true), greetings(said(mine(0), mine(1), mineToo), 0, 1, 2), PLAIN));
        assertThat(granted.abandoned()).containsExactly(2);
        assertThat(granted.others()).extracting(ClaimOrder::donor).containsExactly(2);
    }
}
