package io.leapnbd.prefetch;

import java.lang.foreign.Arena;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/** What the page cache and the vote for a trend take of a read, in nanoseconds and bytes allocated; without the copy of the page. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class CacheBenchmark {

    private static final int PAGES = 4096;

    private final PageCache cache = new PageCache(Arena.ofAuto().allocate((long) PAGES * PageCache.PAGE_SIZE, 4096));
    private final AccessHistory steady = new AccessHistory(32);
    private final AccessHistory irregular = new AccessHistory(32);
    private long page;

    /** Half of the cache holds pages. */
    @Setup
    public void fill() {
        for (int i = 0; i < PAGES / 2; i++) {
            cache.publish(cache.claim(i), 0);
        }
        page = PAGES;
        for (int i = 0; i < 33; i++) {
            steady.record(10L * i);
            irregular.record((long) i * i * i);
        }
    }

    /** A page that is not there. */
    @Benchmark
    public int miss() {
        return cache.lookup(PAGES + (page++ & (PAGES - 1)));
    }

    /** A page is fetched, published, hit, and gives its slot back. */
    @Benchmark
    public boolean fetchAndHit() {
        long at = 2L * PAGES + (page++ & (PAGES - 1));
        cache.publish(cache.claim(at), 0);
        return cache.consume(cache.lookup(at));
    }

    /** A majority in the newest eight. */
    @Benchmark
    public long trend() {
        return MajorityTrend.find(steady, 4);
    }

    /** None in all 32. */
    @Benchmark
    public long noTrend() {
        return MajorityTrend.find(irregular, 4);
    }

    @Test
    void measure() throws RunnerException {
        new Runner(new OptionsBuilder()
                        .include(CacheBenchmark.class.getSimpleName())
                        .addProfiler(GCProfiler.class)
                        .build())
                .run();
    }
}
