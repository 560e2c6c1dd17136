package io.leapnbd.prefetch.push;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DeviceLimitsTest {

    private static final long LATER = 1_000_000_000;

    private final DeviceLimits limits = new DeviceLimits();

    @Test
    void whatIsOnItsWayTakesRoomUntilItHasLanded() {
        int room = limits.room(0);
        limits.called(40, 0, 1000);
        assertThat(limits.room(2000)).isLessThanOrEqualTo(room + 1 - 40);
        assertThat(limits.room(LATER)).isEqualTo(room + 1);
    }

    @Test
    void quickCallsLetMoreBeOnItsWayUpToTheDevicesQueue() {
        long now = 0;
        for (int i = 0; i < 1000; i++) {
            limits.called(1, now, now + 100);
            now += LATER;
        }
        assertThat(limits.room(now)).isEqualTo(DeviceLimits.MOST_IN_FLIGHT);
        assertThat(limits.batch()).isEqualTo(32);
    }

    @Test
    void aSlowCallHalvesWhatMayBeOnItsWayAndTheBatch() {
        int room = limits.room(0);
        assertThat(limits.called(0, 0, DeviceLimits.SLOW_NANOS + 1)).isTrue();
        assertThat(limits.room(LATER)).isEqualTo(room / 2);
        assertThat(limits.batch()).isEqualTo(16);
        for (int i = 0; i < 20; i++) {
            limits.called(0, 0, DeviceLimits.SLOW_NANOS + 1);
        }
        assertThat(limits.room(LATER)).isEqualTo(16);
        assertThat(limits.batch()).isEqualTo(4);
    }

    @Test
    void manySmallCallsForgetTheOldestRatherThanGrow() {
        for (int i = 0; i < 10_000; i++) {
            limits.called(1, 0, 100);
        }
        assertThat(limits.room(200)).isBetween(0, DeviceLimits.MOST_IN_FLIGHT);
    }

    @Test
    void theLatencyFollowsWhatWasSeenAndNeverRunsAway() {
        for (int i = 0; i < 100; i++) {
            limits.waited(2_000_000);
        }
        assertThat(limits.latencyNanos()).isBetween(1_900_000L, 2_100_000L);
        limits.waited(100_000_000);
        assertThat(limits.latencyNanos()).as("one that is stuck").isLessThan(2_500_000);
        for (int i = 0; i < 100; i++) {
            limits.waited(Long.MAX_VALUE);
        }
        assertThat(limits.latencyNanos()).isLessThanOrEqualTo(50_000_000);
        limits.waited(0); // not known
        assertThat(limits.latencyNanos()).isGreaterThan(40_000_000);
    }
}
