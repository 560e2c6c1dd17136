package io.leapnbd.tools.donor;

import static io.leapnbd.tools.donor.DrainPatience.STUCK_NANOS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.donor.DrainPatience.Verdict;
import org.junit.jupiter.api.Test;

class DrainPatienceTest {

    /** {@link System#nanoTime} may be negative. */
    private static final long BEGIN = Long.MIN_VALUE / 2;

    private static final long TIME = 12 * STUCK_NANOS;

    private final DrainPatience patience = new DrainPatience(BEGIN, TIME);

    @Test
    void itEndsWhenNothingIsHere() {
        assertThat(look(0, 3)).isEqualTo(Verdict.WAIT);
        assertThat(look(1, 0)).isEqualTo(Verdict.EMPTY);
    }

    @Test
    void itEndsWhenItsTimeIsOver() {
        assertThat(patience.look(BEGIN + TIME - 1, 3, true, false)).isEqualTo(Verdict.WAIT);
        assertThat(patience.look(BEGIN + TIME, 3, true, false)).isEqualTo(Verdict.TIME_IS_OVER);
    }

    @Test
    void whatIsElsewhereIsNotWaitedForWhenNothingComesBack() {
        assertThat(look(0, 3)).isEqualTo(Verdict.WAIT);
        assertThat(look(STUCK_NANOS - 1, 3)).isEqualTo(Verdict.WAIT);
        assertThat(look(STUCK_NANOS, 3)).isEqualTo(Verdict.ALL_ELSEWHERE);
    }

    @Test
    void whatIsNowhereElseIsWaitedFor() {
        patience.look(BEGIN, 3, true, false);
        assertThat(patience.look(BEGIN + 2 * STUCK_NANOS, 3, true, false)).isEqualTo(Verdict.WAIT);
    }

    @Test
    void eachSlabThatComesBackIsTimeForTheNext() {
        look(0, 3);
        assertThat(look(STUCK_NANOS - 1, 2)).isEqualTo(Verdict.WAIT);
        assertThat(look(2 * STUCK_NANOS - 2, 2)).isEqualTo(Verdict.WAIT);
        assertThat(look(2 * STUCK_NANOS - 1, 2)).isEqualTo(Verdict.ALL_ELSEWHERE);
    }

    /** Otherwise it would end with what nobody has had time to take, as what its server said of copies elsewhere may be old. */
    @Test
    void aServerThatIsStartedAnewHasTimeFromThenOn() {
        look(0, 3);
        assertThat(patience.look(BEGIN + STUCK_NANOS, 3, false, true)).isEqualTo(Verdict.WAIT);
        assertThat(look(2 * STUCK_NANOS - 1, 3)).isEqualTo(Verdict.WAIT);
        assertThat(look(2 * STUCK_NANOS, 3)).isEqualTo(Verdict.ALL_ELSEWHERE);
    }

    private Verdict look(long after, int slabs) {
        return patience.look(BEGIN + after, slabs, true, true);
    }
}
