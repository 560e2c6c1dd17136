package io.leapnbd.tools.replay;

import io.leapnbd.tools.chart.Svg;
import java.util.List;
import java.util.Locale;

/** Simulated time: a group of bars a trace, a bar a policy, in percent of the slowest policy's time. */
final class TimeChart {

    private static final int LEFT = 150;
    private static final int LENGTH = 560;
    private static final int BAR = 9;
    private static final int GAP = 14;
    private static final int TOP = 56;

    private TimeChart() {}

    static String draw(List<List<Replay>> traces) {
        int group = traces.getFirst().size() * BAR + GAP;
        int height = TOP + traces.size() * group + 30;
        Svg svg = Svg.alone(Math.max(LEFT + LENGTH + 70, Legend.WIDTH), height, "simulated time");
        Legend.draw(svg, traces.getFirst());
        for (int percent = 0; percent <= 100; percent += 25) {
            double x = LEFT + LENGTH * percent / 100.0;
            svg.line(x, TOP - 6, x, height - 24);
            svg.text(x, height - 8, "middle", "soft", percent + " %");
        }
        double y = TOP;
        for (List<Replay> trace : traces) {
            svg.text(LEFT - 8, y + group / 2.0 - 4, "end", "title", Legend.title(trace));
            double slowest = trace.stream()
                    .mapToDouble(replay -> (double) replay.result().simulatedNanos())
                    .max()
                    .orElse(1);
            for (Replay replay : trace) {
                double nanos = (double) replay.result().simulatedNanos();
                svg.bar(
                        LEFT,
                        y,
                        LENGTH * nanos / Math.max(1, slowest),
                        BAR - 1,
                        PolicyColours.of(replay.policy()),
                        String.format(Locale.ROOT, "%s: %.3f s", replay.policy(), nanos / 1e9));
                y += BAR;
            }
            y += GAP;
        }
        return svg.end();
    }
}
