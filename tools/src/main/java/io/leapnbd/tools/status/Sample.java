package io.leapnbd.tools.status;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What {@code /metrics} told at one moment. Immutable.
 *
 * @param nanos {@link System#nanoTime} of it
 * @param values by name and labels, as they stand in a line
 */
record Sample(long nanos, Map<String, Double> values) {

    private static final Pattern LABEL = Pattern.compile("(\\w+)=\"((?:[^\"\\\\]|\\\\.)*)\"");
    private static final double NANOS_PER_SECOND = 1e9;

    /** Reads Prometheus' text format as far as this project's endpoint uses it. */
    static Sample parse(String text, long nanos) {
        Map<String, Double> values = new LinkedHashMap<>();
        text.lines().filter(line -> !line.startsWith("#")).forEach(line -> {
            int space = line.lastIndexOf(' ');
            if (space > 0) {
                values.put(line.substring(0, space), number(line.substring(space + 1)));
            }
        });
        return new Sample(nanos, values);
    }

    /**
     * The series of one export, and those of none, without the label {@code export}: of several exports the one that is named first. A donor's stay as
     * they are: there an export is one of many.
     */
    Sample ofExport() {
        String export =
                labels("leap_device_size_bytes", "export").stream().findFirst().orElse(null);
        if (export == null) {
            return this;
        }
        Map<String, Double> its = new LinkedHashMap<>();
        values.forEach((key, value) -> {
            String of = label(key, "export");
            if (of.isEmpty() || of.equals(export)) {
                its.put(without(key, "export"), value);
            }
        });
        return new Sample(nanos, its);
    }

    /** The value of a label of a series; empty if it has none of that name. */
    static String label(String key, String label) {
        Matcher matcher = LABEL.matcher(key);
        while (matcher.find()) {
            if (matcher.group(1).equals(label)) {
                return matcher.group(2);
            }
        }
        return "";
    }

    /** A series' name and labels without one of these. */
    private static String without(String key, String label) {
        int brace = key.indexOf('{');
        if (brace < 0) {
            return key;
        }
        StringJoiner kept = new StringJoiner(",", "{", "}").setEmptyValue("");
        Matcher matcher = LABEL.matcher(key);
        while (matcher.find()) {
            if (!matcher.group(1).equals(label)) {
                kept.add(matcher.group());
            }
        }
        return key.substring(0, brace) + kept;
    }

    /** A value; 0 if there is none. */
    double value(String nameAndLabels) {
        return values.getOrDefault(nameAndLabels, 0.0);
    }

    /** The values that one label of a metric has, in their order. */
    Set<String> labels(String metric, String label) {
        Set<String> found = new LinkedHashSet<>();
        for (String key : values.keySet()) {
            if (key.startsWith(metric + "{")) {
                Matcher matcher = LABEL.matcher(key);
                while (matcher.find()) {
                    if (matcher.group(1).equals(label)) {
                        found.add(matcher.group(2));
                    }
                }
            }
        }
        return found;
    }

    /** How much a counter has grown a second since an earlier sample. */
    double rate(Sample before, String nameAndLabels) {
        double seconds = (nanos - before.nanos) / NANOS_PER_SECOND;
        return seconds <= 0 ? 0 : Math.max(0, value(nameAndLabels) - before.value(nameAndLabels)) / seconds;
    }

    /**
     * Below what latency a share of an operation's requests since an earlier sample stayed, read off the buckets of
     * {@code leap_request_duration_seconds}, and so only as fine as these.
     *
     * @param share 0 to 1
     * @return nanoseconds; NaN if there was no request
     */
    double latency(Sample before, String operation, double share) {
        TreeMap<Double, Double> upTo = new TreeMap<>();
        String prefix = "leap_request_duration_seconds_bucket{operation=\"" + operation + "\",stage=\"total\",le=\"";
        values.forEach((key, count) -> {
            if (key.startsWith(prefix)) {
                double bound = number(key.substring(prefix.length(), key.length() - 2));
                upTo.put(bound, count - before.value(key));
            }
        });
        double all = upTo.isEmpty() ? 0 : upTo.lastEntry().getValue();
        if (all <= 0) {
            return Double.NaN;
        }
        List<Map.Entry<Double, Double>> buckets = new ArrayList<>(upTo.entrySet());
        double low = 0;
        double below = 0;
        for (Map.Entry<Double, Double> bucket : buckets) {
            if (bucket.getValue() >= share * all) {
                double high = Double.isInfinite(bucket.getKey()) ? low : bucket.getKey();
                double within = (share * all - below) / Math.max(1, bucket.getValue() - below);
                return (low + (high - low) * within) * NANOS_PER_SECOND;
            }
            low = bucket.getKey();
            below = bucket.getValue();
        }
        return low * NANOS_PER_SECOND;
    }

    private static double number(String text) {
        return switch (text) {
            case "+Inf" -> Double.POSITIVE_INFINITY;
            case "-Inf" -> Double.NEGATIVE_INFINITY;
            default -> Double.parseDouble(text);
        };
    }
}
