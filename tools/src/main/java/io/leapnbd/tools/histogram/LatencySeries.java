package io.leapnbd.tools.histogram;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * One operation's latencies in one stage.
 *
 * @param histogram nanoseconds; not to be changed
 */
record LatencySeries(Operation operation, Stage stage, Histogram histogram) {

    /** {@code read-total}: how the series is called in files. */
    String tag() {
        return operation.label() + "-" + stage.label();
    }

    /** Copies of all series that something was recorded in, or of those that are asked for, empty or not. */
    static List<LatencySeries> of(LatencyRecorders recorders, @Nullable Operation operation, @Nullable Stage stage) {
        List<LatencySeries> series = new ArrayList<>();
        for (Operation o : Operation.values()) {
            for (Stage s : Stage.values()) {
                if ((operation != null && operation != o) || (stage != null && stage != s)) {
                    continue;
                }
                Histogram histogram = recorders.snapshot(o, s);
                if (histogram.getTotalCount() > 0 || (operation != null && stage != null)) {
                    series.add(new LatencySeries(o, s, histogram));
                }
            }
        }
        return series;
    }
}
