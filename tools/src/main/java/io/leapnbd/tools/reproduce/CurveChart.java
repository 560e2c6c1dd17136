package io.leapnbd.tools.reproduce;

import io.leapnbd.tools.chart.Svg;
import java.util.List;

/** Curves over two axes, and single points beside them, in colours of the page's style sheet. For one thread. */
final class CurveChart {

    private static final int WIDTH = 760;
    private static final int HEIGHT = 336;
    private static final int LEFT = 64;
    private static final int RIGHT = 16;
    private static final int TOP = 50;
    private static final int BOTTOM = 44;
    private static final int ROW = 18;
    private static final double LETTER = 6.6;

    private final Axis across;
    private final Axis up;
    private final Svg svg;
    private double legend = LEFT;
    private double legendRow = 14;

    CurveChart(String label, Axis across, Axis up) {
        this.across = across;
        this.up = up;
        svg = Svg.inPage(WIDTH, HEIGHT, label);
        for (Axis.Tick tick : up.ticks()) {
            double y = y(tick.value());
            svg.line(LEFT, y, WIDTH - RIGHT, y);
            svg.text(LEFT - 8, y + 4, "end", "tick", tick.text());
        }
        for (Axis.Tick tick : across.ticks()) {
            double x = x(tick.value());
            svg.line(x, TOP, x, HEIGHT - BOTTOM);
            String anchor = across.share(tick.value()) == 1 ? "end" : "middle";
            svg.text(x, HEIGHT - BOTTOM + 17, anchor, "tick", tick.text());
        }
        svg.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6, "middle", "tick", across.words());
    }

    /**
     * A curve, with its name in the legend.
     *
     * @param style the style sheet's class of its colour
     * @param points each an x and a y, in the axes' units
     */
    CurveChart curve(String name, String style, boolean dashed, List<double[]> points) {
        String kind = (dashed ? "curve dashed " : "curve ") + style;
        svg.curve(kind, points.stream().map(this::place).toList(), name);
        room(name);
        svg.curve(kind, List.of(new double[] {legend, legendRow}, new double[] {legend + 22, legendRow}), name);
        named(name);
        return this;
    }

    /** Single points, drawn as diamonds: what was published as a number. */
    CurveChart points(String name, String style, List<double[]> points) {
        String kind = "point " + style;
        for (double[] point : points) {
            svg.diamond(kind, x(point[0]), y(point[1]), name);
        }
        room(name);
        svg.diamond(kind, legend + 11, legendRow, name);
        named(name);
        return this;
    }

    /** Another row of the legend where this one is full. */
    private void room(String name) {
        if (legend + 28 + LETTER * name.length() > WIDTH - RIGHT) {
            legend = LEFT;
            legendRow += ROW;
        }
    }

    private void named(String name) {
        svg.text(legend + 28, legendRow + 4, "start", "tick", name);
        legend += 44 + LETTER * name.length();
    }

    /** The picture; nothing can be added to it afterwards. */
    String draw() {
        return svg.end();
    }

    private double[] place(double[] point) {
        return new double[] {x(point[0]), y(point[1])};
    }

    private double x(double value) {
        return LEFT + across.share(value) * (WIDTH - LEFT - RIGHT);
    }

    private double y(double value) {
        return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM);
    }
}
