package io.leapnbd.prefetch.push;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.leapnbd.prefetch.LeapSettings;
import java.lang.management.ManagementFactory;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The agent must not need memory while the machine is short of it. */
class PushAllocationTest {

    private static final int STEPS = 100_000;
    private static final long NOISE_BYTES = 4096;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private long now;

    @ParameterizedTest
    @EnumSource
    void decidingAndCountingAllocatesNothing(PushSettings.Policy policy) {
        TargetMemory memory = new TargetMemory() {
            @Override
            public int swapped(long first, long stride, int count, long[] swapped) {
                for (int i = 0; i < count; i++) {
                    swapped[i] = first + i * stride;
                }
                return count;
            }

            @Override
            public int willNeed(long[] pages, int count) {
                return count;
            }
        };
        ProcessPusher pusher = new ProcessPusher(
                memory, new DeviceLimits(), new PushSettings(policy, LeapSettings.PUBLISHED), nanos -> {});
        ProcessPusher.Clock clock = () -> now;
        run(pusher, clock);
        long before = threads.getCurrentThreadAllocatedBytes();
        run(pusher, clock);
        assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(NOISE_BYTES);
        assertThat(pusher.figures().get(PushFigure.CALLS) > 0).isEqualTo(policy != PushSettings.Policy.OFF);
    }

    private void run(ProcessPusher pusher, ProcessPusher.Clock clock) {
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < STEPS; i++) {
            long page = i % 5 == 0 ? random.nextInt(1 << 20) : (1L << 21) + i * 3L;
            pusher.fault(page, now);
            if (i % 50 == 1) {
                pusher.major(page);
            }
            now += 20_000;
            pusher.push(now, clock);
            if (i % 1000 == 0) {
                pusher.due();
                pusher.tidy(now);
            }
        }
    }
}
