package io.leapnbd.tools.replay;

import io.leapnbd.tools.chart.Svg;
import java.util.List;

/** Coverage against accuracy: a square a trace, a dot a policy; the upper right corner is best. */
final class CoverageChart {

    private static final int SIDE = 190;
    private static final int GAP_X = 42;
    private static final int GAP_Y = 56;
    private static final int COLUMNS = 4;
    private static final int TOP = 76;

    private CoverageChart() {}

    static String draw(List<List<Replay>> traces) {
        int columns = Math.min(COLUMNS, traces.size());
        int rows = (traces.size() + columns - 1) / columns;
        Svg svg = Svg.alone(
                Math.max(GAP_X + columns * (SIDE + GAP_X), Legend.WIDTH),
                TOP + rows * (SIDE + GAP_Y),
                "coverage against accuracy");
        Legend.draw(svg, traces.getFirst());
        svg.text(16, 42, "start", "soft", "across: coverage; up: accuracy; in percent");
        for (int i = 0; i < traces.size(); i++) {
            square(svg, GAP_X + i % columns * (SIDE + GAP_X), TOP + i / columns * (SIDE + GAP_Y), traces.get(i));
        }
        return svg.end();
    }

    private static void square(Svg svg, double left, double top, List<Replay> trace) {
        svg.text(left, top - 8, "start", "title", Legend.title(trace));
        for (int percent = 0; percent <= 100; percent += 25) {
            double x = left + SIDE * percent / 100.0;
            double y = top + SIDE - SIDE * percent / 100.0;
            svg.line(x, top, x, top + SIDE);
            svg.line(left, y, left + SIDE, y);
            if (percent % 50 == 0) {
                svg.text(x, top + SIDE + 15, "middle", "soft", Integer.toString(percent));
                svg.text(left - 4, y + 4, "end", "soft", Integer.toString(percent));
            }
        }
        for (Replay replay : trace) {
            double accuracy = replay.result().accuracy();
            if (!Double.isNaN(accuracy)) {
                double coverage = replay.result().coverage();
                svg.circle(
                        left + SIDE * coverage,
                        top + SIDE - SIDE * accuracy,
                        5,
                        PolicyColours.of(replay.policy()),
                        replay.policy() + ": coverage " + ReplayTable.percent(coverage) + ", accuracy "
                                + ReplayTable.percent(accuracy));
            }
        }
    }
}
