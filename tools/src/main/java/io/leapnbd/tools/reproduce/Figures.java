package io.leapnbd.tools.reproduce;

import java.util.Locale;

/** Numbers as the page writes them. */
final class Figures {

    private Figures() {}

    /** Three digits or more: 0.103, 8.70, 152, 2,569. A dash for what is not known. */
    static String figure(double value) {
        if (Double.isNaN(value)) {
            return "–";
        }
        double size = Math.abs(value);
        int places = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
        return String.format(Locale.ROOT, "%,." + places + "f", value);
    }

    /** How many times better: 104 times, 0.97 times. */
    static String times(double gain) {
        return Double.isNaN(gain) ? "–" : figure(gain) + " times";
    }

    /** A share of 100. */
    static String percent(double percent) {
        return Double.isNaN(percent) ? "–" : String.format(Locale.ROOT, "%.1f %%", percent);
    }

    static String count(double count) {
        return Double.isNaN(count) ? "–" : String.format(Locale.ROOT, "%,.0f", count);
    }
}
