package io.leapnbd.tools.reproduce;

import io.leapnbd.tools.cli.JsonValue;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Figure 9: real programs with half of the memory that they use, natively on this machine. */
final class ProgramSection {

    private static final String FILE = "programs.json";
    private static final double STRANGE_SPREAD = 3;

    private ProgramSection() {}

    /** Measures, unless there are results, and writes the section. */
    static String make(Checkout checkout, boolean quick) throws SkippedException, IOException {
        List<String> arguments = new ArrayList<>(List.of("--programs"));
        arguments.addAll(
                quick
                        ? List.of("numpy", "redis", "sqlite", "pagerank", "--rounds", "1", "--scale", "0.4")
                        : List.of("--rounds", "2", "--scale", "0.5"));
        arguments.addAll(List.of("--modes", Modes.MEASURED));
        return render(checkout.bench(FILE, arguments));
    }

    static String render(JsonValue measured) {
        Html html = new Html();
        html.element(
                "p",
                "Each program has half of the memory that it takes when there is enough. Its result is compared with that of a run with all"
                        + " the memory. Gain: how many times faster than with the kernel's default. The tick across a bar is what the paper's Leap"
                        + " gained over its default with its own program.");
        html.element(
                "p",
                "soft",
                "Alternating rounds: " + Figures.count(measured.get("rounds").decimal(Double.NaN))
                        + ". Sizes: " + Figures.figure(measured.get("scale").decimal(Double.NaN))
                        + " of the full ones. Medians.");
        List<BarChart.Group> groups = new ArrayList<>();
        List<List<String>> lines = new ArrayList<>();
        List<String> skipped = new ArrayList<>();
        programs(measured).forEach((name, program) -> {
            if (program.get("skipped").isThere()) {
                skipped.add("SKIPPED " + name + ": " + program.get("skipped").text(""));
            } else {
                program(measured, name, program, groups, lines);
            }
        });
        html.raw(BarChart.draw("how many times faster than the default", groups, 1));
        html.table(
                List.of(
                        "program",
                        "link, µs",
                        "mode",
                        "all memory, s",
                        "half, s",
                        "spread",
                        "gain",
                        "paper",
                        "major faults",
                        "paper: default → Leap"),
                lines);
        html.list(skipped);
        List<List<String>> means = new ArrayList<>();
        for (JsonValue mean : measured.get("geometric_means").items()) {
            means.add(List.of(
                    Modes.name(mean.get("mode").text("")),
                    Figures.count(mean.get("link_us").decimal(Double.NaN)),
                    Figures.times(mean.get("gain").decimal(Double.NaN))));
        }
        html.element("h3", "Geometric mean of the gains");
        if (means.isEmpty()) {
            html.element("p", "There is none: in each way of running, a run was given up.");
        } else {
            html.table(List.of("mode", "link, µs", "gain"), means);
        }
        return html.toString();
    }

    private static void program(
            JsonValue measured, String name, JsonValue program, List<BarChart.Group> groups, List<List<String>> lines) {
        Optional<Published.Program> published = Published.PROGRAMS.stream()
                .filter(p -> p.program().equals(name))
                .findFirst();
        boolean links = measured.get("rows").items().stream()
                        .map(row -> row.get("link_us").number(0))
                        .distinct()
                        .count()
                > 1;
        List<BarChart.Bar> bars = new ArrayList<>();
        for (JsonValue row : measured.get("rows").items()) {
            String mode = row.get("mode").text("");
            if (!row.get("program").text("").equals(name)) {
                continue;
            }
            double gain = row.get("gain").decimal(Double.NaN);
            double leap =
                    Modes.isPush(mode) ? published.map(Published.Program::gain).orElse(Double.NaN) : Double.NaN;
            if (!mode.equals(Modes.DEFAULT) && !Double.isNaN(gain)) {
                String at = links ? ", " + row.get("link_us").number(0) + " µs" : "";
                bars.add(new BarChart.Bar(Modes.name(mode) + at, Modes.style(mode), gain, Figures.times(gain), leap));
            }
            double spread = row.get("seconds_spread").decimal(Double.NaN);
            lines.add(List.of(
                    name,
                    Figures.count(row.get("link_us").decimal(Double.NaN)),
                    Modes.name(mode),
                    Figures.figure(program.get("seconds").decimal(Double.NaN)),
                    (row.get("given_up").number(0) > 0 ? "> " : "")
                            + Figures.figure(row.get("seconds").decimal(Double.NaN)),
                    Figures.figure(spread) + (spread >= STRANGE_SPREAD ? " (!)" : ""),
                    Figures.times(gain),
                    Double.isNaN(leap) ? "" : Figures.times(leap),
                    Figures.count(row.get("major").decimal(Double.NaN)),
                    published
                            .filter(_ -> mode.equals(Modes.DEFAULT))
                            .map(p -> p.name() + ": " + Figures.figure(p.defaultHalf()) + " → "
                                    + Figures.figure(p.leapHalf()) + " " + p.unit())
                            .orElse("")));
        }
        if (!bars.isEmpty()) {
            groups.add(new BarChart.Group(name, bars));
        }
    }

    /** An object's members in their order. */
    private static Map<String, JsonValue> programs(JsonValue measured) {
        return measured.get("programs").members();
    }
}
