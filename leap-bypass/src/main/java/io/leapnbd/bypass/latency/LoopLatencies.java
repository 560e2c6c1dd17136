package io.leapnbd.bypass.latency;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.SingleWriterRecorder;
import org.jspecify.annotations.Nullable;

/**
 * One event loop's recorders. Only that loop's thread records, so that recording is a handful of plain stores between two
 * phase marks: no lock, no shared cache line, and no allocation but a recorder's own, at its first value.
 */
public final class LoopLatencies {

    /** Highest latency told apart, in nanoseconds; what took longer counts as this long. */
    public static final long HIGHEST_NANOS = 120_000_000_000L;

    private static final int STAGES = Stage.values().length;
    private static final int OPERATIONS = Operation.values().length;

    /** Null where nothing was recorded yet: most operations have few stages, and a recorder takes 25 KB, twice once it is read. */
    private final AtomicReferenceArray<@Nullable SingleWriterRecorder> recorders =
            new AtomicReferenceArray<>(OPERATIONS * STAGES);

    LoopLatencies() {}

    /**
     * Records one latency. Only on the loop's own thread.
     *
     * @param nanos the time taken; clamped to 0..{@link #HIGHEST_NANOS}
     */
    public void record(Operation operation, Stage stage, long nanos) {
        int place = place(operation, stage);
        SingleWriterRecorder recorder = recorders.get(place);
        if (recorder == null) {
            recorder = new SingleWriterRecorder(LatencyRecorders.LOWEST_NANOS, HIGHEST_NANOS, LatencyRecorders.DIGITS);
            recorders.set(place, recorder);
        }
        recorder.recordValue(Math.clamp(nanos, 0, HIGHEST_NANOS));
    }

    /** What was recorded since the last call; null if nothing ever was. */
    @Nullable
    Histogram drain(Operation operation, Stage stage) {
        SingleWriterRecorder recorder = recorders.get(place(operation, stage));
        return recorder == null ? null : recorder.getIntervalHistogram();
    }

    private static int place(Operation operation, Stage stage) {
        return operation.ordinal() * STAGES + stage.ordinal();
    }
}
