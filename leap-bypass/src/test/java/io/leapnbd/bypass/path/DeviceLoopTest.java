package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.link.DonorLink;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class DeviceLoopTest {

    private static final long MEMBER_TIMEOUT = TimeUnit.SECONDS.toNanos(1);
    private static final long TICK = TimeUnit.MILLISECONDS.toNanos(50);

    private final AtomicLong clock = new AtomicLong(1);
    private final List<Long> looks = new ArrayList<>();

    /** The fault: after a server had been stopped for a second, donors that were well lost their copies. */
    @Test
    void afterAStandstillSocketsAreReadBeforeADonorCountsAsSilent() {
        SteppedLoop steps = loop();
        long usual = turn(steps, TICK);
        turn(steps, MEMBER_TIMEOUT * 7 / 10);
        long next = turn(steps, TICK);
        assertThat(looks).containsExactly(usual, next);
    }

    /** Else nobody would ever be silent on a machine that is busy. */
    @Test
    void whereEveryTickIsLateEachOtherOneCounts() {
        SteppedLoop steps = loop();
        for (int i = 0; i < 10; i++) {
            turn(steps, MEMBER_TIMEOUT / 2);
        }
        assertThat(looks).hasSize(5);
    }

    private SteppedLoop loop() {
        SteppedLoop steps = new SteppedLoop(clock::get);
        DonorLink link = new IdleLink() {
            @Override
            public void giveUpSpare(long now, long nanos) {
                looks.add(now);
            }
        };
        var _ = new DeviceLoop(
                steps,
                new LatencyRecorders().openLoop(),
                new DonorLink[] {link},
                false,
                20 * MEMBER_TIMEOUT,
                MEMBER_TIMEOUT,
                clock::get,
                () -> 0);
        return steps;
    }

    private long turn(SteppedLoop steps, long later) {
        long now = clock.addAndGet(later);
        steps.turn();
        return now;
    }
}
