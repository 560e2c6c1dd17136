package io.leapnbd.bypass.latency;

import org.HdrHistogram.Histogram;
import org.HdrHistogram.SingleWriterRecorder;

/**
 * One event loop's recorders. Only that loop's thread records, so that recording is a handful of plain stores between two
 * phase marks: no lock, no allocation, no shared cache line.
 */
public final class LoopLatencies {

    /** Highest latency told apart, in nanoseconds; what took longer counts as this long. */
    public static final long HIGHEST_NANOS = 120_000_000_000L;

    private static final int STAGES = Stage.values().length;
    private static final int OPERATIONS = Operation.values().length;

    private final SingleWriterRecorder[] recorders = new SingleWriterRecorder[OPERATIONS * STAGES];

    LoopLatencies() {
        for (int i = 0; i < recorders.length; i++) {
            recorders[i] =
                    new SingleWriterRecorder(LatencyRecorders.LOWEST_NANOS, HIGHEST_NANOS, LatencyRecorders.DIGITS);
        }
    }

    /**
     * Records one latency. Only on the loop's own thread.
     *
     * @param nanos the time taken; clamped to 0..{@link #HIGHEST_NANOS}
     */
    public void record(Operation operation, Stage stage, long nanos) {
        recorders[operation.ordinal() * STAGES + stage.ordinal()].recordValue(Math.clamp(nanos, 0, HIGHEST_NANOS));
    }

    /** What was recorded since the last call. */
    Histogram drain(Operation operation, Stage stage) {
        return recorders[operation.ordinal() * STAGES + stage.ordinal()].getIntervalHistogram();
    }
}
