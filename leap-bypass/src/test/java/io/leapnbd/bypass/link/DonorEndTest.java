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

    @Test
    void a_process_that_a_link_has_seen_end_was_not_claimed_by_others() {
        donor.stand(DonorStanding.claimed(PROCESS, 4));
        donor.processEnded(donor.held());
        donor.lost(NEW_PROCESS, false);
        assertThat(seen).containsExactly(true);
    }

    /** The fault: a take-over ends links as well, and the donor may restart before this server reaches it again. */
    @Test
    void a_process_that_answered_just_before_its_links_broke_may_have_been_claimed_by_others() {
        donor.stand(DonorStanding.claimed(PROCESS, 4));
        donor.linkUp(false);
        donor.proven(System.nanoTime());
        donor.linkDown("connection reset", true);
        donor.lost(NEW_PROCESS, false);
        assertThat(seen).containsExactly(false);
    }

    /** What a link of an older claim has seen says nothing of this one. */
    @Test
    void a_link_of_an_older_claim_proves_nothing_of_the_present_one() {
        donor.stand(DonorStanding.claimed(PROCESS, 4));
        Donor.Held older = donor.held();
        donor.claimed(PROCESS, 5);
        donor.processEnded(older);
        donor.lost(NEW_PROCESS, false);
        assertThat(seen).containsExactly(false);
    }

    /** Its epoch has grown: somebody else's claim ended our links, and then its lease ended. */
    @Test
    void a_process_that_is_still_there_and_has_forgotten_the_export_may_have_been_claimed_by_others() {
        donor.stand(DonorStanding.claimed(PROCESS, 4));
        donor.processEnded(donor.held());
        donor.lost(PROCESS, false);
        assertThat(seen).containsExactly(false);
    }
}
