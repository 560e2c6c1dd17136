package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.Rejoin.Action;
import io.leapnbd.donor.protocol.Claimant;
import io.leapnbd.donor.protocol.HelloReply;
import java.nio.ByteBuffer;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** The rows of docs/ownership.md, "A link that comes back". */
class RejoinTest {

    private static final UUID PROCESS = new UUID(1, 1);
    private static final UUID NEW_PROCESS = new UUID(1, 2);
    private static final UUID MINE = new UUID(2, 1);
    private static final UUID OTHERS = new UUID(2, 2);
    private static final UUID BEFORE = new UUID(2, 3);
    private static final UUID CONTENT = new UUID(3, 1);
    private static final long TERM = 5;

    private static final DonorStanding CLAIMED = DonorStanding.claimed(PROCESS, 4);
    private static final DonorStanding EXPECTED = new DonorStanding(PROCESS, 3, BEFORE);

    private static HelloReply says(UUID process, long epoch, UUID content, UUID instance, long term) {
        return new HelloReply(
                2,
                process,
                new HelloReply.Limits(1 << 20, 9, 600),
                epoch,
                content,
                new Claimant(instance, term, OTHERS, "x"),
                new HelloReply.Activity(0, 0, 0, 1),
                new HelloReply.Room(9, 9, 9, 0),
                0,
                0,
                ByteBuffer.allocate(0));
    }

    private static Rejoin decide(DonorStanding known, HelloReply found) {
        return Rejoin.decide(known, found, CONTENT, MINE, false);
    }

    @Test
    void a_new_process_has_lost_what_the_old_one_held() {
        assertThat(decide(CLAIMED, says(NEW_PROCESS, 0, HelloReply.NONE, HelloReply.NONE, 0)))
                .isEqualTo(new Rejoin(Action.ADMIT, true, false));
        assertThat(decide(DonorStanding.NONE, says(NEW_PROCESS, 0, HelloReply.NONE, HelloReply.NONE, 0)))
                .isEqualTo(new Rejoin(Action.ADMIT, false, false));
    }

    @Test
    void A3_a_lease_that_ended_has_lost_what_was_held() {
        assertThat(decide(CLAIMED, says(PROCESS, 4, HelloReply.NONE, HelloReply.NONE, 0)))
                .isEqualTo(new Rejoin(Action.CLAIM, true, false));
    }

    @Test
    void a_lease_that_ended_after_somebody_elses_claim_does_not_show_that_nobody_took_over() {
        assertThat(decide(CLAIMED, says(PROCESS, 5, HelloReply.NONE, HelloReply.NONE, 0)))
                .isEqualTo(new Rejoin(Action.ADMIT, true, false));
        assertThat(decide(EXPECTED, says(PROCESS, 3, HelloReply.NONE, HelloReply.NONE, 0)))
                .isEqualTo(new Rejoin(Action.ADMIT, true, false));
    }

    @Test
    void another_loop_that_has_claimed_anew_is_joined() {
        assertThat(decide(CLAIMED, says(PROCESS, 6, CONTENT, MINE, TERM)))
                .isEqualTo(new Rejoin(Action.JOIN, false, false));
    }

    @Test
    void a_donor_that_was_away_at_the_start_and_is_as_the_file_says_is_claimed_with_its_slabs() {
        assertThat(decide(EXPECTED, says(PROCESS, 3, CONTENT, BEFORE, 4)))
                .isEqualTo(new Rejoin(Action.CLAIM, false, false));
    }

    @Test
    void a_donor_that_was_claimed_since_by_somebody_else_fences_this_server() {
        assertThat(decide(EXPECTED, says(PROCESS, 4, CONTENT, OTHERS, 4)).action())
                .isEqualTo(Action.FENCED);
        assertThat(decide(CLAIMED, says(PROCESS, 5, CONTENT, OTHERS, 6)).action())
                .isEqualTo(Action.FENCED);
        assertThat(decide(CLAIMED, says(NEW_PROCESS, 1, CONTENT, OTHERS, 6)).action())
                .isEqualTo(Action.FENCED);
    }

    @Test
    void a_claim_that_this_server_does_not_know_fences_it_whatever_its_term() {
        assertThat(decide(DonorStanding.NONE, says(NEW_PROCESS, 2, CONTENT, BEFORE, 3)))
                .isEqualTo(new Rejoin(Action.FENCED, false, false));
    }

    @Test
    void a_donor_that_an_operator_gave_up_is_left_alone() {
        HelloReply back = says(NEW_PROCESS, 2, CONTENT, BEFORE, 3);
        assertThat(Rejoin.decide(DonorStanding.NONE, back, CONTENT, MINE, true))
                .isEqualTo(new Rejoin(Action.GIVEN_UP, false, false));
    }

    @Test
    void a_process_that_this_server_has_given_up_before_does_not_come_back_with_its_slabs() {
        assertThat(decide(CLAIMED, says(NEW_PROCESS, 2, CONTENT, MINE, TERM)))
                .isEqualTo(new Rejoin(Action.CLAIM, true, true));
    }

    @Test
    void A4_other_contents_of_the_name_are_left_alone() {
        assertThat(decide(CLAIMED, says(PROCESS, 5, new UUID(3, 2), OTHERS, 9)))
                .isEqualTo(new Rejoin(Action.FOREIGN, true, false));
    }
}
