package io.leapnbd.tools.reproduce;

import java.util.List;
import java.util.Locale;

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
        StringBuilder svg = new StringBuilder(String.format(
                Locale.ROOT,
                "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%n",
                WIDTH,
                height,
                Html.escape(label)));
        double y = TOP;
        for (Group group : groups) {
            svg.append(String.format(
                    Locale.ROOT,
                    "<text class=\"name\" x=\"0\" y=\"%.1f\">%s</text>%n",
                    y + 11,
                    Html.escape(group.name())));
            for (Bar bar : group.bars()) {
                bar(svg, bar, y, unit);
                y += BAR;
            }
            y += GAP;
        }
        if (!Double.isNaN(reference)) {
            double x = LEFT + reference * unit;
            svg.append(String.format(
                    Locale.ROOT,
                    "<line class=\"reference\" x1=\"%.1f\" y1=\"0\" x2=\"%.1f\" y2=\"%d\"/>%n",
                    x,
                    x,
                    height));
        }
        return svg.append("</svg>\n").toString();
    }

    private static void bar(StringBuilder svg, Bar bar, double y, double unit) {
        double width = Math.max(1, bar.value() * unit);
        svg.append(String.format(
                Locale.ROOT,
                "<text class=\"tick\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">%s</text>",
                LEFT - 8,
                y + 11,
                Html.escape(bar.name())));
        svg.append(String.format(
                Locale.ROOT,
                "<rect class=\"bar %s\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"><title>%s: %s</title></rect>",
                bar.style(),
                LEFT,
                y + 1,
                width,
                BAR - 3,
                Html.escape(bar.name()),
                Html.escape(bar.text())));
        double end = width;
        if (!Double.isNaN(bar.published())) {
            double x = LEFT + bar.published() * unit;
            // The text stands at the bar's end, or behind a tick that it would cover.
            double from = bar.published() * unit - width;
            end = from > -4 && from < TEXT ? bar.published() * unit + 4 : width;
            svg.append(String.format(
                    Locale.ROOT,
                    "<line class=\"published-tick\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"><title>published</title></line>",
                    x,
                    y - 1,
                    x,
                    y + BAR - 1));
        }
        svg.append(String.format(
                Locale.ROOT,
                "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">%s</text>%n",
                LEFT + end + 6,
                y + 11,
                Html.escape(bar.text())));
    }
}
