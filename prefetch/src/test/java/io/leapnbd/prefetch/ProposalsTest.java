package io.leapnbd.prefetch;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProposalsTest {

    private final List<String> verdicts = new ArrayList<>();
    private final Proposals proposals = new Proposals(
            (proposal, right) -> verdicts.add(proposal.circumstances()
                    + (proposal.isFetched() ? " fetched " : " shadow ")
                    + (right ? "right" : "wrong")),
            new Displacement());

    private void make(long page, long tick, int circumstances, boolean fetched) {
        proposals.make(proposals.find(page), page, tick, 0, circumstances, null, fetched);
    }

    private Proposal find(long page) {
        return requireNonNull(proposals.find(page));
    }

    @Test
    void aProposalIsRightWhenItsPageIsDemanded() {
        make(7, 0, 1, true);
        make(8, 0, 2, false);
        proposals.demanded(find(7), true);
        proposals.demanded(find(8), false);

        assertThat(verdicts).containsExactly("1 fetched right", "2 shadow right");
        assertThat(proposals.find(7)).isNull();
    }

    @Test
    void aFetchedPageThatHasLeftTheCacheBeforeItsDemandWasWrong() {
        make(7, 0, 1, true);
        proposals.demanded(find(7), false);

        assertThat(verdicts).containsExactly("1 fetched wrong");
    }

    @Test
    void aProposalThatNobodyDemandsIsWrongAfterAWhile() {
        make(7, 0, 1, false);
        for (long tick = 0; tick < 2000; tick++) {
            proposals.sweep(tick);
        }
        assertThat(verdicts).isEmpty();
        for (long tick = 2000; tick < 5000; tick++) {
            proposals.sweep(tick);
        }
        assertThat(verdicts).containsExactly("1 shadow wrong");
    }

    @Test
    void aFetchedPageIsWaitedForAsLongAsTheCacheMayHaveIt() {
        make(-2, 0, 1, true);
        for (long tick = 0; tick < 10_000; tick++) {
            proposals.sweep(tick);
        }
        assertThat(verdicts).isEmpty();
        assertThat(proposals.isHeld(find(-2))).isTrue();

        int page = 0;
        while (proposals.isHeld(find(-2))) {
            make(page++, 10_000, 2, true);
        }
        assertThat(proposals.find(-2)).as("still remembered").isNotNull();
        for (; page < 2500; page++) {
            make(page, 10_000, 2, true);
        }
        for (int i = 0; i < 4096; i++) {
            proposals.sweep(10_000);
        }
        assertThat(proposals.find(-2)).isNull();
        assertThat(verdicts).contains("1 fetched wrong");
    }

    @Test
    void theOldestGivesWayWhenThereIsNoRoom() {
        for (int i = 0; i < 20_000; i++) {
            make(i, i, i, true);
        }
        assertThat(verdicts).hasSizeGreaterThan(20_000 - 4096 - 1);
        assertThat(verdicts.getFirst()).isNotEqualTo("19999 fetched wrong");
        assertThat(proposals.find(19_999)).isNotNull();
        assertThat(proposals.find(0)).isNull();
    }

    @Test
    void aShadowBecomesAFetchUnderItsNewCircumstances() {
        make(7, 0, 1, false);
        assertThat(proposals.isHeld(find(7))).isFalse();
        make(7, 5, 2, true);
        assertThat(proposals.isHeld(find(7))).isTrue();
        proposals.demanded(find(7), true);

        assertThat(verdicts).containsExactly("2 fetched right");
    }

    @Test
    void aStreamThatHasBegunAnewDoesNotAnswerForWhatItProposedBefore() {
        Stream stream = new Stream(0);
        stream.begin(5, 0);
        proposals.make(null, 6, 0, 0, 1, stream, false);
        assertThat(find(6).stream()).isSameAs(stream);

        stream.begin(900, 1);
        assertThat(find(6).stream()).isNull();
    }
}
