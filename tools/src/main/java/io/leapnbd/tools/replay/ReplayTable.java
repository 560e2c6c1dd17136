package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.Table;
import java.util.List;
import java.util.Locale;

/** The replays of one trace, for people: a line a policy. */
final class ReplayTable {

    private ReplayTable() {}

    static String render(List<Replay> replays) {
        Table table = new Table(
                "policy",
                "coverage",
                "accuracy",
                "hits",
                "misses",
                "prefetched",
                "wasted",
                "early p50",
                "p95",
                "wait mean",
                "p99",
                "time");
        for (Replay replay : replays) {
            SimulationResult result = replay.result();
            table.row(
                    replay.policy(),
                    percent(result.coverage()),
                    percent(result.accuracy()),
                    number(result.hits()),
                    number(result.misses()),
                    number(result.prefetched()),
                    number(result.wasted()),
                    time(result.timeliness().percentile(50)),
                    time(result.timeliness().percentile(95)),
                    time(result.latency().mean()),
                    time(result.latency().percentile(99)),
                    String.format(Locale.ROOT, "%.3f s", result.simulatedNanos() / 1e9));
        }
        return table.toString();
    }

    static String percent(double part) {
        return Double.isNaN(part) ? "-" : String.format(Locale.ROOT, "%.1f %%", part * 100);
    }

    static String number(long count) {
        return String.format(Locale.ROOT, "%,d", count);
    }

    private static String time(double nanos) {
        return Double.isNaN(nanos) ? "-" : Durations.approximate(nanos);
    }
}
