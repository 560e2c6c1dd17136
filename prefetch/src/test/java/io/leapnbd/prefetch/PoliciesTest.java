package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PoliciesTest {

    private static final long PAGES = 1 << 20;

    private final long[] candidates = new long[Prefetcher.MAX_CANDIDATES];

    private static Prefetcher policy(PrefetchPolicy policy) {
        return policy.prefetcher(PAGES, LeapSettings.PUBLISHED);
    }

    private List<Long> demand(Prefetcher prefetcher, long page, boolean hit) {
        int count = prefetcher.demand(page, hit, 0, 0, candidates);
        return Arrays.stream(candidates, 0, count).boxed().toList();
    }

    private List<Long> miss(Prefetcher prefetcher, long page) {
        return demand(prefetcher, page, false);
    }

    private static List<Long> pages(long from, long to) {
        return LongStream.rangeClosed(from, to).boxed().toList();
    }

    /** Hits when everything that is prefetched is at hand at once, and consumed by its first hit. */
    private int hits(Prefetcher prefetcher, List<Long> demands) {
        Set<Long> cached = new HashSet<>();
        int hits = 0;
        for (long page : demands) {
            boolean hit = cached.remove(page);
            hits += hit ? 1 : 0;
            cached.addAll(demand(prefetcher, page, hit));
        }
        return hits;
    }

    // ---- all of them

    @ParameterizedTest
    @EnumSource
    void everyPolicyIsFoundByItsName(PrefetchPolicy policy) {
        assertThat(PrefetchPolicy.of(policy.label())).isEqualTo(policy);
    }

    @Test
    void anUnknownNameIsRefusedWithThoseThatThereAre() {
        assertThatThrownBy(() -> PrefetchPolicy.of("best"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "there is no prefetch policy \"best\"; there are none, next-n, stride, readahead, ghb, leap,"
                                + " leap-kernel, adaptive");
    }

    @Test
    void aDeviceWithoutPagesIsRefused() {
        assertThatThrownBy(() -> PrefetchPolicy.LEAP.prefetcher(0, LeapSettings.PUBLISHED))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @EnumSource
    void noPolicyNamesAPageOutsideTheDeviceOrTheDemandedOne(PrefetchPolicy policy) {
        Random random = new Random(3);
        for (long pages : new long[] {1, 2, 7, 64, 1000}) {
            Prefetcher prefetcher = policy.prefetcher(pages, new LeapSettings(32, 4, Prefetcher.MAX_CANDIDATES));
            long page = 0;
            for (int i = 0; i < 5000; i++) {
                page = random.nextInt(8) == 0 ? random.nextLong(pages) : Math.floorMod(page + 1 + i / 1000, pages);
                long demanded = page;
                assertThat(demand(prefetcher, page, random.nextInt(3) > 0))
                        .allMatch(candidate -> candidate >= 0 && candidate < pages && candidate != demanded);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void everyPolicyButNoneCoversMostOfASequentialStream(PrefetchPolicy policy) {
        assertThat(hits(policy(policy), pages(1, 9000))).isGreaterThan(9000 * 85 / 100);
    }

    // ---- none

    @Test
    void nonePrefetchesNothing() {
        assertThat(hits(policy(PrefetchPolicy.NONE), pages(1, 1000))).isZero();
    }

    // ---- next-n

    @Test
    void nextNFetchesTheNextEightPagesAfterAMiss() {
        assertThat(miss(policy(PrefetchPolicy.NEXT_N), 100)).isEqualTo(pages(101, 108));
    }

    @Test
    void nextNFetchesNothingAfterAHit() {
        assertThat(demand(policy(PrefetchPolicy.NEXT_N), 100, true)).isEmpty();
    }

    @Test
    void nextNStopsAtTheEndOfTheDevice() {
        assertThat(miss(policy(PrefetchPolicy.NEXT_N), PAGES - 3)).isEqualTo(pages(PAGES - 2, PAGES - 1));
    }

    // ---- stride

    @Test
    void strideFollowsWhenTheLastTwoDeltasAgree() {
        Prefetcher stride = policy(PrefetchPolicy.STRIDE);
        assertThat(miss(stride, 1000)).isEmpty();
        assertThat(miss(stride, 993)).isEmpty();
        assertThat(miss(stride, 986)).containsExactly(979L, 972L, 965L, 958L, 951L, 944L, 937L, 930L);
    }

    @Test
    void strideStopsAtOneIrregularAccess() {
        Prefetcher stride = policy(PrefetchPolicy.STRIDE);
        miss(stride, 100);
        miss(stride, 110);
        miss(stride, 120);
        assertThat(miss(stride, 131)).isEmpty();
        assertThat(miss(stride, 141)).isEmpty();
        assertThat(miss(stride, 151)).hasSize(8);
    }

    @Test
    void strideCountsHitsAsAccesses() {
        Prefetcher stride = policy(PrefetchPolicy.STRIDE);
        demand(stride, 100, true);
        demand(stride, 110, true);
        assertThat(demand(stride, 120, true)).isEmpty();
        assertThat(miss(stride, 130)).startsWith(140L);
    }

    // ---- readahead

    @Test
    void readAheadStartsWithAFullAlignedCluster() {
        assertThat(miss(policy(PrefetchPolicy.READAHEAD), 1003))
                .containsExactly(1000L, 1001L, 1002L, 1004L, 1005L, 1006L, 1007L);
    }

    @Test
    void readAheadLeavesOutTheSwapHeader() {
        assertThat(miss(policy(PrefetchPolicy.READAHEAD), 3)).containsExactly(1L, 2L, 4L, 5L, 6L, 7L);
    }

    @Test
    void readAheadShrinksByHalfWithoutHitsUntilItReadsThePageOnly() {
        Prefetcher readAhead = policy(PrefetchPolicy.READAHEAD);
        assertThat(miss(readAhead, 1000)).hasSize(7);
        assertThat(miss(readAhead, 3001)).containsExactly(3000L, 3002L, 3003L);
        assertThat(miss(readAhead, 5001)).containsExactly(5000L);
        assertThat(miss(readAhead, 7000)).isEmpty();
    }

    @Test
    void readAheadStartsAgainWithTwoAtANeighbour() {
        SwapInWindow window = suspended();
        assertThat(window.next(90_001)).isEqualTo(2);
        window = suspended();
        assertThat(window.next(89_999)).isEqualTo(2);
        window = suspended();
        assertThat(window.next(90_002)).isEqualTo(1);
    }

    /** A window that has fallen to 1 at page 90,000. */
    private static SwapInWindow suspended() {
        SwapInWindow window = new SwapInWindow(true);
        for (long page = 50_000; page <= 90_000; page += 10_000) {
            window.next(page);
        }
        assertThat(window.next(90_000)).isEqualTo(1);
        return window;
    }

    @Test
    void readAheadReadsFourAfterFewHitsAndEightAfterMore() {
        SwapInWindow window = suspended();
        window.hit();
        window.hit();
        assertThat(window.next(10)).isEqualTo(4);
        window.hit();
        window.hit();
        window.hit();
        assertThat(window.next(20)).isEqualTo(8);
    }

    // ---- leap-kernel

    @Test
    void leapsKernelNeverReadsLessThanFour() {
        SwapInWindow window = new SwapInWindow(false);
        for (long page = 0; page < 100_000; page += 1000) {
            assertThat(window.next(page)).isGreaterThanOrEqualTo(4);
        }
    }

    @Test
    void leapsKernelReadsTheAlignedClusterWithoutATrend() {
        Prefetcher kernel = policy(PrefetchPolicy.LEAP_KERNEL);
        assertThat(miss(kernel, 1003)).containsExactly(1000L, 1001L, 1002L, 1004L, 1005L, 1006L, 1007L);
        assertThat(miss(kernel, 2001)).containsExactly(2000L, 2002L, 2003L);
    }

    @Test
    void leapsKernelCountsTheDemandedPageInItsWindow() {
        Prefetcher kernel = policy(PrefetchPolicy.LEAP_KERNEL);
        for (long page = 1000; page < 1100; page += 10) {
            miss(kernel, page);
        }
        assertThat(miss(kernel, 1100)).containsExactly(1110L, 1120L, 1130L);
        for (int i = 0; i < 6; i++) {
            demand(kernel, 1110 + 10 * i, true);
        }
        assertThat(miss(kernel, 1170)).hasSize(7).startsWith(1180L);
    }

    // ---- ghb

    @Test
    void ghbReplaysWhatFollowedTheSameTwoDeltas() {
        Prefetcher ghb = policy(PrefetchPolicy.GHB);
        long[] deltas = {5, 17, -3, 40, 1, 1, 9, -20, 6, 2};
        long page = 1000;
        miss(ghb, page);
        for (long delta : deltas) {
            page += delta;
            assertThat(miss(ghb, page)).isEmpty();
        }
        page = 50_000;
        miss(ghb, page);
        miss(ghb, page + 5);

        assertThat(miss(ghb, page + 22))
                .containsExactly(50_019L, 50_059L, 50_060L, 50_061L, 50_070L, 50_050L, 50_056L, 50_058L);
    }

    @Test
    void ghbFollowsAStrideFromItsThirdStepOn() {
        Prefetcher ghb = policy(PrefetchPolicy.GHB);
        miss(ghb, 100);
        miss(ghb, 110);
        assertThat(miss(ghb, 120)).isEmpty();
        assertThat(miss(ghb, 130)).containsExactly(140L, 150L, 160L, 170L, 180L, 190L, 200L, 210L);
    }

    @Test
    void ghbCoversASequenceThatRepeatsInAnIrregularOrder() {
        List<Long> order = new ArrayList<>(pages(1, 5000));
        Collections.shuffle(order, new Random(1));
        List<Long> threePasses = new ArrayList<>();
        for (int pass = 0; pass < 3; pass++) {
            threePasses.addAll(order);
        }

        assertThat(hits(policy(PrefetchPolicy.GHB), threePasses)).isGreaterThan(8500);
        assertThat(hits(policy(PrefetchPolicy.LEAP), threePasses)).isLessThan(500);
    }

    @Test
    void ghbForgetsWhatIsLongAgo() {
        List<Long> order = new ArrayList<>(pages(1, GlobalHistoryPrefetcher.LENGTH + 100));
        Collections.shuffle(order, new Random(1));
        List<Long> twoPasses = new ArrayList<>(order);
        twoPasses.addAll(order);

        assertThat(hits(policy(PrefetchPolicy.GHB), twoPasses)).isLessThan(2000);
    }
}
