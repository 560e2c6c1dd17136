package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.takeover.TakeoverPlan.Fate;
import io.leapnbd.bypass.takeover.TakeoverPlan.Superseded;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Source;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** What becomes of a slab with several copies when there is a state file (docs/replicas.md). */
class PlannedCopiesTest {

    private static final UUID CONTENT = new UUID(8, 1);
    private static final SlabName A = new SlabName(new UUID(1, 0), 10, 1);
    private static final SlabName B = new SlabName(new UUID(1, 1), 20, 2);

    private static Granted granted(
            Source source, boolean complete, Map<UUID, Integer> waiting, Set<Integer> abandoned) {
        Note note = new Note(4L << 32, 1 << 20, 20, List.of(), Set.of(), new BitSet(), false);
        return new Granted(
                CONTENT, source, complete, 5, List.of(), List.of(), Set.of(), waiting, Map.of(), Set.of(), Set.of(),
                abandoned, false, note, List.of());
    }

    private static Granted truth() {
        return granted(Source.FILE, true, Map.of(), Set.of());
    }

    private static Granted join() {
        return granted(Source.FILE, false, Map.of(), Set.of());
    }

    /** What a donor lists for index 0: the place is the last digit of its process. */
    private static HeldSlabs lists(SlabName slab, long generation, SlabCopies copies) {
        HeldSlabs held = new HeldSlabs((int) slab.incarnation().getLeastSignificantBits(), slab.incarnation(), 1);
        held.add(0, slab.handle(), slab.grantVersion(), generation, true, copies);
        return held;
    }

    private static SlabRow.Copy copy(SlabName slab, State state) {
        return new SlabRow.Copy(slab.incarnation(), slab.handle(), slab.grantVersion(), state);
    }

    private static TakeoverPlan plan(Granted granted, SlabRow row, HeldSlabs... held) {
        return TakeoverPlan.of(granted, OneSlab.file(CONTENT, row), 1, List.of(held));
    }

    private static void assertCopies(TakeoverPlan plan, List<SlabName> live, List<SlabName> complete) {
        assertThat(plan.fate(0)).isEqualTo(Fate.KEPT);
        PlannedSlab planned = Objects.requireNonNull(plan.planned(0));
        assertThat(planned.live()).containsExactlyElementsOf(live);
        assertThat(planned.copies().stream()
                        .filter(copy -> copy.state() == State.COMPLETE)
                        .map(PlannedSlab.Copy::name))
                .containsExactlyElementsOf(complete);
        assertThat(planned.copies()).hasSize(live.size() + complete.size());
    }

    /** A is waited for and was never told of B. If B were live, A could be dropped and would be believed when it comes back alone. */
    @Test
    void history_3c_a_copy_that_was_filled_and_that_the_row_calls_filling_is_complete_and_not_live() {
        SlabRow row = new SlabRow(4, List.of(copy(A, State.LIVE), copy(B, State.FILLING)));
        HeldSlabs b = lists(B, 5, SlabCopies.live(List.of(A, B)));
        assertCopies(
                plan(granted(Source.FILE, true, Map.of(A.incarnation(), 0), Set.of()), row, b), List.of(A), List.of(B));
        assertCopies(plan(truth(), row, lists(A, 1, SlabCopies.ALONE), b), List.of(A), List.of(B));
    }

    /** The row is written before anybody is told. */
    @Test
    void a_row_of_a_later_generation_than_its_donors_know_keeps_its_copies() {
        SlabRow row = new SlabRow(7, List.of(copy(A, State.LIVE), copy(B, State.COMPLETE)));
        SlabCopies both = SlabCopies.live(List.of(A, B));
        TakeoverPlan plan = plan(truth(), row, lists(A, 5, both), lists(B, 5, both));
        assertCopies(plan, List.of(A), List.of(B));
        assertThat(Objects.requireNonNull(plan.planned(0)).untold()).isTrue();
        assertCopies(plan(join(), row, lists(A, 5, both), lists(B, 5, both)), List.of(A), List.of(B));
    }

    /** Seed 30387: the live copy ended, and the server was killed, between the last group and the PLACE. */
    @Test
    void a_copy_that_the_row_calls_complete_has_everything_though_its_donor_was_not_told() {
        SlabRow row = new SlabRow(7, List.of(copy(A, State.LIVE), copy(B, State.COMPLETE)));
        HeldSlabs b = lists(B, 7, SlabCopies.filling(List.of(A)));
        TakeoverPlan plan = plan(truth(), row, b);
        assertCopies(plan, List.of(B), List.of());
        assertThat(Objects.requireNonNull(plan.planned(0)).untold()).isTrue();
        assertCopies(plan(truth(), row, lists(A, 1, SlabCopies.ALONE), b), List.of(A), List.of(B));
        assertThat(plan(join(), row, b).fate(0)).isEqualTo(Fate.LOST_WHOLE);
    }

    /** While B is being filled, A's donor knows only of its grant. */
    @Test
    void a_slab_that_is_being_filled_elsewhere_is_kept() {
        SlabRow row = new SlabRow(7, List.of(copy(A, State.LIVE), copy(B, State.FILLING)));
        TakeoverPlan plan =
                plan(truth(), row, lists(A, 1, SlabCopies.ALONE), lists(B, 7, SlabCopies.filling(List.of(A))));
        assertCopies(plan, List.of(A), List.of());
        assertThat(plan.superseded()).containsExactly(new Superseded(1, 0, B.handle(), 7));
    }

    /** Hole 2, with a file: the slab that the row names is gone, and its process holds another one. */
    @Test
    void a_slab_of_another_grant_or_handle_is_not_the_one_of_the_row() {
        SlabRow row = new SlabRow(5, List.of(copy(A, State.LIVE)));
        SlabName sameHandle = new SlabName(A.incarnation(), A.handle(), 9);
        SlabName sameGrant = new SlabName(A.incarnation(), 99, A.grantVersion());
        for (SlabName other : List.of(sameHandle, sameGrant)) {
            TakeoverPlan plan = plan(truth(), row, lists(other, other.grantVersion(), SlabCopies.ALONE));
            assertThat(plan.fate(0)).isEqualTo(Fate.LOST_AS_WRITTEN);
        }
    }

    /** The file is not the truth, and a donor lists something later than the row: the lists count. */
    @Test
    void history_2a_with_a_file_that_is_not_the_truth_another_slab_does_not_satisfy_a_name() {
        SlabRow row = new SlabRow(1, List.of(copy(A, State.LIVE)));
        HeldSlabs b = lists(B, 4, SlabCopies.live(List.of(A, B)));
        SlabName blank = new SlabName(A.incarnation(), 99, 9);
        HeldSlabs a = new HeldSlabs(0, A.incarnation(), 1);
        a.add(0, blank.handle(), blank.grantVersion(), blank.grantVersion(), false, SlabCopies.ALONE);
        assertThat(plan(join(), row, a, b).fate(0)).isEqualTo(Fate.LOST_WHOLE);
        assertThat(plan(join(), row, lists(A, 1, SlabCopies.ALONE), b).fate(0)).isEqualTo(Fate.ADOPTED);
    }

    /** A name is satisfied only at a donor whose slabs this start goes on with. */
    @Test
    void a_slab_of_a_donor_that_is_given_up_satisfies_no_name() {
        SlabCopies both = SlabCopies.live(List.of(A, B));
        List<HeldSlabs> held = List.of(lists(A, 5, both), lists(B, 5, both));
        assertThat(TakeoverPlan.of(granted(Source.LISTS, false, Map.of(), Set.of()), null, 1, held)
                        .fate(0))
                .isEqualTo(Fate.ADOPTED);
        assertThat(TakeoverPlan.of(granted(Source.LISTS, false, Map.of(), Set.of(0)), null, 1, held)
                        .fate(0))
                .isEqualTo(Fate.LOST_WHOLE);
    }
}
