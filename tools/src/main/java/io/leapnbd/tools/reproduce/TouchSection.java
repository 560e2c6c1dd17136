package io.leapnbd.tools.reproduce;

import io.leapnbd.tools.cli.JsonValue;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Figure 7: how long touches of memory take that is swapped out, natively on this machine. */
final class TouchSection {

    private static final String FILE = "swap.json";

    private TouchSection() {}

    /** Measures, unless there are results, and writes the section. */
    static String make(Checkout checkout, boolean quick) throws SkippedException, IOException {
        List<String> small = quick
                ? List.of("--rounds", "1", "--mib", "64", "--touches", "4000")
                : List.of("--rounds", "3", "--mib", "128", "--touches", "10000");
        List<String> arguments =
                new ArrayList<>(List.of("--links", "100", "--patterns", "seq s10", "--modes", Modes.MEASURED));
        arguments.addAll(small);
        return render(checkout.bench(FILE, arguments));
    }

    static String render(JsonValue rows) {
        Html html = new Html();
        html.element(
                "p",
                "A program touches its memory, all of it swapped out before, in order and in strides of ten pages. Its pages are"
                        + " at a donor behind a link of 100 µs each way, unless the table says another one. It has half of the memory that it uses.");
        html.element(
                "p",
                "soft",
                "Diamonds are what was published: medians, and 99th percentiles. Leap's are to be compared with push. A page that was pushed"
                        + " still costs a minor fault: up to 12 µs on virtual machines that were tried, 0.27 µs on the paper's.");
        for (long link : rows.items().stream()
                .map(row -> row.get("link_us").number(0))
                .distinct()
                .toList()) {
            for (Published.Touches published : Published.FIGURE_7) {
                List<JsonValue> some = rows.items().stream()
                        .filter(row -> row.get("link_us").number(0) == link
                                && row.get("pattern").text("").equals(published.pattern())
                                && Modes.NAMES.containsKey(row.get("mode").text("")))
                        .toList();
                if (!some.isEmpty()) {
                    section(html, published, some, link);
                }
            }
        }
        return html.toString();
    }

    private static void section(Html html, Published.Touches published, List<JsonValue> rows, long link) {
        html.element("h3", published.words() + ", link " + link + " µs each way");
        html.raw(chart(published, rows));
        List<List<String>> lines = new ArrayList<>();
        for (JsonValue row : rows) {
            String mode = row.get("mode").text("");
            boolean leap = Modes.isPush(mode);
            boolean plain = mode.equals(Modes.DEFAULT);
            lines.add(List.of(
                    Modes.name(mode),
                    Figures.figure(number(row, "p50")),
                    plain
                            ? Figures.figure(published.defaultMedian())
                            : leap ? Figures.figure(published.leapMedian()) : "",
                    Figures.figure(number(row, "p99")),
                    plain ? Figures.figure(published.defaultTail()) : leap ? Figures.figure(published.leapTail()) : "",
                    Figures.times(number(row, "p50_gain")),
                    leap ? Figures.times(published.medianGain()) : "",
                    Figures.times(number(row, "p99_gain")),
                    leap ? Figures.times(published.tailGain()) : "",
                    Figures.count(number(row, "major")) + " of " + Figures.count(number(row, "touches")),
                    Figures.figure(number(row, "seconds"))));
        }
        html.table(
                List.of(
                        "mode",
                        "p50, µs",
                        "paper",
                        "p99, µs",
                        "paper",
                        "p50 gain",
                        "paper",
                        "p99 gain",
                        "paper",
                        "major faults",
                        "seconds"),
                lines);
    }

    private static String chart(Published.Touches published, List<JsonValue> rows) {
        List<Axis.Tick> decades = new ArrayList<>();
        String[] names = {"10 ns", "100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms"};
        for (int i = 0; i < names.length; i++) {
            decades.add(new Axis.Tick(Math.pow(10, i - 2.), names[i]));
        }
        List<Axis.Tick> shares = new ArrayList<>();
        for (int percent = 0; percent <= 100; percent += 25) {
            shares.add(new Axis.Tick(percent, percent + " %"));
        }
        CurveChart chart = new CurveChart(
                "touches that took at most so long, " + published.words(),
                new Axis("touches that took at most so long", 1e-2, 1e5, true, decades),
                new Axis("", 0, 100, false, shares));
        for (JsonValue row : rows) {
            String mode = row.get("mode").text("");
            List<double[]> points = row.get("curve").items().stream()
                    .map(point -> point.items())
                    .filter(point -> point.size() == 2)
                    .map(point ->
                            new double[] {point.get(1).decimal(0), point.get(0).decimal(0)})
                    .toList();
            chart.curve(Modes.name(mode), Modes.style(mode), false, points);
        }
        chart.points(
                "default, published",
                "c-default",
                List.of(new double[] {published.defaultMedian(), 50}, new double[] {published.defaultTail(), 99}));
        chart.points("Leap, published", "c-published", List.of(new double[] {published.leapMedian(), 50}, new double[] {
            published.leapTail(), 99
        }));
        return chart.draw();
    }

    private static double number(JsonValue row, String name) {
        return row.get(name).decimal(Double.NaN);
    }
}
