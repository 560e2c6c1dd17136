package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.takeover.ListedCopies.Listed;
import io.leapnbd.donor.protocol.SlabName;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/**
 * Which copies a server believes that has only what donors list (docs/replicas.md). The numbered histories are those by which an earlier rule
 * believed stale copies, or lost good ones.
 */
class ListedCopiesTest {

    private static final SlabName A = new SlabName(new UUID(1, 1), 11, 1);
    private static final SlabName B = new SlabName(new UUID(1, 2), 12, 2);
    private static final SlabName C = new SlabName(new UUID(1, 3), 13, 3);

    private static Listed live(SlabName slab, long generation, SlabName... names) {
        return new Listed(donor(slab), slab, generation, true, false, List.of(names));
    }

    private static Listed untouched(SlabName slab) {
        return new Listed(donor(slab), slab, slab.grantVersion(), false, false, List.of(slab));
    }

    private static Listed filling(SlabName slab, long generation, SlabName... names) {
        return new Listed(donor(slab), slab, generation, true, true, List.of(names));
    }

    private static int donor(SlabName slab) {
        return (int) slab.incarnation().getLeastSignificantBits();
    }

    private static PlannedSlab believed(Listed... listed) {
        return Objects.requireNonNull(new ListedCopies(List.of(listed)).believed());
    }

    private static void assertLost(Listed... listed) {
        ListedCopies copies = new ListedCopies(List.of(listed));
        assertThat(copies.generation() > 0 || copies.onlyFilling()).isTrue();
        assertThat(copies.generation() > 0 ? copies.believed() : null).isNull();
    }

    private static List<SlabName> copies(PlannedSlab planned, State state) {
        return planned.copies().stream()
                .filter(copy -> copy.state() == state)
                .map(PlannedSlab.Copy::name)
                .toList();
    }

    private static void assertCopies(PlannedSlab planned, List<SlabName> live, List<SlabName> complete) {
        assertThat(copies(planned, State.LIVE)).containsExactlyInAnyOrderElementsOf(live);
        assertThat(copies(planned, State.COMPLETE)).containsExactlyInAnyOrderElementsOf(complete);
        assertThat(planned.copies()).hasSize(live.size() + complete.size());
    }

    @Test
    void copies_that_name_each_other_are_live() {
        PlannedSlab planned = believed(live(A, 5, A, B), live(B, 5, A, B));
        assertCopies(planned, List.of(A, B), List.of());
        assertThat(planned.generation()).isEqualTo(5);
        assertThat(planned.untold()).isFalse();
    }

    /** Seed 2023958 of the simulation: B and C were filled from blank pages. A, which was away, still names one that is gone. */
    @Test
    void copies_that_were_filled_with_nothing_count_if_they_name_one_that_was_used() {
        Listed b = new Listed(1, B, 8, false, false, List.of(A, B, C));
        Listed c = new Listed(2, C, 8, false, false, List.of(A, B, C));
        SlabName gone = new SlabName(new UUID(1, 3), 40, 4);
        PlannedSlab planned = believed(live(A, 5, A, B, gone), b, c);
        assertThat(planned.generation()).isEqualTo(8);
        assertCopies(planned, List.of(A, B), List.of(C));
        // Placed in vain, and never used.
        Listed alone = new Listed(1, B, 8, false, false, List.of(B, C));
        assertThat(new ListedCopies(List.of(live(A, 5, A), alone)).generation()).isEqualTo(5);
    }

    @Test
    void a_slab_that_was_never_placed_is_believed_by_itself() {
        assertCopies(believed(live(A, 1, A)), List.of(A), List.of());
    }

    @Test
    void a_copy_that_was_dropped_is_not_believed_with_nor_without_the_one_that_stayed() {
        assertCopies(believed(live(A, 5, A, B), live(B, 6, B)), List.of(B), List.of());
        assertLost(live(A, 5, A, B));
    }

    /** The one that was told is believed. The other one is not, though it was told nothing and has a later grant. */
    @Test
    void history_1_a_copy_that_was_told_that_it_is_alone_is_the_one_that_counts() {
        PlannedSlab planned = believed(live(A, 4, A, B), live(B, 5, B));
        assertCopies(planned, List.of(B), List.of());
        assertLost(live(A, 4, A, B));
        // It is left as it was when the copy that was told comes back alone: nobody was acknowledged without it.
        assertCopies(believed(live(B, 5, B)), List.of(B), List.of());
    }

    @Test
    void history_1_with_three_copies_those_that_are_named_by_all_stay_and_are_told() {
        PlannedSlab planned = believed(live(A, 4, A, B, C), live(B, 5, A, B), live(C, 4, A, B, C));
        assertCopies(planned, List.of(A, B), List.of());
        assertThat(planned.untold()).isTrue();
        assertLost(live(A, 4, A, B, C));
        assertLost(live(A, 4, A, B, C), live(C, 4, A, B, C));
        // What names it is not there either.
        assertLost(live(B, 5, A, B), live(C, 4, A, B, C));
    }

    /** A's bytes went, its process stays, and it was granted a blank slab that was not used yet. B has missed a write. */
    @Test
    void history_2a_another_slab_of_the_same_process_is_not_the_one_that_is_named() {
        SlabName blank = new SlabName(A.incarnation(), 99, 9);
        assertLost(live(B, 4, A, B), untouched(blank));
        // Whatever it says itself.
        assertLost(live(B, 10, A, B), live(blank, 9, blank, B));
    }

    /** A GRANT that was sent twice is done twice: the second time after the first slab was freed. Only the handle differs. */
    @Test
    void history_2b_a_slab_of_the_same_grant_is_not_the_one_that_is_named() {
        SlabName again = new SlabName(C.incarnation(), 99, C.grantVersion());
        assertLost(live(B, 10, B, C), untouched(again));
        assertLost(live(B, 10, B, C), live(again, C.grantVersion(), again));
        assertLost(live(B, 10, B, C), live(again, 9, again, B));
    }

    /** A slot that was lent some thousand times has had all its handles. */
    @Test
    void history_2c_a_slab_of_the_same_handle_is_not_the_one_that_is_named() {
        SlabName later = new SlabName(A.incarnation(), A.handle(), 9);
        assertLost(live(B, 4, A, B), untouched(later));
        assertLost(live(B, 10, A, B), live(later, 9, later, B));
        assertCopies(believed(live(B, 4, A, B), live(later, 9, later)), List.of(later), List.of());
    }

    @Test
    void a_slab_that_is_filling_is_not_the_live_one_that_is_named() {
        assertLost(live(B, 4, A, B), filling(A, 3));
        assertLost(live(B, 4, A, B), filling(A, 3, B));
    }

    /** The new copy is told first: if the server ends then, the copy that has everything is believed by itself. */
    @Test
    void history_3a_half_an_add_loses_nothing() {
        assertCopies(believed(live(A, 1, A), filling(B, 2, A)), List.of(A), List.of());
        assertCopies(believed(live(A, 1, A), live(B, 5, A, B)), List.of(A), List.of(B));
        assertCopies(believed(live(A, 5, A, B), live(B, 5, A, B)), List.of(A, B), List.of());
    }

    /** A has not been told of B. If B were live, A could be dropped, and would be believed when it comes back alone. */
    @Test
    void history_3b_a_copy_that_a_live_one_does_not_name_is_complete_and_not_live() {
        PlannedSlab planned = believed(live(A, 1, A), live(B, 5, A, B));
        assertCopies(planned, List.of(A), List.of(B));
        assertCopies(believed(live(A, 1, A)), List.of(A), List.of());
    }

    @Test
    void history_3b_of_three_copies_the_one_that_not_all_name_is_complete() {
        PlannedSlab planned = believed(live(A, 6, A, B, C), live(B, 4, A, B), live(C, 6, A, B, C));
        assertCopies(planned, List.of(A, B), List.of(C));
        assertThat(planned.untold()).isTrue();
    }

    /** An add that was called off after B had been told: then A was told that it is alone. */
    @Test
    void history_3d_a_copy_whose_add_was_called_off_is_not_believed() {
        assertCopies(believed(live(A, 6, A), live(B, 5, A, B)), List.of(A), List.of());
        assertLost(live(B, 5, A, B));
    }

    /** Nothing was acknowledged there: the one that counts is older. */
    @Test
    void a_slab_that_was_granted_in_vain_does_not_count() {
        SlabName vain = new SlabName(new UUID(1, 4), 14, 20);
        assertCopies(believed(live(A, 5, A, B), live(B, 5, A, B), untouched(vain)), List.of(A, B), List.of());
        assertThat(new ListedCopies(List.of(untouched(vain))).generation()).isZero();
        assertThat(new ListedCopies(List.of(untouched(vain))).onlyFilling()).isFalse();
    }

    @Test
    void one_copy_of_a_generation_that_was_touched_is_enough() {
        Listed other = new Listed(donor(B), B, 5, false, false, List.of(A, B));
        assertCopies(believed(live(A, 5, A, B), other), List.of(A, B), List.of());
    }

    /** It tells that there was something: the live copies that it names. */
    @Test
    void a_filling_copy_whose_source_is_not_there_is_not_taken_for_blank() {
        assertLost(filling(B, 5, A));
        assertLost(filling(B, 5, A), untouched(new SlabName(A.incarnation(), 99, 9)));
        assertThat(new ListedCopies(List.of(filling(B, 5, A), untouched(A))).onlyFilling())
                .isFalse();
    }
}
