package io.leapnbd.tools.cli;

import java.time.Duration;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Lengths of time, as people write them: {@code 50us}, {@code 10s}, {@code 2m}. */
public final class Durations {

    private static final Pattern FORM = Pattern.compile("(\\d{1,12})(ns|us|µs|ms|s|m|h)");

    private Durations() {}

    /** Reads durations for picocli. */
    public static final class Converter implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            return parse(text);
        }
    }

    /**
     * Reads a duration. A bare number is refused: nobody remembers which unit each option would have meant.
     *
     * @throws TypeConversionException if it is none; the message says what would be one
     */
    public static Duration parse(String text) {
        Matcher form = FORM.matcher(text.strip().toLowerCase(Locale.ROOT));
        if (!form.matches()) {
            throw new TypeConversionException(
                    "'" + text + "' is not a length of time; write it with its unit, like 50us, 10s or 2m");
        }
        long number = Long.parseLong(form.group(1));
        return switch (form.group(2)) {
            case "ns" -> Duration.ofNanos(number);
            case "us", "µs" -> Duration.ofNanos(Math.multiplyExact(number, 1_000L));
            case "ms" -> Duration.ofMillis(number);
            case "m" -> Duration.ofMinutes(number);
            case "h" -> Duration.ofHours(number);
            default -> Duration.ofSeconds(number);
        };
    }

    /** The shortest exact way to write it for {@link #parse}. */
    public static String format(Duration duration) {
        long nanos = duration.toNanos();
        if (nanos == 0) {
            return "0s";
        }
        if (nanos % 1_000 != 0) {
            return nanos + "ns";
        }
        if (nanos % 1_000_000 != 0) {
            return nanos / 1_000 + "us";
        }
        if (nanos % 1_000_000_000 != 0) {
            return nanos / 1_000_000 + "ms";
        }
        long seconds = duration.toSeconds();
        if (seconds % 3600 == 0) {
            return seconds / 3600 + "h";
        }
        return seconds % 60 == 0 ? seconds / 60 + "m" : seconds + "s";
    }

    /** How long something has been going on, for people: {@code 59s}, {@code 2m12s}, {@code 3h05m}, {@code 4d02h}. */
    public static String elapsed(Duration duration) {
        long seconds = Math.max(0, duration.toSeconds());
        if (seconds < 60) {
            return seconds + "s";
        }
        if (seconds < 3600) {
            return String.format(Locale.ROOT, "%dm%02ds", seconds / 60, seconds % 60);
        }
        long minutes = seconds / 60;
        return minutes < 24 * 60
                ? String.format(Locale.ROOT, "%dh%02dm", minutes / 60, minutes % 60)
                : String.format(Locale.ROOT, "%dd%02dh", minutes / 1440, minutes / 60 % 24);
    }

    /** As {@link #approximate(double)}. */
    public static String approximate(long nanos) {
        return approximate((double) nanos);
    }

    /** A latency for people, in three digits: {@code 850 ns}, {@code 64.2 µs}, {@code 1.25 ms}, {@code 2.00 s}. */
    public static String approximate(double nanos) {
        if (nanos < 999.5) {
            return Math.round(nanos) + " ns";
        }
        double value = nanos / 1_000;
        String unit = "µs";
        if (value >= 999.5) {
            value /= 1_000;
            unit = "ms";
        }
        if (value >= 999.5 && unit.equals("ms")) {
            value /= 1_000;
            unit = "s";
        }
        String form = value >= 99.95 ? "%.0f" : value >= 9.995 ? "%.1f" : "%.2f";
        return String.format(Locale.ROOT, form, value) + " " + unit;
    }
}
