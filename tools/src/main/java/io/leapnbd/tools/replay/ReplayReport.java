package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.tools.cli.Durations;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Replays as a page of Markdown with two pictures beside it, which need nothing but themselves. */
final class ReplayReport {

    private ReplayReport() {}

    /**
     * Writes {@code NAME.md}, {@code NAME-coverage.svg} and {@code NAME-time.svg}.
     *
     * @param page where the Markdown goes
     * @param traces each trace's replays, by the same policies
     * @param settings a sentence about what was simulated
     */
    static void write(Path page, List<List<Replay>> traces, String settings) throws IOException {
        String file = String.valueOf(page.getFileName());
        String name = file.endsWith(".md") ? file.substring(0, file.length() - 3) : file;
        Files.writeString(page.resolveSibling(name + "-coverage.svg"), CoverageChart.draw(traces));
        Files.writeString(page.resolveSibling(name + "-time.svg"), TimeChart.draw(traces));
        StringBuilder out = new StringBuilder();
        out.append("# Prefetch policies compared\n\n").append(settings).append("\n\n");
        out.append(
                        "Coverage: demanded pages that were prefetched. Accuracy: prefetched pages that were demanded. Wait: what a")
                .append(" demanded page was waited for. Bold: the best.\n\n");
        out.append("![Coverage against accuracy](").append(name).append("-coverage.svg)\n\n");
        out.append("![Simulated time](").append(name).append("-time.svg)\n\n");
        for (List<Replay> trace : traces) {
            table(out, trace);
        }
        Files.writeString(page, out.toString().stripTrailing() + "\n");
    }

    private static void table(StringBuilder out, List<Replay> trace) {
        long demands = trace.getFirst().result().demands();
        out.append("## ").append(Legend.title(trace)).append("\n\n");
        out.append(ReplayTable.number(demands)).append(" demanded pages.\n\n");
        out.append("| policy | coverage | accuracy | prefetched | wasted | mean wait | p99 wait | time |\n");
        out.append("|---|---:|---:|---:|---:|---:|---:|---:|\n");
        Replay covers = trace.stream()
                .max(Comparator.comparingDouble(replay -> replay.result().coverage()))
                .orElseThrow();
        Replay fastest = trace.stream()
                .min(Comparator.comparingLong(replay -> replay.result().simulatedNanos()))
                .orElseThrow();
        for (Replay replay : trace) {
            SimulationResult result = replay.result();
            String time = String.format(Locale.ROOT, "%.3f s", result.simulatedNanos() / 1e9);
            out.append("| ")
                    .append(replay.policy())
                    .append(" | ")
                    .append(bold(ReplayTable.percent(result.coverage()), replay.equals(covers)))
                    .append(" | ")
                    .append(ReplayTable.percent(result.accuracy()))
                    .append(" | ")
                    .append(ReplayTable.number(result.prefetched()))
                    .append(" | ")
                    .append(ReplayTable.number(result.wasted()))
                    .append(" | ")
                    .append(Durations.approximate(result.latency().mean()))
                    .append(" | ")
                    .append(Durations.approximate(result.latency().percentile(99)))
                    .append(" | ")
                    .append(bold(time, replay.equals(fastest)))
                    .append(" |\n");
        }
        out.append('\n');
    }

    private static String bold(String text, boolean best) {
        return best ? "**" + text + "**" : text;
    }
}
