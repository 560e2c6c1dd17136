package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdaptivePrefetcherTest {

    private static final long PAGES = 1 << 20;

    private final AdaptivePrefetcher prefetcher = new AdaptivePrefetcher(PAGES);
    private final long[] candidates = new long[Prefetcher.MAX_CANDIDATES];
    private final Set<Long> cached = new HashSet<>();
    private long nanos;
    private long pause = 20_000;
    private long fetched;
    private long hits;

    /** Demands a page, with a cache that has everything prefetched at once and loses nothing. */
    private void demand(long page) {
        boolean hit = cached.remove(page);
        hits += hit ? 1 : 0;
        nanos += pause;
        int count = prefetcher.demand(page, hit, 0, nanos, candidates);
        for (int i = 0; i < count; i++) {
            fetched += cached.add(candidates[i]) ? 1 : 0;
        }
    }

    /** Demands several pages at once, long after those before. */
    private void request(long firstPage, int pages) {
        nanos += 1_000_000;
        Set<Long> wanted = new HashSet<>();
        prefetcher.requested(firstPage, pages);
        for (long page = firstPage; page < firstPage + pages; page++) {
            boolean hit = cached.remove(page);
            hits += hit ? 1 : 0;
            int count = prefetcher.demand(page, hit, 0, nanos, candidates);
            for (int i = 0; i < count; i++) {
                wanted.add(candidates[i]);
            }
        }
        assertThat(wanted).noneMatch(page -> page >= firstPage && page < firstPage + pages);
        wanted.removeIf(cached::contains);
        fetched += wanted.size();
        cached.addAll(wanted);
    }

    private long hitsOf(List<Long> pages) {
        long before = hits;
        pages.forEach(this::demand);
        return hits - before;
    }

    private static List<Long> shuffled(long from, int count, long seed) {
        List<Long> pages =
                new ArrayList<>(LongStream.range(from, from + count).boxed().toList());
        Collections.shuffle(pages, new Random(seed));
        return pages;
    }

    @Test
    void pagesAreFetchedInTheOrderInWhichTheyWereWritten() {
        List<Long> order = shuffled(0, 20_000, 1);
        order.forEach(page -> prefetcher.written(page, 1, 0, 0));

        assertThat(hitsOf(order)).isGreaterThan(19_900);
    }

    @Test
    void pagesAreFetchedAgainstTheOrderInWhichTheyWereWritten() {
        List<Long> order = shuffled(0, 20_000, 1);
        order.forEach(page -> prefetcher.written(page, 1, 0, 0));

        assertThat(hitsOf(order.reversed())).isGreaterThan(19_900);
    }

    @Test
    void aSequenceThatRepeatsIsFetchedFromItsSecondTimeOn() {
        List<Long> order = shuffled(0, 20_000, 1);
        hitsOf(order);

        assertThat(hitsOf(order)).isGreaterThan(19_900);
    }

    @Test
    void whatWasReadBeforeAWriteIsNotTakenForARepetition() {
        List<Long> order = shuffled(0, 5000, 1);
        hitsOf(order);
        order.forEach(page -> prefetcher.written(page, 1, 0, 0));
        cached.clear();
        List<Long> anew = shuffled(0, 5000, 2);
        anew.forEach(page -> prefetcher.written(page, 1, 0, 0));

        assertThat(hitsOf(anew)).isGreaterThan(4900);
    }

    @Test
    void aSequentialStreamJumpsWithTheKernelsClusters() {
        List<Long> slots = new ArrayList<>();
        for (int cluster = 0; cluster < 64; cluster++) {
            long first = (cluster * 64L % 4096 + cluster / 64) * 256;
            LongStream.range(first, first + 256).forEach(slots::add);
        }
        for (int i = 0; i < slots.size(); i += 32) {
            prefetcher.written(slots.get(i), 32, 0, 0);
        }

        assertThat(hitsOf(slots)).isGreaterThanOrEqualTo(slots.size() - 4);
    }

    @Test
    void twoProcessesThatRepeatThemselvesAreCoveredThoughMixedAnew() {
        List<Long> first = shuffled(0, 10_000, 1);
        List<Long> second = shuffled(100_000, 10_000, 2);
        hitsOf(mixed(first, second, 3));

        assertThat(hitsOf(mixed(first, second, 4))).isGreaterThan(17_000);
    }

    private static List<Long> mixed(List<Long> first, List<Long> second, long seed) {
        Random random = new Random(seed);
        List<Long> both = new ArrayList<>();
        int i = 0;
        int j = 0;
        while (i < first.size() || j < second.size()) {
            boolean takeFirst = j == second.size() || (i < first.size() && random.nextBoolean());
            both.add(takeFirst ? first.get(i++) : second.get(j++));
        }
        return both;
    }

    @Test
    void aStreamOfRequestsIsFetchedByTheRequestAndNotByThePage() {
        for (int i = 0; i < 500; i++) {
            request(8L * i, 8);
        }
        assertThat(hits).isGreaterThan(4000 - 48);
        assertThat(fetched).isLessThan(hits + 64);
    }

    @Test
    void requestsThatGoDownwardsAreOneDescendingRun() {
        for (int i = 0; i < 500; i++) {
            request(100_000 - 8L * i, 8);
        }
        assertThat(hits).isGreaterThan(4000 - 160);
        assertThat(fetched).isLessThan(hits + 128);
    }

    @Test
    void requestsOfVaryingLengthAreCoveredToo() {
        Random random = new Random(1);
        long page = 0;
        for (int i = 0; i < 1000; i++) {
            int pages = 1 + random.nextInt(8);
            request(page, pages);
            page += pages;
        }
        assertThat(hits).isGreaterThan(page - 100);
        assertThat(fetched).isLessThan(hits + 64);
    }

    /** A client that always has eight requests under way, and whose reads overtake what is to be fetched for them. */
    @Test
    void aStreamThatIsOvertakenIsFetchedFromFurtherAhead() {
        for (int first = 0; first < 8000; first += 8) {
            Set<Long> wanted = new HashSet<>();
            nanos += 1_000_000;
            for (long page = first; page < first + 8; page++) {
                boolean hit = cached.remove(page);
                hits += hit ? 1 : 0;
                int count = prefetcher.demand(page, hit || wanted.contains(page), 0, ++nanos, candidates);
                for (int j = 0; j < count; j++) {
                    wanted.add(candidates[j]);
                }
            }
            int last = first + 7;
            wanted.removeIf(page -> page <= last);
            fetched += wanted.size();
            cached.addAll(wanted);
        }

        assertThat(hits).isGreaterThan(6000);
        assertThat(fetched).isLessThan(hits + 64);
    }

    @Test
    void trendsAndWindowAreThereForPeopleToSee() {
        Random random = new Random(1);
        for (int i = 0; i < 1000; i++) {
            demand(random.nextLong(PAGES));
        }
        assertThat(prefetcher.trendsFound()).isLessThan(20);
        assertThat(prefetcher.windowInUse()).isZero();

        long before = prefetcher.trendsFound();
        hitsOf(LongStream.range(0, 1000).boxed().toList());
        assertThat(prefetcher.trendsFound() - before).isBetween(990L, 1000L);
        assertThat(prefetcher.windowInUse()).isBetween(1, AdaptivePrefetcher.MAX_DEPTH);
    }

    @Test
    void randomAccessSuspendsIt() {
        Random random = new Random(1);
        hitsOf(LongStream.range(0, 5000).boxed().toList());
        long before = fetched;
        for (int i = 0; i < 50_000; i++) {
            demand(random.nextLong(PAGES));
        }

        assertThat(fetched - before).isLessThan(500);
        assertThat(hitsOf(LongStream.range(200_000, 201_000).boxed().toList()))
                .as("and a stream wakes it")
                .isGreaterThan(950);
    }

    /** An adversary that follows every pattern until it is believed, and then leaves it. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void wasteStaysBelowItsCapWhateverHappens(long seed) {
        wasteStaysBelow(1, seed);
        pause = 1_000_000;
        wasteStaysBelow(WasteBudget.MOST_A_DEMAND, seed);
    }

    private void wasteStaysBelow(long aDemand, long seed) {
        Random random = new Random(seed);
        long before = fetched - hits;
        long demands = 0;
        for (int i = 0; i < 20_000; i++) {
            long page = random.nextLong(PAGES);
            long stride = random.nextLong(-2, 3);
            int length = random.nextInt(8);
            for (int step = 0; step < length; step++) {
                demand(Math.floorMod(page + step * stride, PAGES));
                demands++;
            }
            if (random.nextInt(10) == 0) {
                prefetcher.written(random.nextLong(PAGES - 64), 32, 0, nanos);
            }
            assertThat(fetched - hits - before).isLessThanOrEqualTo(aDemand * demands + WasteBudget.MOST);
        }
    }

    /** An index: some page of it is read, and then one of the eight pages that follow it, any of them. */
    private void lookUps(int count, Random random) {
        for (int i = 0; i < count; i++) {
            long head = 9L * random.nextInt(10_000);
            demand(head);
            demand(head + 1 + random.nextInt(8));
        }
    }

    @Test
    void onAnIdleLinkAllThatAPageMayLeadToIsFetched() {
        pause = 1_000_000;
        Random random = new Random(1);
        lookUps(20_000, random);
        long hitsBefore = hits;
        long fetchedBefore = fetched;
        lookUps(10_000, random);

        assertThat(hits - hitsBefore).as("of 20,000, half of which are heads").isGreaterThan(9000);
        assertThat(fetched - fetchedBefore)
                .as("and nothing is fetched for the others")
                .isLessThan(90_000);
    }

    @Test
    void onABusyLinkWhatAPageMayLeadToIsNotWorthAFetch() {
        Random random = new Random(1);
        lookUps(20_000, random);
        long fetchedBefore = fetched;
        lookUps(10_000, random);

        assertThat(fetched - fetchedBefore).isLessThan(20_000);
    }

    @Test
    void itsMemoryIsBoundedAndStated() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        for (long pages : new long[] {1, 1000, 1 << 16, 1 << 18, 1 << 20, 1L << 40}) {
            new AdaptivePrefetcher(pages);
            long before = threads.getCurrentThreadAllocatedBytes();
            new AdaptivePrefetcher(pages);
            long taken = threads.getCurrentThreadAllocatedBytes() - before;

            assertThat(taken).isLessThanOrEqualTo(AdaptivePrefetcher.memory(pages));
            assertThat(taken).isLessThan(7 << 20);
        }
    }

    @Test
    void nothingIsAllocatedForWritesAndFetches() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long bytes = 0;
        for (int round = 0; round < 2; round++) {
            Random random = new Random(1);
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 20_000; i++) {
                long page = random.nextInt(100_000);
                prefetcher.demand(page, (i & 1) == 0, i & 3, i * 1000L, candidates);
                prefetcher.written(page, 32, 0, i * 1000L);
                prefetcher.fetchTook(i);
            }
            bytes = threads.getCurrentThreadAllocatedBytes() - before;
        }
        assertThat(bytes).isLessThan(4096);
    }

    @Test
    void aHugeTrimIsPassedOver() {
        prefetcher.written(0, 1 << 20, 0, 0);

        assertThat(hitsOf(LongStream.range(0, 1000).boxed().toList())).isGreaterThan(900);
    }
}
