package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class WasteBudgetTest {

    private static final long FETCH = 50_000;

    private final WasteBudget budget = new WasteBudget();

    private int fetches() {
        int fetches = 0;
        while (budget.allows()) {
            budget.fetched();
            fetches++;
        }
        return fetches;
    }

    private int fetchesAfter(int demands, long passed) {
        fetches();
        for (int i = 0; i < demands; i++) {
            budget.demanded(false, passed, FETCH);
        }
        return fetches();
    }

    @Test
    void aBusyLinkIsGivenOneFetchADemand() {
        assertThat(fetches()).isEqualTo(WasteBudget.MOST);
        assertThat(fetchesAfter(50, 0)).isEqualTo(50);
        assertThat(fetchesAfter(50, FETCH / 3)).isEqualTo(50);
        assertThat(fetchesAfter(50, 2 * FETCH - 1)).isEqualTo(50);
    }

    @Test
    void anIdleLinkIsGivenWhatOneReaderCouldFetchMeanwhile() {
        assertThat(fetchesAfter(50, 2 * FETCH)).isEqualTo(100);
        assertThat(fetchesAfter(50, 5 * FETCH)).isEqualTo(250);
        assertThat(fetchesAfter(50, 10_000 * FETCH)).isEqualTo(50 * WasteBudget.MOST_A_DEMAND);
    }

    @Test
    void noMoreThanAnAmountIsSavedUp() {
        assertThat(fetchesAfter(10_000, 10 * FETCH)).isEqualTo(WasteBudget.MOST);
    }

    @Test
    void aFetchThatWasRightIsPaidBack() {
        fetches();
        budget.used();

        assertThat(fetches()).isEqualTo(1);
    }

    @Test
    void smallOddsAreWorthAFetchOnlyWhenTheLinkIsIdle() {
        for (int i = 0; i < 2000; i++) {
            budget.demanded(false, FETCH, FETCH);
        }
        assertThat(budget.worthFetchingAtOnce())
                .isEqualTo(budget.worthFetching())
                .isGreaterThan(0.1f);

        for (int i = 0; i < 2000; i++) {
            budget.demanded(false, 20 * FETCH, FETCH);
            budget.demanded(false, 0, FETCH);
        }
        assertThat(budget.worthFetchingAtOnce()).as("demands that come at once").isLessThan(0.01f);
        assertThat(budget.worthFetching()).isGreaterThan(0.1f);
    }

    @Test
    void fetchesBecomeDearerWhenTheBudgetIsUsedUpAndWhenMuchIsCovered() {
        budget.demanded(false, 0, FETCH);
        float first = budget.worthFetching();
        fetches();
        budget.demanded(false, 0, FETCH);
        assertThat(budget.worthFetching()).isGreaterThan(first + 0.1f);

        for (int i = 0; i < 20_000; i++) {
            budget.demanded(true, 0, FETCH);
        }
        assertThat(budget.worthFetching()).isGreaterThan(first + 0.1f);
    }
}
