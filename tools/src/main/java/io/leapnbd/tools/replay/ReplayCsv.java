package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.PageCache;
import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.prefetch.replay.SimulationSettings;
import java.util.List;
import java.util.Locale;

/** Replays as comma-separated values (RFC 4180), a line for each below one with the columns' names. What cannot be said is empty. */
final class ReplayCsv {

    private static final String COLUMNS =
            "trace,policy,cache_size,latency_us,bandwidth,warm_up,history,split,max_window,demands,hits,"
                    + "misses,prefetched,wasted,coverage,accuracy,timeliness_p50_us,timeliness_p95_us,timeliness_p99_us,wait_mean_us,"
                    + "wait_p99_us,simulated_seconds";

    private ReplayCsv() {}

    static String render(List<Replay> replays) {
        StringBuilder lines = new StringBuilder(COLUMNS).append("\r\n");
        for (Replay replay : replays) {
            SimulationSettings settings = replay.settings();
            SimulationResult result = replay.result();
            lines.append(String.join(
                            ",",
                            quoted(replay.trace()),
                            quoted(replay.policy()),
                            String.valueOf((long) settings.cachePages() * PageCache.PAGE_SIZE),
                            number(settings.latencyNanos() / 1e3),
                            String.valueOf(settings.bytesPerSecond()),
                            String.valueOf(settings.warmUp()),
                            String.valueOf(settings.leap().history()),
                            String.valueOf(settings.leap().split()),
                            String.valueOf(settings.leap().maxWindow()),
                            String.valueOf(result.demands()),
                            String.valueOf(result.hits()),
                            String.valueOf(result.misses()),
                            String.valueOf(result.prefetched()),
                            String.valueOf(result.wasted()),
                            number(result.coverage()),
                            number(result.accuracy()),
                            number(result.timeliness().percentile(50) / 1e3),
                            number(result.timeliness().percentile(95) / 1e3),
                            number(result.timeliness().percentile(99) / 1e3),
                            number(result.latency().mean() / 1e3),
                            number(result.latency().percentile(99) / 1e3),
                            number(result.simulatedNanos() / 1e9)))
                    .append("\r\n");
        }
        return lines.toString();
    }

    private static String quoted(String text) {
        boolean plain = text.chars().noneMatch(c -> c == ',' || c == '"' || c == '\r' || c == '\n');
        return plain ? text : '"' + text.replace("\"", "\"\"") + '"';
    }

    private static String number(double value) {
        return Double.isNaN(value) ? "" : String.format(Locale.ROOT, "%.6f", value);
    }
}
