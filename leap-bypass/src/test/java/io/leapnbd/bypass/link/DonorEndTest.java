package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Whether somebody else may have claimed at a donor process before it was lost. */
class DonorEndTest {

    private static final UUID PROCESS = new UUID(1, 1);
    private static final UUID NEW_PROCESS = new UUID(1, 2);

    private final List<Boolean> seen = new ArrayList<>();
    private final Donor donor = new Donor("d", new IgnoringListener() {
        @Override
        public void donorLost(Donor of, UUID gone, UUID found, boolean unclaimed) {
            seen.add(unclaimed);
        }
    });

    private void answersAndIsCutOff() {
        donor.stand(DonorStanding.claimed(PROCESS, 4));
        donor.linkUp(false);
        donor.proven(System.nanoTime());
        donor.linkDown("closed the connection", true);
    }

    @Test
    void a_process_that_answered_just_before_another_one_came_was_not_claimed_by_others() {
        answersAndIsCutOff();
        donor.lost(NEW_PROCESS, false);
        assertThat(seen).containsExactly(true);
    }

    /** Its epoch has grown: somebody else's claim ended our links, and then its lease ended. */
    @Test
    void a_process_that_is_still_there_and_has_forgotten_the_export_may_have_been_claimed_by_others() {
        answersAndIsCutOff();
        donor.lost(PROCESS, false);
        assertThat(seen).containsExactly(false);
    }
}
