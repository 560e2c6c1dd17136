package io.leapnbd.tools.reproduce;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Curves over two axes, and single points beside them, as an SVG picture whose colours come from the page's style sheet. For one thread. */
final class CurveChart {

    private static final int WIDTH = 760;
    private static final int HEIGHT = 336;
    private static final int LEFT = 64;
    private static final int RIGHT = 16;
    private static final int TOP = 50;
    private static final int BOTTOM = 44;
    private static final double LETTER = 6.6;

    private final Axis across;
    private final Axis up;
    private final StringBuilder svg = new StringBuilder();
    private final List<String> drawn = new ArrayList<>();
    private double legend = LEFT;
    private double legendRow = 14;

    CurveChart(String label, Axis across, Axis up) {
        this.across = across;
        this.up = up;
        svg.append(String.format(
                Locale.ROOT,
                "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%n",
                WIDTH,
                HEIGHT,
                Html.escape(label)));
        for (Axis.Tick tick : up.ticks()) {
            double y = y(tick.value());
            line(LEFT, y, WIDTH - RIGHT, y);
            text(LEFT - 8, y + 4, "end", tick.text());
        }
        for (Axis.Tick tick : across.ticks()) {
            double x = x(tick.value());
            line(x, TOP, x, HEIGHT - BOTTOM);
            text(x, HEIGHT - BOTTOM + 17, across.share(tick.value()) == 1 ? "end" : "middle", tick.text());
        }
        text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6, "middle", across.words());
    }

    /**
     * A curve, with its name in the legend.
     *
     * @param style the style sheet's class of its colour
     * @param points each an x and a y, in the axes' units
     */
    CurveChart curve(String name, String style, boolean dashed, List<double[]> points) {
        StringBuilder at = new StringBuilder();
        for (double[] point : points) {
            at.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(point[0]), y(point[1])));
        }
        drawn.add(String.format(
                Locale.ROOT,
                "<polyline class=\"curve %s%s\" points=\"%s\"><title>%s</title></polyline>%n",
                style,
                dashed ? " dashed" : "",
                at.toString().strip(),
                Html.escape(name)));
        name(name, style, dashed ? "curve dashed" : "curve");
        return this;
    }

    /** Single points, drawn as diamonds: what was published as a number. */
    CurveChart points(String name, String style, List<double[]> points) {
        room(name);
        for (double[] point : points) {
            double x = x(point[0]);
            double y = y(point[1]);
            drawn.add(String.format(
                    Locale.ROOT,
                    "<path class=\"point %s\" d=\"M%.1f %.1fl6 6 -6 6 -6 -6z\"><title>%s</title></path>%n",
                    style,
                    x,
                    y - 6,
                    Html.escape(name)));
        }
        svg.append(String.format(
                Locale.ROOT,
                "<path class=\"point %s\" d=\"M%.1f %.1fl6 6 -6 6 -6 -6z\"/>%n",
                style,
                legend + 11,
                legendRow - 6));
        legendText(name);
        return this;
    }

    private void name(String name, String style, String kind) {
        room(name);
        svg.append(String.format(
                Locale.ROOT,
                "<polyline class=\"%s %s\" points=\"%.1f,%.1f %.1f,%.1f\"/>%n",
                kind,
                style,
                legend,
                legendRow,
                legend + 22,
                legendRow));
        legendText(name);
    }

    /** A second row of the legend where the first is full. */
    private void room(String name) {
        if (legend + 28 + LETTER * name.length() > WIDTH - RIGHT) {
            legend = LEFT;
            legendRow += 18;
        }
    }

    private void legendText(String name) {
        text(legend + 28, legendRow + 4, "start", name);
        legend += 44 + LETTER * name.length();
    }

    /** The picture. */
    String draw() {
        return svg + String.join("", drawn) + "</svg>\n";
    }

    private void line(double x1, double y1, double x2, double y2) {
        svg.append(String.format(
                Locale.ROOT,
                "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>%n",
                x1,
                y1,
                x2,
                y2));
    }

    private void text(double x, double y, String anchor, String text) {
        svg.append(String.format(
                Locale.ROOT,
                "<text class=\"tick\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>%n",
                anchor,
                x,
                y,
                Html.escape(text)));
    }

    private double x(double value) {
        return LEFT + across.share(value) * (WIDTH - LEFT - RIGHT);
    }

    private double y(double value) {
        return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM);
    }
}
