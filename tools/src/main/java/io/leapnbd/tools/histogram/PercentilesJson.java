package io.leapnbd.tools.histogram;

import io.leapnbd.tools.cli.Json;
import java.time.Instant;
import java.util.List;
import org.HdrHistogram.Histogram;

/** Percentiles of each series, in microseconds. */
final class PercentilesJson {

    private static final double MICRO = 1_000.0;

    private PercentilesJson() {}

    static String render(List<LatencySeries> all, long startMillis, long endMillis) {
        Json json = new Json()
                .object()
                .put("unit", "us")
                .put("start", Instant.ofEpochMilli(startMillis).toString())
                .put("end", Instant.ofEpochMilli(endMillis).toString())
                .array("series");
        for (LatencySeries series : all) {
            Histogram h = series.histogram();
            json.object()
                    .put("operation", series.operation().label())
                    .put("stage", series.stage().label())
                    .put("count", h.getTotalCount())
                    .put("mean", h.getMean() / MICRO)
                    .put("min", h.getTotalCount() == 0 ? 0 : h.getMinValue() / MICRO)
                    .put("p50", h.getValueAtPercentile(50) / MICRO)
                    .put("p90", h.getValueAtPercentile(90) / MICRO)
                    .put("p99", h.getValueAtPercentile(99) / MICRO)
                    .put("p99.9", h.getValueAtPercentile(99.9) / MICRO)
                    .put("p99.99", h.getValueAtPercentile(99.99) / MICRO)
                    .put("max", h.getMaxValue() / MICRO)
                    .endObject();
        }
        return json.endArray().endObject() + "\n";
    }
}
