package io.leapnbd.bypass.takeover;

import java.util.concurrent.TimeUnit;

/** Sizes, times and names as people write them. */
final class Words {

    private static final String UNITS = "KMGTP";

    private Words() {}

    /** As an operator gives it: the largest binary unit that divides it, like 512M. */
    static String size(long bytes) {
        int unit = -1;
        long value = bytes;
        while (value != 0 && value % 1024 == 0 && unit < UNITS.length() - 1) {
            value /= 1024;
            unit++;
        }
        return unit < 0 ? Long.toString(value) : value + UNITS.substring(unit, unit + 1);
    }

    /** A span of time in its largest unit, like 2 h. */
    static String ago(long millis) {
        if (millis < 0) {
            return "an unknown time";
        }
        long seconds = TimeUnit.MILLISECONDS.toSeconds(millis);
        if (seconds < 120) {
            return seconds + " s";
        }
        if (seconds < 7_200) {
            return seconds / 60 + " min";
        }
        return seconds < 172_800 ? seconds / 3_600 + " h" : seconds / 86_400 + " days";
    }

    /** A name that may hold anything, fit for a line of a log or a terminal. */
    static String printable(String name) {
        StringBuilder out = new StringBuilder(name.length());
        name.codePoints().forEach(c -> {
            int type = Character.getType(c);
            boolean strange = Character.isISOControl(c)
                    || type == Character.FORMAT
                    || type == Character.LINE_SEPARATOR
                    || type == Character.PARAGRAPH_SEPARATOR
                    || type == Character.SURROGATE
                    || type == Character.UNASSIGNED;
            if (strange) {
                out.append(String.format("\\u{%x}", c));
            } else {
                out.appendCodePoint(c);
            }
        });
        return out.toString();
    }
}
