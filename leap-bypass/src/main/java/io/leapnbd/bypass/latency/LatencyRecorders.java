package io.leapnbd.bypass.latency;

import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

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
    private final Histogram[][] total = new Histogram[Operation.values().length][Stage.values().length];
    private final Histogram[][] interval = new Histogram[Operation.values().length][Stage.values().length];
    private long intervalStartMillis = System.currentTimeMillis();

    /** Starts with everything at zero. */
    public LatencyRecorders() {
        for (int o = 0; o < total.length; o++) {
            for (int s = 0; s < total[o].length; s++) {
                total[o][s] = newHistogram();
                interval[o][s] = newHistogram();
            }
        }
    }

    /** Recorders for one more event loop. */
    public synchronized LoopLatencies openLoop() {
        LoopLatencies loop = new LoopLatencies();
        loops.add(loop);
        return loop;
    }

    /** A copy of all that was recorded since the start, in nanoseconds. */
    public synchronized Histogram snapshot(Operation operation, Stage stage) {
        drain(operation, stage);
        return total[operation.ordinal()][stage.ordinal()].copy();
    }

    /**
     * Hands over what was recorded since the last call and starts the next interval. There is one interval for the whole
     * server: this is for the interval log and nobody else.
     */
    public synchronized void nextInterval(IntervalConsumer consumer) {
        long now = System.currentTimeMillis();
        for (Operation operation : Operation.values()) {
            for (Stage stage : Stage.values()) {
                drain(operation, stage);
                Histogram histogram = interval[operation.ordinal()][stage.ordinal()];
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
            total[operation.ordinal()][stage.ordinal()].add(drained);
            interval[operation.ordinal()][stage.ordinal()].add(drained);
        }
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
