package io.leapnbd.tools.histogram;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.http.Page;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramIterationValue;

/**
 * {@code /latencies}: how many requests took how long since the start, by operation, in buckets that are 1/{@value #STEPS} of an octave wide. Who asks
 * twice gets the percentiles of the time between from the difference. Any thread.
 *
 * @param recorders of all loops
 * @param startMillis milliseconds since 1970
 */
public record LatencyPage(LatencyRecorders recorders, long startMillis) implements Page {

    private static final int STEPS = 16;
    private static final double LOG_2 = Math.log(2);

    @Override
    public Answer answer(Map<String, String> query) {
        Json json = new Json().object().put("start_ms", startMillis).object("operations");
        for (Operation operation : Operation.values()) {
            Histogram total = recorders.snapshot(operation, Stage.TOTAL);
            if (total.getTotalCount() > 0) {
                put(json.object(operation.label()), total);
            }
        }
        return Answer.ok("application/json", json.endObject().endObject() + "\n");
    }

    /** Those of the buckets that are not empty: upper bounds in nanoseconds, rising, and how many requests each has. */
    private static void put(Json json, Histogram histogram) {
        StringBuilder bounds = new StringBuilder();
        StringBuilder counts = new StringBuilder();
        int bucket = -1;
        long count = 0;
        for (HistogramIterationValue value : histogram.recordedValues()) {
            int its = bucket(value.getValueIteratedTo());
            if (its != bucket && count > 0) {
                add(bounds, counts, bucket, count);
                count = 0;
            }
            bucket = its;
            count += value.getCountAtValueIteratedTo();
        }
        if (count > 0) {
            add(bounds, counts, bucket, count);
        }
        json.put("count", histogram.getTotalCount())
                .put("steps", STEPS)
                .put("upto_ns", bounds.toString())
                .put("counts", counts.toString())
                .endObject();
    }

    private static void add(StringBuilder bounds, StringBuilder counts, int bucket, long count) {
        String comma = bounds.isEmpty() ? "" : " ";
        bounds.append(comma).append(Math.round(Math.exp((bucket + 1) * LOG_2 / STEPS)));
        counts.append(comma).append(count);
    }

    private static int bucket(long nanos) {
        return (int) Math.floor(Math.log((double) Math.max(1, nanos)) / LOG_2 * STEPS);
    }
}
