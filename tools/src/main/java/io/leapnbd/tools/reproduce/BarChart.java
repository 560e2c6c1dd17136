package io.leapnbd.tools.reproduce;

import io.leapnbd.tools.chart.Svg;
import java.util.List;

/** Groups of bars from left to right, each with its value behind it; a published value is a tick across the bar. For one thread. */
final class BarChart {

    private static final int WIDTH = 760;
    private static final int LEFT = 150;
    private static final int RIGHT = 120;
    private static final int BAR = 15;
    private static final int GAP = 12;
    private static final int TOP = 8;
    private static final int TEXT = 80;

    /**
     * One bar.
     *
     * @param style the style sheet's class of its colour
     * @param text what is written behind it
     * @param published NaN if nothing was
     */
    record Bar(String name, String style, double value, String text, double published) {}

    /** Bars that belong together. */
    record Group(String name, List<Bar> bars) {
        Group {
            bars = List.copyOf(bars);
        }
    }

    private BarChart() {}

    /**
     * Draws it, from 0 to the largest value.
     *
     * @param reference a value at which a line goes through all bars; NaN for none
     */
    static String draw(String label, List<Group> groups, double reference) {
        double most = groups.stream()
                .flatMap(group -> group.bars().stream())
                .mapToDouble(
                        bar -> Double.isNaN(bar.published()) ? bar.value() : Math.max(bar.value(), bar.published()))
                .max()
                .orElse(1);
        double unit = (WIDTH - LEFT - RIGHT) / Math.max(most, Double.isNaN(reference) ? 1e-9 : reference);
        int bars = groups.stream().mapToInt(group -> group.bars().size()).sum();
        int height = TOP + bars * BAR + groups.size() * GAP;
        Svg svg = Svg.inPage(WIDTH, height, label);
        double y = TOP;
        for (Group group : groups) {
            svg.text(0, y + 11, "start", "name", group.name());
            for (Bar bar : group.bars()) {
                bar(svg, bar, y, unit);
                y += BAR;
            }
            y += GAP;
        }
        if (!Double.isNaN(reference)) {
            double x = LEFT + reference * unit;
            svg.line("reference", x, 0, x, height);
        }
        return svg.end();
    }

    private static void bar(Svg svg, Bar bar, double y, double unit) {
        double width = Math.max(1, bar.value() * unit);
        svg.text(LEFT - 8, y + 11, "end", "tick", bar.name());
        svg.styledBar("bar " + bar.style(), LEFT, y + 1, width, BAR - 3, bar.name() + ": " + bar.text());
        double end = width;
        if (!Double.isNaN(bar.published())) {
            double published = bar.published() * unit;
            svg.line("published-tick", LEFT + published, y - 1, LEFT + published, y + BAR - 1);
            // The text stands at the bar's end, or behind a tick that it would cover.
            double from = published - width;
            end = from > -4 && from < TEXT ? published + 4 : width;
        }
        svg.text(LEFT + end + 6, y + 11, "start", "tick", bar.text());
    }
}
