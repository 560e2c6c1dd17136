package io.leapnbd.tools.histogram;

import io.leapnbd.tools.cli.Durations;
import java.util.List;
import java.util.Locale;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramIterationValue;

/**
 * Percentile curves as an SVG picture. Across: 1/(1-percentile), logarithmic, so that each "nine" is as wide as the last,
 * as in HdrHistogram's own plotter. Up: latency, logarithmic. Colours come from the page's style sheet, a class
 * a stage.
 */
final class PercentileChart {

    private static final int WIDTH = 760;
    private static final int HEIGHT = 320;
    private static final int LEFT = 64;
    private static final int RIGHT = 16;
    private static final int TOP = 12;
    private static final int BOTTOM = 42;
    private static final int STEPS_PER_HALF_DISTANCE = 8;
    private static final int MIN_NINES = 2;
    private static final int MAX_NINES = 6;

    private final StringBuilder svg = new StringBuilder();
    private final double nines;
    private final double lowest;
    private final double highest;

    private PercentileChart(List<LatencySeries> all) {
        long most = 0;
        long low = Long.MAX_VALUE;
        long high = 1;
        for (LatencySeries series : all) {
            Histogram h = series.histogram();
            most = Math.max(most, h.getTotalCount());
            low = Math.min(low, Math.max(100, h.getMinValue()));
            high = Math.max(high, h.getMaxValue());
        }
        nines = Math.clamp(Math.ceil(Math.log10((double) Math.max(most, 1))), MIN_NINES, MAX_NINES);
        lowest = Math.floor(Math.log10((double) low));
        highest = Math.max(lowest + 1, Math.ceil(Math.log10((double) high)));
    }

    /** Draws the curves. */
    static String draw(List<LatencySeries> all) {
        PercentileChart chart = new PercentileChart(all);
        chart.axes();
        // The total comes first in the table and lies on top in the picture.
        for (LatencySeries series : all.reversed()) {
            chart.curve(series);
        }
        return chart.svg.append("</svg>\n").toString();
    }

    private void axes() {
        svg.append(String.format(
                Locale.ROOT,
                "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"latency by percentile\">%n",
                WIDTH,
                HEIGHT));
        for (int decade = (int) lowest; decade <= highest; decade++) {
            double y = y(Math.pow(10, decade));
            svg.append(String.format(
                    Locale.ROOT,
                    "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
                    LEFT,
                    WIDTH - RIGHT,
                    y,
                    y));
            svg.append(String.format(
                    Locale.ROOT,
                    "<text class=\"tick\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">%s</text>%n",
                    LEFT - 8,
                    y + 4,
                    wholeUnit(decade)));
        }
        for (int nine = 0; nine <= nines; nine++) {
            double x = x(Math.pow(10, nine));
            svg.append(String.format(
                    Locale.ROOT,
                    "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>",
                    x,
                    x,
                    TOP,
                    HEIGHT - BOTTOM));
            svg.append(String.format(
                    Locale.ROOT,
                    "<text class=\"tick\" text-anchor=\"%s\" x=\"%.1f\" y=\"%d\">%s</text>%n",
                    nine == 0 ? "start" : nine == nines ? "end" : "middle",
                    x,
                    HEIGHT - BOTTOM + 18,
                    percent(nine)));
        }
        svg.append(String.format(
                Locale.ROOT,
                "<text class=\"tick\" text-anchor=\"middle\" x=\"%d\" y=\"%d\">percentile</text>%n",
                (LEFT + WIDTH - RIGHT) / 2,
                HEIGHT - 6));
    }

    private void curve(LatencySeries series) {
        Histogram histogram = series.histogram();
        StringBuilder points = new StringBuilder();
        double end = Math.pow(10, nines);
        for (HistogramIterationValue at : histogram.percentiles(STEPS_PER_HALF_DISTANCE)) {
            double rest = 1 - at.getPercentileLevelIteratedTo() / 100;
            double across = rest <= 0 ? end : Math.min(end, 1 / rest);
            points.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(across), y((double) at.getValueIteratedTo())));
            if (across >= end) {
                break;
            }
        }
        svg.append(String.format(
                        Locale.ROOT,
                        "<polyline class=\"curve %s\" points=\"%s\">",
                        colour(series),
                        points.toString().strip()))
                .append(String.format(
                        Locale.ROOT,
                        "<title>%s: median %s, maximum %s</title></polyline>%n",
                        series.tag(),
                        Durations.approximate(histogram.getValueAtPercentile(50)),
                        Durations.approximate(histogram.getMaxValue())));
    }

    /** The style sheet's class for a stage, the same in every chart. */
    static String colour(LatencySeries series) {
        return "c-" + series.stage().label();
    }

    private double x(double across) {
        return LEFT + Math.log10(across) / nines * (WIDTH - LEFT - RIGHT);
    }

    private double y(double nanos) {
        double up = (Math.log10(Math.max(nanos, 1)) - lowest) / (highest - lowest);
        return HEIGHT - BOTTOM - Math.clamp(up, 0, 1) * (HEIGHT - TOP - BOTTOM);
    }

    private static String wholeUnit(int decade) {
        int digits = Math.floorMod(decade, 3);
        String number = "1" + "0".repeat(digits);
        return number
                + switch (decade / 3) {
                    case 0 -> " ns";
                    case 1 -> " µs";
                    case 2 -> " ms";
                    default -> decade / 3 == 3 ? " s" : "000 s";
                };
    }

    private static String percent(int nines) {
        return switch (nines) {
            case 0 -> "0%";
            case 1 -> "90%";
            case 2 -> "99%";
            default -> "99." + "9".repeat(nines - 2) + "%";
        };
    }
}
