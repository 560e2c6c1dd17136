package io.leapnbd.prefetch.replay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.Prefetcher;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A page's transfer takes 1 µs here and its latency 50 µs, so a lone fetch 51 µs. */
class SimulationTest {

    private static final SimulationSettings SETTINGS = settings(16, 0);
    private static final long FETCH = 51_000;

    private final Trace trace = new Trace();

    private static SimulationSettings settings(int cachePages, long warmUp) {
        return new SimulationSettings(cachePages, 50_000, 4_096_000_000L, warmUp, LeapSettings.PUBLISHED);
    }

    private void read(long micros, long page, int pages) {
        trace.add(micros, Trace.Operation.READ, page, pages);
    }

    /** Prefetches the pages that are given whenever {@code page} is demanded. */
    private static Prefetcher after(long page, long... then) {
        return (demanded, hit, connection, nanos, candidates) -> {
            if (demanded != page) {
                return 0;
            }
            System.arraycopy(then, 0, candidates, 0, then.length);
            return then.length;
        };
    }

    private static final Prefetcher NOTHING = (page, hit, connection, nanos, candidates) -> 0;

    @Test
    void aMissTakesTransferAndLatencyAndDelaysWhatFollows() {
        read(0, 1, 1);
        read(10, 2, 1);
        read(30, 3, 1);

        SimulationResult result = Simulation.run(trace, NOTHING, SETTINGS);

        assertThat(result.simulatedNanos()).isEqualTo(30_000 + 3 * FETCH);
        assertThat(result.misses()).isEqualTo(3);
        assertThat(result.coverage()).isZero();
        assertThat(result.accuracy()).isNaN();
        assertThat(result.latency().mean()).isEqualTo(FETCH);
    }

    @Test
    void aPrefetchedPageThatIsThereCostsNothing() {
        read(0, 1, 1);
        read(10, 2, 1);

        SimulationResult result = Simulation.run(trace, after(1, 2), SETTINGS);

        assertThat(result.simulatedNanos()).isEqualTo(10_000 + FETCH);
        assertThat(result.hits()).isEqualTo(1);
        assertThat(result.prefetched()).isEqualTo(1);
        assertThat(result.wasted()).isZero();
        assertThat(result.accuracy()).isEqualTo(1);
        // The prefetch began when the demand's transfer had ended, 1 µs later, and the client came 10 µs later.
        assertThat(result.timeliness().percentile(50)).isEqualTo(9_000);
    }

    @Test
    void aPageOnItsWayIsWaitedForAndCountsAsAHit() {
        read(0, 1, 1);
        read(0, 2, 1);
        Prefetcher twoAfterTwo = after(2, 3);
        read(0, 3, 1);

        SimulationResult result = Simulation.run(trace, twoAfterTwo, SETTINGS);

        // Page 3 is asked for with page 2, which the client waits for; it comes one transfer later.
        assertThat(result.simulatedNanos()).isEqualTo(2 * FETCH + 1_000);
        assertThat(result.hits()).isEqualTo(1);
        assertThat(result.timeliness().percentile(50)).isZero();
        assertThat(result.latency().percentile(1)).isEqualTo(1_000);
    }

    @Test
    void theDemandsOfARequestGoAheadOfItsPrefetches() {
        read(0, 10, 4);

        SimulationResult result = Simulation.run(trace, after(10, 20, 21, 22), SETTINGS);

        assertThat(result.simulatedNanos()).isEqualTo(50_000 + 4_000);
        assertThat(result.wasted()).isEqualTo(3);
    }

    @Test
    void aDemandGoesAheadOfPrefetchesThatWait() {
        SimulatedLink link = new SimulatedLink(16, 50_000, 4_096_000_000L, 4096, (slot, askedAt, nanos) -> {});
        for (int slot = 0; slot < 8; slot++) {
            link.prefetch(slot, 0);
        }

        // At 2.5 µs the third transfer is under way; the demand follows it, and the fourth follows the demand.
        assertThat(link.demand(2_500)).isEqualTo(3_000 + FETCH);
        assertThat(link.arrivesAt(2)).isEqualTo(2_000 + FETCH);
        assertThat(link.arrivesAt(3)).isEqualTo(4_000 + FETCH);
    }

    @Test
    void prefetchesArriveInTheirOrder() {
        List<Integer> arrived = new ArrayList<>();
        SimulatedLink link =
                new SimulatedLink(4, 50_000, 4_096_000_000L, 4096, (slot, askedAt, nanos) -> arrived.add(slot));
        for (int round = 0; round < 3; round++) {
            for (int slot = 3; slot >= 0; slot--) {
                link.prefetch(slot, round * 1_000_000L);
            }
            link.advance(round * 1_000_000L + 999_999);
        }

        assertThat(arrived).containsExactly(3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0);
    }

    @Test
    void aWrittenPageIsNoHitAnyMore() {
        read(0, 1, 1);
        read(1, 2, 1);
        read(100, 1, 1);
        trace.add(200, Trace.Operation.WRITE, 2, 1);
        read(300, 2, 1);

        SimulationResult result = Simulation.run(trace, after(1, 2), SETTINGS);

        assertThat(result.hits()).isEqualTo(1);
        assertThat(result.prefetched()).isEqualTo(2);
        assertThat(result.wasted()).isEqualTo(1);
    }

    @Test
    void pagesThatNobodyWantedLeaveInTheirOrder() {
        read(0, 1, 1);
        read(1000, 3, 1);
        read(2000, 2, 1);

        SimulationResult result = Simulation.run(trace, after(1, 2, 3, 4), settings(2, 0));

        // There was room for two while they were fetched; the third found none.
        assertThat(result.prefetched()).isEqualTo(2);
        assertThat(result.hits()).isEqualTo(2);
    }

    @Test
    void aHitFreesItsSlotAtOnce() {
        for (int i = 0; i < 100; i++) {
            read(i * 1000L, i, 1);
        }
        Prefetcher next = (page, hit, connection, nanos, candidates) -> {
            candidates[0] = page + 1;
            return 1;
        };

        assertThat(Simulation.run(trace, next, settings(1, 0)).hits()).isEqualTo(99);
    }

    @Test
    void pagesOfTheSameRequestAreNotPrefetched() {
        read(0, 1, 4);

        assertThat(Simulation.run(trace, after(1, 2, 3, 4, 5), SETTINGS).prefetched())
                .isEqualTo(1);
    }

    @Test
    void blankPagesAreNotFetched() {
        trace.add(0, Trace.Operation.WRITE, 10, 2);
        read(1, 1, 1);
        trace.add(5, Trace.Operation.WRITE, 12, 1);
        trace.add(6, Trace.Operation.TRIM, 10, 1);
        read(1000, 1, 1);
        read(2000, 50, 1);

        // At first 10, 11 and 50 are there, then 11, 12 and 50; those still at hand are not fetched again.
        assertThat(Simulation.run(trace, after(1, 10, 11, 12, 13, 50), SETTINGS).prefetched())
                .isEqualTo(3 + 1);
    }

    @Test
    void theWarmUpIsPlayedButNotCounted() {
        read(0, 1, 1);
        read(1000, 2, 1);
        read(2000, 3, 1);
        Prefetcher next = (page, hit, connection, nanos, candidates) -> {
            candidates[0] = page + 1;
            return 1;
        };

        SimulationResult result = Simulation.run(trace, next, settings(16, 1));

        assertThat(result.demands()).isEqualTo(2);
        assertThat(result.hits()).isEqualTo(2);
        // Page 2 was fetched in the warm-up, 3 after it, and there is no page 4.
        assertThat(result.prefetched()).isEqualTo(2);
        assertThat(result.simulatedNanos()).isEqualTo(1_000_000);
    }

    @Test
    void aPrefetcherIsToldWhatFetchesTook() {
        List<Long> took = new ArrayList<>();
        read(0, 1, 1);
        read(1000, 7, 1);
        Simulation.run(
                trace,
                new Prefetcher() {
                    @Override
                    public int demand(long page, boolean hit, int connection, long nanos, long[] candidates) {
                        candidates[0] = 7;
                        return page == 1 ? 1 : 0;
                    }

                    @Override
                    public void fetchTook(long nanos) {
                        took.add(nanos);
                    }
                },
                SETTINGS);

        assertThat(took).containsExactly(FETCH, FETCH + 1_000);
    }

    @Test
    void theSameTraceGivesTheSameResult() {
        Trace mixed = SyntheticTrace.parse("noisy:30").generate(10_000, 20_000, 15_000, 5);
        for (PrefetchPolicy policy : PrefetchPolicy.values()) {
            SimulationResult first = Simulation.run(mixed, policy, SimulationSettings.STANDARD);
            SimulationResult second = Simulation.run(mixed, policy, SimulationSettings.STANDARD);

            assertThat(second.hits()).isEqualTo(first.hits());
            assertThat(second.prefetched()).isEqualTo(first.prefetched());
            assertThat(second.simulatedNanos()).isEqualTo(first.simulatedNanos());
            assertThat(first.hits() + first.misses()).isEqualTo(first.demands()).isEqualTo(19_000);
            assertThat(first.latency().size()).isEqualTo(19_000);
        }
    }

    @Test
    void aDistributionKnowsItsPercentiles() {
        Distribution distribution = new Distribution();
        for (int i = 5000; i >= 1; i--) {
            distribution.add(i);
        }

        assertThat(distribution.percentile(50)).isEqualTo(2500);
        assertThat(distribution.percentile(99)).isEqualTo(4950);
        assertThat(distribution.percentile(100)).isEqualTo(5000);
        assertThat(distribution.mean()).isEqualTo(2500.5);
        assertThat(new Distribution().percentile(50)).isNaN();
    }

    @Test
    void aSealedDistributionKnowsThemToTwoDecimals() {
        Distribution whole = new Distribution();
        Distribution sealed = new Distribution();
        for (int i = 123_457; i >= 1; i--) {
            whole.add(7L * i);
            sealed.add(7L * i);
        }
        sealed.seal();

        for (double percent : new double[] {0.01, 1, 33.33, 50, 95, 99, 99.9, 99.99, 100}) {
            assertThat(sealed.percentile(percent)).as("%s %%", percent).isEqualTo(whole.percentile(percent));
        }
        assertThat(sealed.size()).isEqualTo(123_457);
        assertThat(sealed.mean()).isEqualTo(whole.mean());
    }

    @Test
    void settingsOutOfRangeAreRefused() {
        assertThatThrownBy(() -> settings(0, 0)).hasMessageContaining("a cache of 0 pages is out of range");
        assertThatThrownBy(() -> new SimulationSettings(1, 0, 0, 0, LeapSettings.PUBLISHED))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
