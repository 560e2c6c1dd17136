package io.leapnbd.tools.histogram;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.http.Page;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** {@code /histograms?format=hgrm|hlog|json|html&operation=read&stage=total}. */
public final class HistogramPage implements Page {

    private final LatencyRecorders recorders;
    private final long startMillis;

    /** Shows what was recorded since {@code startMillis}, milliseconds since 1970. */
    public HistogramPage(LatencyRecorders recorders, long startMillis) {
        this.recorders = recorders;
        this.startMillis = startMillis;
    }

    @Override
    public Answer answer(Map<String, String> query) {
        for (String name : query.keySet()) {
            if (!name.equals("format") && !name.equals("operation") && !name.equals("stage")) {
                throw new IllegalArgumentException(
                        "no parameter is called " + name + "; there are format, operation, stage");
            }
        }
        HistogramFormat format = choose("format", query, HistogramFormat.values(), HistogramFormat::label);
        HistogramFormat chosen = format == null ? HistogramFormat.HTML : format;
        Operation operation = choose("operation", query, Operation.values(), Operation::label);
        Stage stage = choose("stage", query, Stage.values(), Stage::label);
        return Answer.ok(chosen.contentType(), chosen.render(recorders, operation, stage, startMillis));
    }

    private static <T> @Nullable T choose(
            String name, Map<String, String> query, T[] values, Function<T, String> label) {
        String text = query.get(name);
        if (text == null || text.isEmpty()) {
            return null;
        }
        for (T value : values) {
            if (label.apply(value).equals(text)) {
                return value;
            }
        }
        throw new IllegalArgumentException("no " + name + " is called " + text + "; there are "
                + Stream.of(values).map(label).collect(Collectors.joining(", ")));
    }
}
