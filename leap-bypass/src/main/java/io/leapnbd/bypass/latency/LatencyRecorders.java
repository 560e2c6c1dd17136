package io.leapnbd.bypass.latency;

import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * The latencies of a server: what its loops recorded, gathered on demand. Any thread may call; readers exclude each other
 * and never hold up a loop.
 */
public final class LatencyRecorders {

    /** Latencies below this many nanoseconds are not told apart. */
    static final long LOWEST_NANOS = 128;

    /** Significant decimal digits of a recorded value. */
    static final int DIGITS = 2;

    private final List<LoopLatencies> loops = new ArrayList<>();
    /** Null where nothing was recorded yet, as in {@link #interval}. */
    private final @Nullable Histogram[][] total = new Histogram[Operation.values().length][Stage.values().length];

    private final @Nullable Histogram[][] interval = new Histogram[Operation.values().length][Stage.values().length];
    private long intervalStartMillis = System.currentTimeMillis();

    /** Starts with everything at zero. */
    public LatencyRecorders() {}

    /** Recorders for one more event loop. */
    public synchronized LoopLatencies openLoop() {
        LoopLatencies loop = new LoopLatencies();
        loops.add(loop);
        return loop;
    }

    /** A copy of all that was recorded since the start, in nanoseconds. */
    public synchronized Histogram snapshot(Operation operation, Stage stage) {
        drain(operation, stage);
        Histogram recorded = total[operation.ordinal()][stage.ordinal()];
        return recorded == null ? newHistogram() : recorded.copy();
    }

    /**
     * Hands over what was recorded since the last call and starts the next interval. There is one interval for the whole
     * server: this is for the interval log and nobody else.
     */
    public synchronized void nextInterval(IntervalConsumer consumer) {
        long now = System.currentTimeMillis();
        Histogram nothing = newHistogram();
        for (Operation operation : Operation.values()) {
            for (Stage stage : Stage.values()) {
                drain(operation, stage);
                Histogram recorded = interval[operation.ordinal()][stage.ordinal()];
                Histogram histogram = recorded == null ? nothing : recorded;
                histogram.setStartTimeStamp(intervalStartMillis);
                histogram.setEndTimeStamp(now);
                consumer.accept(operation, stage, histogram);
                histogram.reset();
            }
        }
        intervalStartMillis = now;
    }

    private void drain(Operation operation, Stage stage) {
        for (LoopLatencies loop : loops) {
            Histogram drained = loop.drain(operation, stage);
            if (drained != null) {
                add(total, operation, stage, drained);
                add(interval, operation, stage, drained);
            }
        }
    }

    private static void add(@Nullable Histogram[][] all, Operation operation, Stage stage, Histogram more) {
        Histogram sum = all[operation.ordinal()][stage.ordinal()];
        if (sum == null) {
            sum = newHistogram();
            all[operation.ordinal()][stage.ordinal()] = sum;
        }
        sum.add(more);
    }

    private static Histogram newHistogram() {
        return new Histogram(LOWEST_NANOS, LoopLatencies.HIGHEST_NANOS, DIGITS);
    }

    /** Receives one interval's histogram, which is only good during the call. */
    @FunctionalInterface
    public interface IntervalConsumer {
        void accept(Operation operation, Stage stage, Histogram histogram);
    }
}
