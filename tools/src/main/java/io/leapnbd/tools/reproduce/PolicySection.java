package io.leapnbd.tools.reproduce;

import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.prefetch.replay.SimulationSettings;
import io.leapnbd.tools.cli.Durations;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Table 2: the paper's four policies and the project's own, played the recorded traces of this project's programs. */
final class PolicySection {

    private static final List<PrefetchPolicy> POLICIES = List.of(
            PrefetchPolicy.NEXT_N,
            PrefetchPolicy.STRIDE,
            PrefetchPolicy.READAHEAD,
            PrefetchPolicy.LEAP,
            PrefetchPolicy.ADAPTIVE);

    private PolicySection() {}

    static String make(Replays replays) throws SkippedException, IOException {
        Html html = new Html();
        SimulationSettings machine = SimulationSettings.STANDARD;
        html.element(
                "p",
                "Recorded traces, played in simulated time: a cache of " + Figures.count(machine.cachePages())
                        + " pages, a link of 50 µs and 1 GiB a second. The traces are of programs of the same kinds, which are much smaller"
                        + " than the paper's; its figures are for paging to a disk.");
        html.element(
                "p",
                "soft",
                "Coverage: demanded pages that were prefetched. Accuracy: prefetched pages that were demanded. Early: from a page's arrival"
                        + " to its use. The tick across a bar is what was published.");
        List<BarChart.Group> groups = new ArrayList<>();
        Html tables = new Html();
        for (Published.Program program : Published.PROGRAMS) {
            List<BarChart.Bar> bars = new ArrayList<>();
            List<List<String>> lines = new ArrayList<>();
            for (PrefetchPolicy policy : POLICIES) {
                SimulationResult result = replays.play(program.trace(), policy, machine.cachePages());
                Published.@Nullable PolicyRow row = program.table().get(policy.label());
                double coverage = result.coverage() * 100;
                bars.add(new BarChart.Bar(
                        policy.label(),
                        policy == PrefetchPolicy.ADAPTIVE ? "c-push" : "c-server",
                        coverage,
                        Figures.percent(coverage),
                        row == null ? Double.NaN : row.coverage()));
                lines.add(line(policy, result, row));
            }
            groups.add(new BarChart.Group(program.trace(), bars));
            tables.element("h3", program.trace() + ", beside " + program.name());
            tables.table(
                    List.of(
                            "policy",
                            "coverage",
                            "paper",
                            "accuracy",
                            "paper",
                            "cache adds",
                            "paper",
                            "misses",
                            "paper",
                            "early p95",
                            "paper",
                            "time",
                            "paper"),
                    lines);
        }
        html.element("h3", "Coverage");
        html.raw(BarChart.draw("coverage by policy, in per cent", groups, Double.NaN));
        return html.raw(tables.toString()).toString();
    }

    private static List<String> line(
            PrefetchPolicy policy, SimulationResult result, Published.@Nullable PolicyRow row) {
        double early = result.timeliness().percentile(95);
        return List.of(
                policy.label(),
                Figures.percent(result.coverage() * 100),
                row == null ? "" : Figures.percent(row.coverage()),
                Figures.percent(result.accuracy() * 100),
                row == null ? "" : Figures.percent(row.accuracy()),
                Figures.count((double) result.prefetched()),
                row == null ? "" : Figures.figure(row.adds()) + " M",
                Figures.count((double) result.misses()),
                row == null ? "" : Figures.figure(row.misses()) + " M",
                Double.isNaN(early) ? "–" : Durations.approximate(early),
                row == null ? "" : Durations.approximate(row.earlyMillis() * 1e6),
                Figures.figure(result.simulatedNanos() / 1e9) + " s",
                row == null ? "" : Figures.count(row.seconds()) + " s");
    }
}
