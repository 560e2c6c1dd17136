package io.leapnbd.tools.histogram;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.tools.cli.Durations;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.HdrHistogram.Histogram;

/** A page with a chart and a table for each operation, that needs nothing but itself. */
final class HtmlReport {

    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss 'UTC'", Locale.ROOT)
            .withZone(ZoneOffset.UTC);

    private static final String HEAD = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>leap-nbd latencies</title>
            <style>
            :root { color-scheme: light dark; --back: #fcfcfb; --text: #1d2330; --soft: #667085; --line: #e3e5ea;
              --total: #2563c9; --queue: #c2501b; --lookup: #16805a; --link: #8446b8;
              --timeliness: #8a6d00; }
            @media (prefers-color-scheme: dark) { :root { --back: #14171d; --text: #e6e8ee; --soft: #98a1b3;
              --line: #2b313c; --total: #74a7ff; --queue: #ff9c66; --lookup: #5fd0a2; --link: #cf9dff;
              --timeliness: #e0c14a; } }
            body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 52rem; background: var(--back);
              color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
            h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.75rem 0 .5rem; }
            p { margin: .25rem 0; } .soft { color: var(--soft); }
            svg { display: block; width: 100%; height: auto; }
            .grid { stroke: var(--line); } .tick { fill: var(--soft); font: 12px system-ui, sans-serif; }
            .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
            .c-total { stroke: var(--total); background: var(--total); }
            .c-queue { stroke: var(--queue); background: var(--queue); }
            .c-lookup { stroke: var(--lookup); background: var(--lookup); }
            .c-timeliness { stroke: var(--timeliness); background: var(--timeliness); }
            .c-link { stroke: var(--link); background: var(--link); }
            .wide { overflow-x: auto; }
            table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
            th, td { text-align: right; padding: .3rem .5rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
            th { font-weight: 600; color: var(--soft); } th:first-child, td:first-child { text-align: left; padding-left: 0; }
            i { display: inline-block; width: 1.1em; height: 3px; margin-right: .5em; vertical-align: middle; }
            @media (max-width: 42rem) { table { font-size: .8rem; } th, td { padding: .3rem .15rem; } }
            </style>
            </head>
            <body>
            <h1>leap-nbd latencies</h1>
            """;

    private HtmlReport() {}

    static String render(List<LatencySeries> all, long startMillis, long endMillis) {
        StringBuilder page = new StringBuilder(HEAD);
        page.append("<p class=\"soft\">")
                .append(TIME.format(Instant.ofEpochMilli(startMillis)))
                .append(" to ")
                .append(TIME.format(Instant.ofEpochMilli(endMillis)))
                .append("</p>\n");
        if (all.isEmpty()) {
            page.append("<p>Nothing has been recorded yet.</p>\n");
        }
        for (Operation operation : Operation.values()) {
            List<LatencySeries> some = all.stream()
                    .filter(series -> series.operation() == operation)
                    // The total first: it is what a client sees, and always has the same colour.
                    .sorted(Comparator.comparingInt(series ->
                            series.stage() == Stage.TOTAL ? -1 : series.stage().ordinal()))
                    .toList();
            if (!some.isEmpty()) {
                section(page, operation, some);
            }
        }
        return page.append("</body>\n</html>\n").toString();
    }

    private static void section(StringBuilder page, Operation operation, List<LatencySeries> some) {
        page.append("<h2>").append(operation.label()).append("</h2>\n");
        List<LatencySeries> drawn =
                some.stream().filter(s -> s.histogram().getTotalCount() > 0).toList();
        if (!drawn.isEmpty()) {
            page.append(PercentileChart.draw(drawn));
        }
        page.append(
                        "<div class=\"wide\"><table>\n<tr><th>stage</th><th>count</th><th>mean</th><th>p50</th><th>p90</th>")
                .append("<th>p99</th><th>p99.9</th><th>max</th></tr>\n");
        for (LatencySeries series : some) {
            Histogram h = series.histogram();
            page.append("<tr><td>");
            if (h.getTotalCount() > 0) {
                page.append("<i class=\"")
                        .append(PercentileChart.colour(series))
                        .append("\"></i>");
            }
            page.append(series.stage().label())
                    .append("</td><td>")
                    .append(String.format(Locale.ROOT, "%,d", h.getTotalCount()))
                    .append("</td>");
            cell(page, Durations.approximate(h.getMean()));
            cell(page, Durations.approximate(h.getValueAtPercentile(50)));
            cell(page, Durations.approximate(h.getValueAtPercentile(90)));
            cell(page, Durations.approximate(h.getValueAtPercentile(99)));
            cell(page, Durations.approximate(h.getValueAtPercentile(99.9)));
            cell(page, Durations.approximate(h.getMaxValue()));
            page.append("</tr>\n");
        }
        page.append("</table></div>\n");
    }

    private static void cell(StringBuilder page, String latency) {
        page.append("<td>").append(latency).append("</td>");
    }
}
