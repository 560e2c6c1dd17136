package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.PushFigure;
import io.leapnbd.tools.http.Metrics;
import io.leapnbd.tools.http.MetricsOf;
import io.leapnbd.tools.http.ProcessMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/** An agent's counters under their Prometheus names, read when they are asked for. */
final class PushMetrics {

    private static final double NANOS_A_SECOND = 1e9;

    private PushMetrics() {}

    static PrometheusRegistry registry(PushStatus status) {
        Metrics metrics = new Metrics();
        MetricsOf<PushTarget> process =
                metrics.ofEach("pid", () -> status.targets().live(), target -> Integer.toString(target.pid()));
        for (PushFigure figure : PushFigure.values()) {
            process.counter(
                    "leap_push_" + figure.label() + "_total",
                    figure.help(),
                    target -> target.pusher().figures().get(figure));
        }
        process.gauge(
                "leap_push_accuracy",
                "Pushed pages touched, of those that are decided.",
                target -> orZero(target.pusher().figures().accuracy()));
        process.gauge(
                "leap_push_coverage",
                "Faults that did not wait thanks to pushing.",
                target -> orZero(target.pusher().figures().coverage()));
        process.gauge(
                "leap_push_waiting",
                "Pushed pages that wait to be touched.",
                target -> target.pusher().figures().waiting());
        process.gauge(
                "leap_push_streams",
                "Streams that are pushed for.",
                target -> target.pusher().figures().streams());
        process.gauge(
                "leap_push_lead",
                "Pages ahead of the stream pushed for last.",
                target -> target.pusher().figures().lead());
        process.gauge(
                "leap_push_trend",
                "Pages between two faults of that stream.",
                target -> target.pusher().figures().trend());
        process.gauge(
                "leap_push_read_seconds",
                "What a read of the swap device took lately.",
                target -> target.pusher().figures().latencyNanos() / NANOS_A_SECOND);
        metrics.counter("leap_push_records_total", "Records of perf events taken.")
                .from(sink -> sink.accept(status.agent().records()));
        metrics.counter("leap_push_records_lost_total", "Records that perf's rings had no room for.")
                .from(sink -> sink.accept(status.events().lost()));
        metrics.counter("leap_push_announced_total", "Pages that the swap device's server was told of beforehand.")
                .from(sink -> sink.accept(status.announced().announced()));
        metrics.counter("leap_push_announcements_dropped_total", "Pushed pages that the server was not told of.")
                .from(sink -> sink.accept(status.announced().dropped()));
        ProcessMetrics.add(metrics, "push");
        return metrics.registry();
    }

    private static double orZero(double ratio) {
        return Double.isNaN(ratio) ? 0 : ratio;
    }
}
