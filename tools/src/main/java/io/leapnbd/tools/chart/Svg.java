package io.leapnbd.tools.chart;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Writes an SVG picture, by itself or inside of a page. Lengths are in the picture's own units, from its upper left corner. For one thread.
 */
public final class Svg {

    private static final String STYLE = "<style>text{font:12px system-ui,sans-serif;fill:#1d2330}"
            + ".soft{fill:#667085}.title{font-weight:600}.grid{stroke:#e3e5ea}</style>";

    private final StringBuilder out = new StringBuilder();

    private Svg(String attributes, int width, int height, String label) {
        add(
                "<svg %sviewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">",
                attributes, width, height, Markup.escape(label));
    }

    /** A file of its own, with its own colours. */
    public static Svg alone(int width, int height, String label) {
        Svg svg = new Svg("xmlns=\"http://www.w3.org/2000/svg\" ", width, height, label);
        svg.add("%s", STYLE);
        svg.add("<rect width=\"%d\" height=\"%d\" fill=\"#fcfcfb\"/>", width, height);
        return svg;
    }

    /** A part of a page, whose style sheet has the colours. */
    public static Svg inPage(int width, int height, String label) {
        return new Svg("", width, height, label);
    }

    /** A line of a grid. */
    public void line(double x1, double y1, double x2, double y2) {
        line("grid", x1, y1, x2, y2);
    }

    /** A line of a class of the style sheet. */
    public void line(String style, double x1, double y1, double x2, double y2) {
        add("<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", style, x1, y1, x2, y2);
    }

    /** A text; {@code anchor} is start, middle or end. */
    public void text(double x, double y, String anchor, String style, String text) {
        add(
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>",
                x, y, anchor, style, Markup.escape(text));
    }

    /** A disc of a colour, with a text for who points at it. */
    public void circle(double x, double y, double radius, String colour, String tip) {
        add(
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" fill-opacity=\"0.85\"><title>%s</title></circle>",
                x, y, radius, colour, Markup.escape(tip));
    }

    /** A bar of a colour, likewise. */
    public void bar(double x, double y, double width, double height, String colour, String tip) {
        bar("fill", colour, x, y, width, height, tip);
    }

    /** A bar of a class of the style sheet, likewise. */
    public void styledBar(String style, double x, double y, double width, double height, String tip) {
        bar("class", style, x, y, width, height, tip);
    }

    private void bar(String attribute, String value, double x, double y, double width, double height, String tip) {
        add(
                "<rect %s=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s</title></rect>",
                attribute, value, x, y, width, height, Markup.escape(tip));
    }

    /**
     * Lines from point to point.
     *
     * @param points each an x and a y
     */
    public void curve(String style, List<double[]> points, String tip) {
        String at = points.stream()
                .map(point -> String.format(Locale.ROOT, "%.1f,%.1f", point[0], point[1]))
                .collect(Collectors.joining(" "));
        add("<polyline class=\"%s\" points=\"%s\"><title>%s</title></polyline>", style, at, Markup.escape(tip));
    }

    /** A diamond, 12 high, around a point. */
    public void diamond(String style, double x, double y, String tip) {
        add(
                "<path class=\"%s\" d=\"M%.1f %.1fl6 6 -6 6 -6 -6z\"><title>%s</title></path>",
                style, x, y - 6, Markup.escape(tip));
    }

    /** The picture; nothing can be added to it afterwards. */
    public String end() {
        return out + "</svg>\n";
    }

    @SuppressWarnings("AnnotateFormatMethod") // of this file only
    private void add(String format, Object... values) {
        out.append(String.format(Locale.ROOT, format, values)).append('\n');
    }
}
