package io.leapnbd.tools.replay;

import java.util.Locale;

/** Writes an SVG picture that needs nothing but itself. For one thread. */
final class Svg {

    private static final String STYLE = "<style>text{font:12px system-ui,sans-serif;fill:#1d2330}"
            + ".soft{fill:#667085}.title{font-weight:600}.grid{stroke:#e3e5ea}</style>";

    private final StringBuilder out = new StringBuilder();

    Svg(int width, int height, String label) {
        out.append(String.format(
                Locale.ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%s%n",
                width,
                height,
                escape(label),
                STYLE));
        out.append(String.format(Locale.ROOT, "<rect width=\"%d\" height=\"%d\" fill=\"#fcfcfb\"/>%n", width, height));
    }

    void line(double x1, double y1, double x2, double y2) {
        out.append(String.format(
                Locale.ROOT,
                "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>%n",
                x1,
                y1,
                x2,
                y2));
    }

    /** A text; {@code anchor} is start, middle or end. */
    void text(double x, double y, String anchor, String style, String text) {
        out.append(String.format(
                Locale.ROOT,
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>%n",
                x,
                y,
                anchor,
                style,
                escape(text)));
    }

    void circle(double x, double y, double radius, String colour, String tip) {
        out.append(String.format(
                Locale.ROOT,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" fill-opacity=\"0.85\"><title>%s</title></circle>%n",
                x,
                y,
                radius,
                colour,
                escape(tip)));
    }

    void bar(double x, double y, double width, double height, String colour, String tip) {
        out.append(String.format(
                Locale.ROOT,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"><title>%s</title></rect>%n",
                x,
                y,
                width,
                height,
                colour,
                escape(tip)));
    }

    String end() {
        return out + "</svg>\n";
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
