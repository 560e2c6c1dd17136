package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.PushFigure;
import io.leapnbd.prefetch.push.PushFigures;
import io.leapnbd.tools.http.Metrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.function.ToDoubleFunction;

/** An agent's counters under their Prometheus names, read when they are asked for. */
final class PushMetrics {

    private static final double NANOS_A_SECOND = 1e9;

    private PushMetrics() {}

    static PrometheusRegistry registry(PushStatus status) {
        Metrics metrics = new Metrics();
        for (PushFigure figure : PushFigure.values()) {
            metrics.counter("leap_push_" + figure.label() + "_total", figure.help(), "pid")
                    .from(sink -> {
                        for (PushTarget target : status.targets().live()) {
                            sink.accept(target.pusher().figures().get(figure), Integer.toString(target.pid()));
                        }
                    });
        }
        gauge(
                metrics,
                status,
                "leap_push_accuracy",
                "Pushed pages touched, of those that are decided.",
                figures -> orZero(figures.accuracy()));
        gauge(
                metrics,
                status,
                "leap_push_coverage",
                "Faults that did not wait thanks to pushing.",
                figures -> orZero(figures.coverage()));
        gauge(metrics, status, "leap_push_waiting", "Pushed pages that wait to be touched.", PushFigures::waiting);
        gauge(metrics, status, "leap_push_streams", "Streams that are pushed for.", PushFigures::streams);
        gauge(metrics, status, "leap_push_lead", "Pages ahead of the stream pushed for last.", PushFigures::lead);
        gauge(metrics, status, "leap_push_trend", "Pages between two faults of that stream.", PushFigures::trend);
        gauge(
                metrics,
                status,
                "leap_push_read_seconds",
                "What a read of the swap device took lately.",
                figures -> figures.latencyNanos() / NANOS_A_SECOND);
        metrics.counter("leap_push_records_total", "Records of perf events taken.")
                .from(sink -> sink.accept(status.agent().records()));
        metrics.counter("leap_push_records_lost_total", "Records that perf's rings had no room for.")
                .from(sink -> sink.accept(status.events().lost()));
        return metrics.registry();
    }

    private static double orZero(double ratio) {
        return Double.isNaN(ratio) ? 0 : ratio;
    }

    private static void gauge(
            Metrics metrics, PushStatus status, String name, String help, ToDoubleFunction<PushFigures> value) {
        metrics.gauge(name, help, "pid").from(sink -> {
            for (PushTarget target : status.targets().live()) {
                sink.accept(value.applyAsDouble(target.pusher().figures()), Integer.toString(target.pid()));
            }
        });
    }
}
