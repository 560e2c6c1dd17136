package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class OddsTest {

    private static final int CELL = 5;
    private static final float MEMORY = 192;

    private final Odds odds = new Odds(4, 8, MEMORY);

    private void proposeAndSee(int proposals, boolean right) {
        for (int i = 0; i < proposals; i++) {
            odds.propose(CELL);
            if (right) {
                odds.cameTrue(CELL);
            }
        }
    }

    @Test
    void whatIsNotKnownIsGuessed() {
        assertThat(odds.of(CELL, 0.2f)).isEqualTo(0.2f);
    }

    @Test
    void oddsAreWhatWasSeen() {
        proposeAndSee(1000, true);
        assertThat(odds.of(CELL, 0)).isGreaterThan(0.98f);

        proposeAndSee(400, false);
        assertThat(odds.of(CELL, 0)).isBetween(0.05f, 0.2f);
    }

    @Test
    void aCellThatHasSeenNothingTakesTheOddsOfThoseBesideIt() {
        proposeAndSee(1000, true);

        assertThat(odds.of(CELL + 1, 0)).isGreaterThan(0.9f);
        assertThat(odds.of(CELL + 8, 0)).isZero();
    }

    @Test
    void theyAreAtMostWhatIsPromised() {
        for (int i = 0; i < 5000; i++) {
            proposeAndSee(1, i % 7 == 0);
            assertThat(odds.of(CELL, 0)).isLessThanOrEqualTo(odds.atMost(CELL, 0));
        }
    }

    /** Not something that is nearly nothing: a denormal number, which would slow down all that is done with it. */
    @Test
    void whatWasSeenLongAgoIsNothing() {
        proposeAndSee(100, true);
        proposeAndSee(6_000, false);

        assertThat(odds.of(CELL, 0)).isZero();
        assertThat(odds.atMost(CELL, 0)).isZero();
    }
}
