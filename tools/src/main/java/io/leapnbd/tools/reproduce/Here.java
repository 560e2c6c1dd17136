package io.leapnbd.tools.reproduce;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** When and where a page was made, and with what; each fact a name and a text. */
record Here(List<List<String>> facts) {

    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm 'UTC'", Locale.ROOT).withZone(ZoneOffset.UTC);

    Here {
        facts = List.copyOf(facts);
    }

    /**
     * This machine, now.
     *
     * @param version as {@code leap-nbd --version} has it, a line each
     */
    static Here now(String[] version) {
        List<List<String>> facts = new ArrayList<>();
        facts.add(List.of("date", TIME.format(Instant.now())));
        facts.add(List.of("version", String.join(", ", version)));
        facts.add(List.of(
                "processors",
                Runtime.getRuntime().availableProcessors() + ", "
                        + value(Path.of("/proc/cpuinfo"), "model name", "of an unknown kind")));
        facts.add(List.of("memory", memory()));
        facts.add(List.of("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version")));
        facts.add(List.of("load before", first(Path.of("/proc/loadavg"))));
        facts.add(List.of("the paper's machine", Published.MACHINE));
        return new Here(facts);
    }

    private static String memory() {
        String kib = value(Path.of("/proc/meminfo"), "MemTotal", "").replace(" kB", "");
        try {
            return String.format(Locale.ROOT, "%.1f GiB", Long.parseLong(kib) / 1048576.0);
        } catch (NumberFormatException _) {
            return "unknown";
        }
    }

    private static String value(Path file, String name, String otherwise) {
        return lines(file).stream()
                .filter(line -> line.startsWith(name))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst()
                .orElse(otherwise);
    }

    private static String first(Path file) {
        return lines(file).stream()
                .findFirst()
                .map(line -> line.replaceFirst("( \\S+){2}$", ""))
                .orElse("unknown");
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException _) {
            return List.of();
        }
    }
}
