package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.donor.protocol.SlabName;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What becomes of a placement when copies come and go (docs/replicas.md). */
class PlacementTest {

    private static final Member A = member(0);
    private static final Member B = member(1);
    private static final Member C = member(2);

    private static Member member(int donor) {
        return new Member(donor, new UUID(1, donor), 10 + donor, 100 + donor);
    }

    private static List<State> states(Placement placement) {
        return IntStream.range(0, placement.size()).mapToObj(placement::state).toList();
    }

    private static Placement both() {
        return Placement.of(5, List.of(A, B));
    }

    @Test
    void a_slab_with_one_copy_is_of_the_generation_of_its_grant() {
        Placement alone = Placement.of(A);
        assertThat(alone.generation()).isEqualTo(A.grantVersion());
        assertThat(alone.primary()).isSameAs(A);
        assertThat(alone.live()).isEqualTo(1);
        assertThat(alone.told()).isTrue();
    }

    /** Hole 2: what donors are told is which slab it is, not at which process. */
    @Test
    void a_copy_is_named_by_process_handle_and_grant() {
        assertThat(B.name()).isEqualTo(new SlabName(new UUID(1, 1), 11, 101));
    }

    @Test
    void a_copy_that_is_added_is_filling_then_complete_then_live() {
        Placement filling = Placement.of(A).withFilling(B, 200);
        assertThat(filling.members()).containsExactly(A, B);
        assertThat(states(filling)).containsExactly(State.LIVE, State.FILLING);
        assertThat(filling.live()).isEqualTo(1);
        Placement complete = filling.withComplete(B, 201);
        assertThat(states(complete)).containsExactly(State.LIVE, State.COMPLETE);
        Placement live = complete.withLive(B, 202);
        assertThat(states(live)).containsExactly(State.LIVE, State.LIVE);
        assertThat(live.generation()).isEqualTo(202);
        assertThat(live.told()).isTrue();
    }

    @Test
    void a_filling_copy_is_not_made_live_before_it_is_complete() {
        Placement filling = Placement.of(A).withFilling(B, 200);
        assertThat(states(filling.withLive(B, 201))).containsExactly(State.LIVE, State.FILLING);
    }

    /** Hole 1: from the moment at which a PLACE without it is sent, a copy does not let others go any more. */
    @Test
    void a_copy_that_is_about_to_be_left_out_is_complete_and_not_live() {
        Placement doubted = both().withDoubt(List.of(A), 6);
        assertThat(doubted.members()).containsExactly(B, A);
        assertThat(states(doubted)).containsExactly(State.LIVE, State.COMPLETE);
        assertThat(doubted.primary()).isSameAs(B);
        assertThat(doubted.told()).isFalse();
    }

    @Test
    void a_copy_that_was_left_out_is_none_of_those_that_are_left() {
        Placement left = both().withDoubt(List.of(A), 6).without(List.of(A), 6);
        assertThat(left.members()).containsExactly(B);
        assertThat(left.has(A)).isFalse();
        assertThat(left.told()).isTrue();
    }

    @Test
    void not_all_live_copies_can_be_left_out() {
        assertThatThrownBy(() -> both().withDoubt(List.of(A, B), 6)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> both().without(List.of(A, B), 6)).isInstanceOf(IllegalArgumentException.class);
    }

    /** Nothing is acknowledged before the others are told. */
    @Test
    void a_copy_that_is_gone_leaves_at_once_and_the_others_are_yet_to_be_told() {
        Placement left = Objects.requireNonNull(both().withoutGone(A, 6));
        assertThat(left.members()).containsExactly(B);
        assertThat(left.told()).isFalse();
        assertThat(left.asTold(7).told()).isTrue();
    }

    @Test
    void when_the_last_live_copy_is_gone_a_complete_one_becomes_live() {
        Placement placement =
                Placement.of(A).withFilling(C, 6).withFilling(B, 7).withComplete(B, 8);
        Placement left = Objects.requireNonNull(placement.withoutGone(A, 9));
        assertThat(left.members()).containsExactly(B, C);
        assertThat(states(left)).containsExactly(State.LIVE, State.FILLING);
    }

    @Test
    void a_complete_copy_stays_complete_as_long_as_another_one_is_live() {
        Placement placement = both().withFilling(C, 6).withComplete(C, 7);
        assertThat(states(Objects.requireNonNull(placement.withoutGone(A, 8))))
                .containsExactly(State.LIVE, State.COMPLETE);
    }

    @Test
    void filling_copies_alone_are_no_placement() {
        assertThat(Placement.of(A).withFilling(B, 6).withoutGone(A, 7)).isNull();
    }

    @Test
    void a_copy_is_found_by_its_process_and_a_copy_of_another_process_there_is_not() {
        assertThat(both().at(1, B.incarnation())).isSameAs(B);
        assertThat(both().at(1, A.incarnation())).isNull();
        assertThat(both().isAt(1)).isTrue();
        assertThat(both().isAt(2)).isFalse();
    }

    @Test
    void there_are_four_copies_at_most() {
        Placement four = Placement.of(5, List.of(A, B, C, member(3)));
        assertThatThrownBy(() -> four.withFilling(member(4), 6)).isInstanceOf(IllegalArgumentException.class);
    }
}
