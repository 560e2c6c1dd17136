package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MajorityTrendTest {

    /** Figure 5 of the paper, t0 to t15. */
    private static final long[] FIGURE_5 = {
        0x48, 0x45, 0x42, 0x3F, 0x3C, 0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x10, 0x39, 0x12, 0x14, 0x16
    };

    private static AccessHistory history(int capacity, long... pages) {
        AccessHistory history = new AccessHistory(capacity);
        for (long page : pages) {
            history.record(page);
        }
        return history;
    }

    private static long trendAfterFigure5(int t) {
        AccessHistory history = new AccessHistory(8);
        for (int i = 0; i <= t; i++) {
            history.record(FIGURE_5[i]);
        }
        return MajorityTrend.find(history, 2);
    }

    @Test
    void thePapersExampleHasItsTrends() {
        assertThat(trendAfterFigure5(3)).isEqualTo(-3);
        assertThat(trendAfterFigure5(7)).isEqualTo(MajorityTrend.NONE);
        assertThat(trendAfterFigure5(8)).isEqualTo(2);
        assertThat(trendAfterFigure5(15)).isEqualTo(2);
    }

    @Test
    void theFirstLookUpHasNoDelta() {
        assertThat(history(4, 100).size()).isZero();
        assertThat(history(4, 100, 110).delta(0)).isEqualTo(10);
    }

    @Test
    void deltasAreNewestFirstAndTheOldestAreForgotten() {
        AccessHistory history = history(3, 0, 1, 3, 6, 10);

        assertThat(history.size()).isEqualTo(3);
        assertThat(history.delta(0)).isEqualTo(4);
        assertThat(history.delta(1)).isEqualTo(3);
        assertThat(history.delta(2)).isEqualTo(2);
    }

    @Test
    void anEmptyHistoryHasNoTrend() {
        assertThat(MajorityTrend.find(new AccessHistory(8), 8)).isEqualTo(MajorityTrend.NONE);
    }

    @Test
    void exactlyHalfIsNoMajority() {
        assertThat(MajorityTrend.find(history(4, 0, 1, 2, 9, 20), 1)).isEqualTo(MajorityTrend.NONE);
        assertThat(MajorityTrend.find(history(4, 0, 1, 2, 3, 20), 1)).isEqualTo(1);
    }

    @Test
    void whatAHistoryStillLacksVotesForNothing() {
        assertThat(MajorityTrend.find(history(8, 0, 1, 2), 2)).isEqualTo(MajorityTrend.NONE);
        assertThat(MajorityTrend.find(history(8, 0, 1, 2, 3), 2)).isEqualTo(1);
    }

    @Test
    void aNewTrendIsSeenInTheSmallWindowWhileTheLargeOneStillHoldsTheOld() {
        AccessHistory history = history(8, 0, 10, 20, 30, 40, 50, 51, 52);

        assertThat(MajorityTrend.find(history, 4)).isEqualTo(1);
        assertThat(MajorityTrend.find(history, 1)).isEqualTo(10);
    }

    @Test
    void anOldTrendIsSeenInTheLargeWindowThroughIrregularAccesses() {
        assertThat(MajorityTrend.find(history(8, 0, 3, 6, 9, 12, 15, 99, 7, 50), 4))
                .isEqualTo(3);
    }

    @Test
    void lookingAtTheSamePageAgainAndAgainIsATrendOfZero() {
        assertThat(MajorityTrend.find(history(4, 5, 5, 5, 5), 1)).isZero();
    }

    @Test
    void randomHistoriesHaveTheTrendThatCountingFinds() {
        Random random = new Random(20);
        int found = 0;
        for (int run = 0; run < 20_000; run++) {
            int capacity = 2 + random.nextInt(40);
            int split = 1 + random.nextInt(capacity);
            int deltas = 1 + random.nextInt(4);
            int regular = random.nextInt(11);
            AccessHistory history = new AccessHistory(capacity);
            long page = 1_000_000;
            for (int i = random.nextInt(3 * capacity); i >= 0; i--) {
                page += random.nextInt(10) < regular ? 7 : random.nextInt(deltas) - 1;
                history.record(page);
            }

            long expected = byCounting(history, split);

            assertThat(MajorityTrend.find(history, split))
                    .as("run %s, capacity %s, split %s", run, capacity, split)
                    .isEqualTo(expected);
            if (expected != MajorityTrend.NONE) {
                found++;
            }
        }
        assertThat(found).isBetween(4_000, 18_000);
    }

    /** The definition, without any cleverness. */
    private static long byCounting(AccessHistory history, int split) {
        for (int window = history.capacity() / split; window <= history.capacity(); window *= 2) {
            Map<Long, Integer> votes = new HashMap<>();
            for (int age = 0; age < Math.min(window, history.size()); age++) {
                votes.merge(history.delta(age), 1, Integer::sum);
            }
            for (Map.Entry<Long, Integer> delta : votes.entrySet()) {
                if (delta.getValue() > window / 2) {
                    return delta.getKey();
                }
            }
        }
        return MajorityTrend.NONE;
    }
}
