package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PrefetchWindowTest {

    private final PrefetchWindow window = new PrefetchWindow(8);

    private int afterHits(int hits, boolean followsTrend) {
        for (int i = 0; i < hits; i++) {
            window.hit();
        }
        return window.next(followsTrend);
    }

    @Test
    void withoutHitsAPageThatFollowsTheTrendGetsOneMore() {
        assertThat(afterHits(0, true)).isEqualTo(1);
        assertThat(afterHits(0, true)).isEqualTo(1);
    }

    @Test
    void withoutHitsAPageOffTheTrendGetsNone() {
        assertThat(afterHits(0, false)).isZero();
    }

    @ParameterizedTest
    @CsvSource({"1, 2", "2, 4", "3, 4", "4, 8", "7, 8"})
    void withHitsTheWindowIsTheNextPowerOfTwoAtOrAboveOneMore(int hits, int size) {
        assertThat(afterHits(hits, false)).isEqualTo(size);
    }

    @Test
    void theWindowNeverExceedsItsLargest() {
        assertThat(afterHits(1000, true)).isEqualTo(8);
        PrefetchWindow odd = new PrefetchWindow(6);
        for (int i = 0; i < 5; i++) {
            odd.hit();
        }
        assertThat(odd.next(true)).isEqualTo(6);
    }

    @Test
    void theWindowShrinksByHalfAtMost() {
        assertThat(afterHits(8, true)).isEqualTo(8);
        assertThat(afterHits(0, false)).isEqualTo(4);
        assertThat(afterHits(0, true)).isEqualTo(2);
        assertThat(afterHits(0, false)).isEqualTo(1);
        assertThat(afterHits(0, false)).isZero();
    }

    @Test
    void hitsCountOnlyOnce() {
        assertThat(afterHits(3, false)).isEqualTo(4);
        assertThat(afterHits(1, false)).isEqualTo(2);
    }
}
