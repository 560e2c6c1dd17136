package io.leapnbd.tools.reproduce;

import java.util.List;

/**
 * One direction of a chart.
 *
 * @param words what it shows, with its unit.
 * @param from the value at its beginning.
 * @param to the value at its end.
 * @param logarithmic whether each step is a factor. Then values are above 0.
 * @param ticks the values that are written beside it.
 */
record Axis(String words, double from, double to, boolean logarithmic, List<Tick> ticks) {

    /** A value that is written beside an axis. */
    record Tick(double value, String text) {}

    Axis {
        ticks = List.copyOf(ticks);
    }

    /** Where a value lies, from 0 to 1; what is beyond an end lies at that end. */
    double share(double value) {
        double share = logarithmic
                ? Math.log(Math.max(value, from) / from) / Math.log(to / from)
                : (value - from) / (to - from);
        return Math.clamp(share, 0, 1);
    }
}
