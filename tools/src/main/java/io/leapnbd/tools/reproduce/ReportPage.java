package io.leapnbd.tools.reproduce;

import io.leapnbd.tools.chart.Markup;
import java.util.List;
import java.util.Map;

/** The page: where it was made, what became of each part, and the parts. It needs nothing but itself. */
final class ReportPage {

    private static final String HEAD = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>Leap, reproduced with leap-nbd</title>
            <style>
            :root { color-scheme: light dark; --back: #fcfcfb; --text: #1d2330; --soft: #667085; --line: #e3e5ea; --box: #f3f4f6;
              --default: #8a93a3; --server: #2563c9; --push: #c2501b; --both: #16805a; --published: #8446b8; --bad: #b42318; }
            @media (prefers-color-scheme: dark) { :root { --back: #14171d; --text: #e6e8ee; --soft: #98a1b3; --line: #2b313c; --box: #1c2129;
              --default: #8b95a7; --server: #74a7ff; --push: #ff9c66; --both: #5fd0a2; --published: #cf9dff; --bad: #ff8a80; } }
            body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--back); color: var(--text);
              font: 15px/1.5 system-ui, sans-serif; }
            h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 3rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
            p { margin: .25rem 0; max-width: 46rem; } .soft { color: var(--soft); } ul { padding-left: 1.2rem; max-width: 46rem; }
            a { color: var(--server); }
            .skipped, .failed { padding: .6rem .8rem; background: var(--box); border-left: 3px solid var(--soft); }
            .failed { border-left-color: var(--bad); }
            svg { display: block; width: 100%; max-width: 50rem; height: auto; margin: .75rem 0; }
            .grid { stroke: var(--line); } .tick { fill: var(--soft); font: 12px system-ui, sans-serif; }
            .name { fill: var(--text); font: 600 12px system-ui, sans-serif; }
            .curve { fill: none; stroke-width: 2; stroke-linejoin: round; } .dashed { stroke-dasharray: 5 4; stroke-width: 1.5; }
            .reference { stroke: var(--text); stroke-dasharray: 2 3; } .published-tick { stroke: var(--published); stroke-width: 3; }
            .curve.c-default { stroke: var(--default); } .curve.c-server { stroke: var(--server); }
            .curve.c-push { stroke: var(--push); } .curve.c-both { stroke: var(--both); }
            .bar.c-default { fill: var(--default); } .bar.c-server { fill: var(--server); } .bar.c-push { fill: var(--push); } .bar.c-both { fill: var(--both); }
            .point { stroke: var(--back); stroke-width: 1; } .point.c-default { fill: var(--default); } .point.c-published { fill: var(--published); }
            .wide { overflow-x: auto; }
            table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
            th, td { text-align: right; padding: .25rem .4rem; border-bottom: 1px solid var(--line); white-space: nowrap; font-size: .87rem; }
            th { font-weight: 600; color: var(--soft); } th:first-child, td:first-child { text-align: left; padding-left: 0; }
            .paper { color: var(--published); }
            .facts td { text-align: left; white-space: normal; }
            </style>
            </head>
            <body>
            """;

    private static final List<String> DIFFERENCES = List.of(
            "The paper changes a kernel of 2016 and swaps over RDMA. Here the kernel is stock.",
            "Here a page goes through a loop device, FUSE and a TCP link that is made longer.",
            "The paper's programs are PowerGraph, NumPy, VoltDB and Memcached, with tens of gigabytes. Those here are of the same kinds, with"
                    + " at most 320 MiB.",
            "The paper's Table 2 is measured while paging to a disk. Here recorded traces are played in simulated time.",
            "Program, agent, server, donor and link share this machine's processors. Read ratios, not times.");

    private static final List<String> MODES = List.of(
            "default: the kernel alone, with vm.page-cluster 3",
            "server: the same, and the server of the swap device prefetches",
            "push: an agent has the kernel read a program's next pages before it touches them; Leap does that in the kernel",
            "both: push, and the server prefetches");

    private ReportPage() {}

    static String render(Here here, Map<Part, Outcome> outcomes) {
        Html html = new Html();
        html.raw(HEAD);
        html.element("h1", "Leap, reproduced with leap-nbd");
        html.element(
                "p",
                "Small versions of the experiments in \"Effectively Prefetching Remote Memory with Leap\" (Al Maruf and Chowdhury, ATC '20),"
                        + " beside the published figures.");
        html.raw("<div class=\"facts\">").table(List.of("", ""), here.facts()).raw("</div>\n");
        html.list(MODES);
        html.raw("<ul>\n");
        outcomes.forEach((part, outcome) -> html.raw("<li><a href=\"#" + part.label() + "\">")
                .raw(Markup.escape(part.title()))
                .raw("</a>")
                .raw(Markup.escape(note(outcome)))
                .raw("</li>\n"));
        html.raw("</ul>\n");
        outcomes.forEach((part, outcome) -> {
            html.raw("<section id=\"" + part.label() + "\">\n").element("h2", part.title());
            switch (outcome) {
                case Outcome.Done done -> html.raw(done.html());
                case Outcome.Skipped skipped -> html.element("p", "skipped", "SKIPPED: " + skipped.reason());
                case Outcome.Failed failed -> html.element("p", "failed", "FAILED: " + failed.reason());
            }
            html.raw("</section>\n");
        });
        html.element("h2", "What differs from the paper");
        html.list(DIFFERENCES);
        return html.raw("</body>\n</html>\n").toString();
    }

    private static String note(Outcome outcome) {
        return switch (outcome) {
            case Outcome.Done _ -> "";
            case Outcome.Skipped _ -> " (SKIPPED)";
            case Outcome.Failed _ -> " (FAILED)";
        };
    }
}
