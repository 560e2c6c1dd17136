package io.leapnbd.tools.reproduce;

import io.leapnbd.prefetch.PageCache;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.tools.cli.Durations;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Figure 10: how much longer programs take when the cache of prefetched pages is smaller, by the recorded traces. */
final class CacheSection {

    /** In KiB; the largest holds all of any trace. 3,276 are 3.2 MB, as in the paper. */
    private static final List<Integer> SIZES_KIB =
            List.of(512 << 10, 320 << 10, 32 << 10, 10 << 10, 3_276, 1 << 10, 320, 96);

    private static final List<Integer> QUICK_KIB = List.of(512 << 10, 32 << 10, 3_276, 320);

    private static final List<String> STYLES = List.of("c-default", "c-server", "c-push", "c-both");

    /** Where a cache without limit is drawn, in MB. */
    private static final double UNLIMITED_MB = 512;

    private CacheSection() {}

    static String make(Replays replays, boolean quick) throws SkippedException, IOException {
        Html html = new Html();
        html.element(
                "p",
                "The time that a trace takes, against the time with a cache that nothing has to leave. Drawn is the policy leap; dashed is"
                        + " what was published.");
        html.element(
                "p",
                "soft",
                "The paper's programs are ten to fifty times larger than those of the traces. These computed most of the time, so the mean"
                        + " wait says more than the time.");
        double most = 1;
        List<Curve> curves = new ArrayList<>();
        List<List<String>> lines = new ArrayList<>();
        List<Integer> sizes = quick ? QUICK_KIB : SIZES_KIB;
        for (int i = 0; i < Published.PROGRAMS.size(); i++) {
            Published.Program program = Published.PROGRAMS.get(i);
            String style = STYLES.get(i);
            List<Point> here = points(replays, program.trace(), PrefetchPolicy.LEAP, sizes);
            List<Point> own = points(replays, program.trace(), PrefetchPolicy.ADAPTIVE, sizes);
            List<double[]> published = new ArrayList<>();
            published.add(new double[] {UNLIMITED_MB, 1});
            for (int cache = 1; cache < program.caches().size(); cache++) {
                published.add(new double[] {Published.FIGURE_10_MB.get(cache - 1), program.slowdown(cache)});
            }
            curves.add(new Curve(
                    program.trace(),
                    style,
                    false,
                    here.stream()
                            .map(point -> new double[] {point.megabytes(), point.times()})
                            .toList()));
            curves.add(new Curve(program.name(), style, true, published));
            for (Point point : here) {
                most = Math.max(most, point.times());
            }
            for (double[] point : published) {
                most = Math.max(most, point[1]);
            }
            for (int size = 0; size < sizes.size(); size++) {
                double megabytes = here.get(size).megabytes();
                double beside = published.stream()
                        .filter(point -> Math.abs(point[0] / megabytes - 1) < 0.01)
                        .mapToDouble(point -> point[1])
                        .findFirst()
                        .orElse(Double.NaN);
                lines.add(List.of(
                        size == 0 ? program.trace() + ", beside " + program.name() : "",
                        size == 0 ? "no limit" : Figures.figure(megabytes) + " MB",
                        Figures.figure(here.get(size).seconds()) + " s",
                        Figures.times(here.get(size).times()),
                        Double.isNaN(beside) ? "" : Figures.times(beside),
                        Durations.approximate(here.get(size).waitNanos()),
                        Figures.figure(own.get(size).seconds()) + " s",
                        Figures.times(own.get(size).times()),
                        Durations.approximate(own.get(size).waitNanos())));
            }
        }
        html.raw(chart(curves, most));
        html.table(
                List.of(
                        "trace",
                        "cache",
                        "leap",
                        "of no limit",
                        "paper",
                        "mean wait",
                        "adaptive",
                        "of no limit",
                        "mean wait"),
                lines);
        return html.toString();
    }

    private record Curve(String name, String style, boolean dashed, List<double[]> points) {}

    private static String chart(List<Curve> curves, double most) {
        double top = Math.ceil(most * 20) / 20;
        List<Axis.Tick> ticks = new ArrayList<>();
        for (int i = 0; i <= 4; i++) {
            double value = 1 + (top - 1) * i / 4;
            ticks.add(new Axis.Tick(value, Figures.figure(value)));
        }
        CurveChart chart = new CurveChart(
                "time against that without a limit, by the cache's size",
                new Axis(
                        "cache, MB",
                        0.08,
                        600,
                        true,
                        List.of(
                                new Axis.Tick(0.1, "0.1"),
                                new Axis.Tick(1, "1"),
                                new Axis.Tick(3.2, "3.2"),
                                new Axis.Tick(10, "10"),
                                new Axis.Tick(32, "32"),
                                new Axis.Tick(UNLIMITED_MB, "no limit"))),
                new Axis("", 0.95, Math.max(top, 1.05), false, ticks));
        curves.forEach(curve -> chart.curve(curve.name(), curve.style(), curve.dashed(), curve.points()));
        return chart.draw();
    }

    /**
     * A trace with one cache.
     *
     * @param times how many times longer than with the first cache
     * @param waitNanos of a demand, in the mean
     */
    private record Point(double megabytes, double times, double seconds, double waitNanos) {}

    /** One for each size. */
    private static List<Point> points(Replays replays, String trace, PrefetchPolicy policy, List<Integer> sizes)
            throws SkippedException, IOException {
        List<Point> points = new ArrayList<>();
        Map<Integer, SimulationResult> played = new HashMap<>();
        int most = (int)
                Math.min(Integer.MAX_VALUE, Math.max(1, replays.trace(trace).demands()));
        double first = Double.NaN;
        for (int kib : sizes) {
            // One that has room for every demand of the trace has no limit.
            int pages = Math.clamp(kib * 1024L / PageCache.PAGE_SIZE, 1, most);
            SimulationResult result = played.get(pages);
            if (result == null) {
                result = replays.play(trace, policy, pages);
                played.put(pages, result);
            }
            double nanos = (double) result.simulatedNanos();
            first = points.isEmpty() ? nanos : first;
            points.add(new Point(
                    kib / 1024.0, nanos / first, nanos / 1e9, result.latency().mean()));
        }
        return points;
    }
}
