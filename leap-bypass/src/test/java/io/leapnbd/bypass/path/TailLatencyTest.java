package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

class TailLatencyTest {

    private final TailLatency tail = new TailLatency();
    private final Random random = new Random(1);

    private void see(int reads, LongSupplier latency) {
        for (int i = 0; i < reads; i++) {
            tail.add(latency.getAsLong());
        }
    }

    private long exponential(long mean) {
        return (long) (-Math.log(1 - random.nextDouble()) * mean);
    }

    @Test
    void nothingIsSaidBeforeEnoughWasSeen() {
        see(TailLatency.LEAST_READS - 1, () -> 50_000);
        assertThat(tail.nanos()).isEqualTo(TailLatency.UNKNOWN);
        tail.add(50_000);
        assertThat(tail.nanos()).isNotEqualTo(TailLatency.UNKNOWN);
    }

    @Test
    void oneReadInTwentyTakesLongerThanItSays() {
        for (LongSupplier latency : new LongSupplier[] {
            () -> 40_000 + random.nextInt(20_000), () -> exponential(100_000), () -> 5_000 + exponential(2_000)
        }) {
            see(20_000, latency);
            int longer = 0;
            long[] all = new long[20_000];
            double ofEstimates = 0;
            for (int i = 0; i < all.length; i++) {
                all[i] = latency.getAsLong();
                longer += all[i] > tail.nanos() ? 1 : 0;
                tail.add(all[i]);
                ofEstimates += (double) tail.nanos() / all.length;
            }
            Arrays.sort(all);
            double right = all[all.length * 95 / 100];
            assertThat(longer / (double) all.length).isBetween(0.045, 0.055);
            assertThat(ofEstimates).isBetween(0.85 * right, 1.15 * right);
        }
    }

    @Test
    void itFollowsADonorThatBecomesTenTimesSlowerOrFaster() {
        see(2_000, () -> 50_000 + random.nextInt(10_000));
        assertThat(tail.nanos()).isBetween(50_000L, 75_000L);
        see(100, () -> 500_000 + random.nextInt(100_000));
        assertThat(tail.nanos()).isBetween(500_000L, 750_000L);
        see(1_000, () -> 50_000 + random.nextInt(10_000));
        assertThat(tail.nanos()).isBetween(50_000L, 75_000L);
    }

    @Test
    void readsThatTakeNoTimeAtAllDoNotStopIt() {
        see(10_000, () -> 0);
        assertThat(tail.nanos()).isPositive();
        see(500, () -> 1_000_000);
        assertThat(tail.nanos()).isGreaterThan(900_000);
    }
}
