package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LeapPrefetcherTest {

    private static final long PAGES = 1 << 20;

    private final long[] candidates = new long[Prefetcher.MAX_CANDIDATES];
    private final LeapPrefetcher leap = new LeapPrefetcher(PAGES, new LeapSettings(8, 2, 8));

    private List<Long> miss(long page) {
        return demand(page, false);
    }

    private List<Long> demand(long page, boolean hit) {
        int count = leap.demand(page, hit, 0, 0, candidates);
        return Arrays.stream(candidates, 0, count).boxed().toList();
    }

    /** Demands that establish a trend of {@code delta} that ends at {@code page}. */
    private void trend(long page, long delta) {
        for (int i = 7; i >= 0; i--) {
            miss(page - i * delta);
        }
    }

    @Test
    void nothingIsPrefetchedBeforeThereIsATrend() {
        assertThat(miss(1000)).isEmpty();
        assertThat(miss(1010)).isEmpty();
        assertThat(miss(1020)).isEmpty();
        assertThat(miss(1030)).containsExactly(1040L);
    }

    @Test
    void onATrendTheWindowGrowsWithItsHits() {
        trend(1000, 10);
        assertThat(demand(1010, true)).isEmpty();
        assertThat(miss(1020)).containsExactly(1030L, 1040L);
        assertThat(demand(1030, true)).isEmpty();
        assertThat(demand(1040, true)).isEmpty();
        assertThat(miss(1050)).containsExactly(1060L, 1070L, 1080L, 1090L);
    }

    @Test
    void aTrendMayGoDownwards() {
        trend(1000, -3);
        assertThat(miss(997)).containsExactly(994L);
    }

    @Test
    void withoutATrendAnOpenWindowGoesAroundThePageByTheLastOne() {
        trend(1000, 10);
        for (long irregular : new long[] {3000, 7, 9009, 400}) {
            demand(irregular, true);
        }

        assertThat(miss(5000)).containsExactly(5010L, 4990L, 5020L, 4980L, 5030L, 4970L, 5040L, 4960L);
        assertThat(leap.windowInUse()).isEqualTo(8);
    }

    @Test
    void aroundAPageBothSidesTakeTurnsNearestFirst() {
        assertThat(Candidates.around(100, 10, 4, PAGES, candidates)).isEqualTo(4);
        assertThat(candidates).startsWith(110, 90, 120, 80);
    }

    @Test
    void offTheTrendAndWithoutHitsOnlyThePageIsRead() {
        trend(1000, 10);
        miss(1015);
        assertThat(miss(1500)).isEmpty();
        assertThat(leap.windowInUse()).isZero();
    }

    @Test
    void aTrendOfZeroPrefetchesNothing() {
        for (int i = 0; i < 20; i++) {
            assertThat(miss(1000)).isEmpty();
        }
    }

    @Test
    void candidatesOutsideTheDeviceAreLeftOut() {
        trend(PAGES - 4, 1);
        for (int i = 0; i < 7; i++) {
            demand(PAGES - 3, true);
        }
        assertThat(miss(PAGES - 3)).isEmpty();
        trend(2, -1);
        demand(1, true);
        demand(1, true);
        assertThat(miss(1)).allMatch(page -> page >= 0);
        assertThat(Candidates.along(PAGES - 3, 1, 8, PAGES, candidates)).isEqualTo(2);
        assertThat(Candidates.along(2, -1, 8, PAGES, candidates)).isEqualTo(2);
    }

    @Test
    void aSequentialStreamIsCoveredButForOneInNine() {
        LeapPrefetcher published = new LeapPrefetcher(PAGES, LeapSettings.PUBLISHED);
        Set<Long> cached = new HashSet<>();
        int hits = 0;
        for (long page = 0; page < 10_000; page++) {
            boolean hit = cached.remove(page);
            hits += hit ? 1 : 0;
            int count = published.demand(page, hit, 0, 0, candidates);
            for (int i = 0; i < count; i++) {
                cached.add(candidates[i]);
            }
        }
        assertThat(hits).isBetween(8_800, 8_889);
        assertThat(published.trendsFound()).isGreaterThan(1000);
    }

    @Test
    void newSettingsCountFromTheNextDemandOn() {
        trend(1000, 10);
        for (int i = 0; i < 7; i++) {
            demand(1010, true);
        }
        leap.reconfigure(new LeapSettings(4, 1, 1));

        List<List<Long>> answers = new ArrayList<>();
        for (long page = 2000; page < 2004; page++) {
            answers.add(miss(page));
        }

        assertThat(answers).containsExactly(List.of(), List.of(), List.of(), List.of(2004L));
    }

    @Test
    void settingsThatCannotWorkAreRefusedWithTheirRange() {
        assertThatThrownBy(() -> new LeapSettings(1, 1, 8))
                .hasMessageContaining("history of 1 ")
                .hasMessageContaining("2 to 1024");
        assertThatThrownBy(() -> new LeapSettings(1025, 1, 8)).hasMessageContaining("1025");
        assertThatThrownBy(() -> new LeapSettings(32, 0, 8)).hasMessageContaining("split by 0");
        assertThatThrownBy(() -> new LeapSettings(32, 33, 8)).hasMessageContaining("1 to 32");
        assertThatThrownBy(() -> new LeapSettings(32, 4, 0)).hasMessageContaining("window of 0");
        assertThatThrownBy(() -> new LeapSettings(32, 4, 65)).hasMessageContaining("1 to 64");
    }
}
