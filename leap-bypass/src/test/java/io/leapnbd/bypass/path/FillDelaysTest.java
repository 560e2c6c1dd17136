package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FillDelaysTest {

    private final FillDelays delays = new FillDelays();

    @Test
    void each_failure_doubles_the_wait_up_to_a_minute() {
        long now = 1_000;
        for (long wait = FillDelays.FIRST_NANOS; wait < FillDelays.LONGEST_NANOS; wait *= 2) {
            delays.failed(3, now, "no");
            assertThat(delays.waits(3, now + wait - 1)).isTrue();
            now += wait;
            assertThat(delays.waits(3, now)).isFalse();
        }
        delays.failed(3, now, "no");
        delays.failed(3, now, "never");
        assertThat(delays.waits(3, now + FillDelays.LONGEST_NANOS - 1)).isTrue();
        assertThat(delays.waits(3, now + FillDelays.LONGEST_NANOS)).isFalse();
        assertThat(delays.waits(4, now)).isFalse();
        assertThat(delays.why()).isEqualTo("never");
    }

    @Test
    void a_donor_that_comes_back_ends_all_waits() {
        delays.failed(1, 0, "no");
        delays.failed(2, 0, "no");
        assertThat(delays.size()).isEqualTo(2);
        delays.forget(1);
        assertThat(delays.size()).isEqualTo(1);
        delays.endAll();
        assertThat(delays.size()).isZero();
        assertThat(delays.why()).isEmpty();
    }
}
