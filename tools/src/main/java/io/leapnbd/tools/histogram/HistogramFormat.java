package io.leapnbd.tools.histogram;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/** How histograms are written down. */
public enum HistogramFormat {
    /** HdrHistogram's percentile output, in microseconds: one series. */
    HGRM("text/plain; charset=utf-8"),
    /** HdrHistogram's log format, in nanoseconds: one tagged line a series. */
    HLOG("text/plain; charset=utf-8"),
    /** Percentiles of each series, in microseconds. */
    JSON("application/json"),
    /** A page with the percentile curves, without anything from elsewhere. */
    HTML("text/html; charset=utf-8");

    private static final double NANOS_PER_MICRO = 1_000.0;
    private static final int STEPS_PER_HALF_DISTANCE = 5;

    private final String contentType;

    HistogramFormat(String contentType) {
        this.contentType = contentType;
    }

    /** As it is typed. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** For HTTP. */
    public String contentType() {
        return contentType;
    }

    /**
     * Writes down what a server recorded since it started.
     *
     * @param operation which operation; null for all (for {@link #HGRM}: reads)
     * @param stage which stage; null for all (for {@link #HGRM}: the total)
     * @param startMillis when the recording began, in milliseconds since 1970
     */
    public String render(
            LatencyRecorders recorders, @Nullable Operation operation, @Nullable Stage stage, long startMillis) {
        if (this == HGRM) {
            return percentiles(recorders.snapshot(
                    operation == null ? Operation.READ : operation, stage == null ? Stage.TOTAL : stage));
        }
        List<LatencySeries> series = LatencySeries.of(recorders, operation, stage);
        long endMillis = System.currentTimeMillis();
        return switch (this) {
            case HLOG -> IntervalLog.oneInterval(series, startMillis, endMillis);
            case JSON -> PercentilesJson.render(series, startMillis, endMillis);
            default -> HtmlReport.render(series, startMillis, endMillis);
        };
    }

    private static String percentiles(Histogram histogram) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrintStream print = new PrintStream(out, false, StandardCharsets.UTF_8);
        histogram.outputPercentileDistribution(print, STEPS_PER_HALF_DISTANCE, NANOS_PER_MICRO);
        print.flush();
        return out.toString(StandardCharsets.UTF_8);
    }
}
