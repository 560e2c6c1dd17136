package io.leapnbd.tools.replay;

import io.leapnbd.tools.chart.Svg;
import java.util.List;

/** Which colour is which policy, and what a trace is called. */
final class Legend {

    /** Room that it takes at most. */
    static final int WIDTH = 820;

    private static final int TITLE = 26;

    private Legend() {}

    static void draw(Svg svg, List<Replay> trace) {
        double x = 16;
        for (Replay replay : trace) {
            svg.circle(x, 18, 5, PolicyColours.of(replay.policy()), replay.policy());
            svg.text(x + 9, 22, "start", "", replay.policy());
            x += 30 + 7.2 * replay.policy().length();
        }
    }

    /** The trace's file name without what all traces' names end with. */
    static String title(List<Replay> trace) {
        String name = trace.getFirst().trace().replaceFirst("(\\.trace)?(\\.gz)?$", "");
        return name.length() <= TITLE ? name : name.substring(0, TITLE - 1) + "…";
    }
}
