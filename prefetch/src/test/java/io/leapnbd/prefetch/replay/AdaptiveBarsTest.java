package io.leapnbd.prefetch.replay;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.prefetch.PrefetchPolicy;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the adaptive policy must reach on synthetic traces: 1,024 pages of cache, 50 µs, after the first 1,000 demands. */
class AdaptiveBarsTest {

    private static final long DEVICE = 1 << 20;
    private static final int REQUESTS = 50_000;
    private static final int[] SEEDS = {1, 2, 3};

    private static SimulationResult play(String kind, long device, int requests, long seed, long warmUp) {
        Trace trace = SyntheticTrace.parse(kind).generate(device, requests, 15_000, seed);
        return Simulation.run(trace, PrefetchPolicy.ADAPTIVE, SimulationSettings.STANDARD.withWarmUp(warmUp));
    }

    @ParameterizedTest
    @CsvSource({
        "sequential, 0.99, 0.99",
        "reverse, 0.99, 0.99",
        "stride:10, 0.99, 0.99",
        "stride:-7, 0.99, 0.99",
        "interleaved:2, 0.95, 0.95",
        "interleaved:8, 0.95, 0.95",
        "interleaved:32, 0.95, 0.95",
        "noisy:10, 0.85, 0.90",
        "noisy:25, 0.65, 0.90",
    })
    void aPatternIsCoveredWithFewWastedFetches(String kind, double coverage, double accuracy) {
        for (int seed : SEEDS) {
            SimulationResult result = play(kind, DEVICE, REQUESTS, seed, 1000);

            assertThat(result.coverage()).as("coverage, seed %s", seed).isGreaterThanOrEqualTo(coverage);
            assertThat(result.accuracy()).as("accuracy, seed %s", seed).isGreaterThanOrEqualTo(accuracy);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void anIrregularOrderIsCoveredFromItsSecondPassOn(long seed) {
        SimulationResult result = play("loop", 20_000, 80_000, seed, 20_000);

        assertThat(result.demands()).isEqualTo(60_000);
        assertThat(result.coverage()).isGreaterThanOrEqualTo(0.9);
        assertThat(result.accuracy()).isGreaterThanOrEqualTo(0.9);
    }

    @ParameterizedTest
    @ValueSource(longs = {1 << 20, 1 << 17, 1 << 24})
    void uniformRandomAccessWastesNextToNothing(long device) {
        for (int seed : SEEDS) {
            SimulationResult result = play("random", device, REQUESTS, seed, 1000);

            assertThat(result.wasted()).isLessThanOrEqualTo(result.demands() / 100);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"sequential", "stride:10", "interleaved:8", "noisy:25"})
    void pagesAreThereWhenTheyAreWanted(String kind) {
        SimulationResult result = play(kind, DEVICE, REQUESTS, 1, 1000);
        double late = result.latency().mean() - (1 - result.coverage()) * 53_815;

        assertThat(late).as("nanoseconds waited for pages on their way").isLessThan(1_000);
    }
}
