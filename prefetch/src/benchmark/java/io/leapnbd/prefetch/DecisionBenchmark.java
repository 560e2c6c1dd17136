package io.leapnbd.prefetch;

import io.leapnbd.prefetch.replay.SyntheticTrace;
import io.leapnbd.prefetch.replay.Trace;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * What one {@link Prefetcher#demand} takes, in nanoseconds: the whole decision, with candidates. {@code mvn -Pbenchmark -pl
 * prefetch test} runs it. It samples, because on a busy machine the median says what the average does not; some 30 ns of each
 * sample are the clock. A virtual processor may run at half its speed, so each iteration says how fast it was.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "-XX:+UseSerialGC")
public class DecisionBenchmark {

    /** Twice what the policy remembers: what comes again when the pattern has ended is not known any more, unless it is a loop. */
    private static final int REQUESTS = 2 * AdaptivePrefetcher.MAX_LOG;

    private static final int LOOP_PAGES = 1 << 15;

    /** The pattern of the demands. */
    @Param({"sequential", "interleaved:32", "noisy:25", "loop", "random"})
    public String pattern = "";

    /** The policy. */
    @Param({"leap", "adaptive"})
    public String policy = "";

    private final long[] demands = new long[REQUESTS];
    private final boolean[] hits = new boolean[REQUESTS];
    private final long[] candidates = new long[Prefetcher.MAX_CANDIDATES];
    private Prefetcher prefetcher = new NoPrefetcher();
    private long nanos;
    private int next;
    private long chain = 1;

    /** Plays the trace once, to learn which demands are hits. */
    @Setup
    public void play() {
        long pages = pattern.equals("loop") ? LOOP_PAGES : 1 << 20;
        Trace trace = SyntheticTrace.parse(pattern).generate(pages, REQUESTS, 15_000, 1);
        prefetcher = PrefetchPolicy.of(policy).prefetcher(pages, LeapSettings.PUBLISHED);
        Set<Long> cached = new HashSet<>();
        for (int i = 0; i < REQUESTS; i++) {
            demands[i] = trace.firstPage(i);
            hits[i] = cached.remove(demands[i]);
            nanos += 15_000;
            int count = prefetcher.demand(demands[i], hits[i], 0, nanos, candidates);
            for (int j = 0; j < count; j++) {
                cached.add(candidates[j]);
            }
        }
    }

    /** Says how fast the processor is: six operations of which each needs the one before (Marsaglia's xorshift) take six cycles. */
    @TearDown(Level.Iteration)
    public void clock() {
        long steps = 5_000_000;
        long x = chain;
        long from = System.nanoTime();
        for (long i = 0; i < steps; i++) {
            x ^= x << 13;
            x ^= x >>> 7;
            x ^= x << 17;
        }
        System.out.printf("[%.2f GHz] ", 6.0 * steps / (System.nanoTime() - from));
        chain = x;
    }

    /** One decision. */
    @Benchmark
    public int demand() {
        int i = next++ & (REQUESTS - 1);
        nanos += 15_000;
        return prefetcher.demand(demands[i], hits[i], 0, nanos, candidates);
    }

    @Test
    void measure() throws RunnerException {
        new Runner(new OptionsBuilder()
                        .include(DecisionBenchmark.class.getSimpleName())
                        .build())
                .run();
    }
}
