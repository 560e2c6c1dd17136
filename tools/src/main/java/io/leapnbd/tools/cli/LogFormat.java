package io.leapnbd.tools.cli;

import ch.qos.logback.classic.Level;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a line of the log is written. A message stays one line, and sends no control characters to a terminal, whatever a stranger
 * has put into a name. Any thread.
 */
final class LogFormat {

    /** The ways. */
    enum Kind {
        /** With date and level, for people. */
        TEXT,
        /** An object a line. */
        JSON,
        /** For the journal, which has dates of its own: priorities as in {@code sd-daemon(3)}. */
        JOURNAL;

        /** By its name in small letters; null if there is none. */
        static @Nullable Kind of(String name) {
            for (Kind kind : values()) {
                if (kind.name().toLowerCase(Locale.ROOT).equals(name)) {
                    return kind;
                }
            }
            return null;
        }
    }

    private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", Locale.ROOT);

    private final Kind kind;
    private final DateTimeFormatter time;

    LogFormat(Kind kind, ZoneId zone) {
        this.kind = kind;
        time = TIME.withZone(zone);
    }

    /** What fits where standard error leads. */
    static Kind usual() {
        return isJournal(System.getenv(), STANDARD_ERROR) ? Kind.JOURNAL : Kind.TEXT;
    }

    /** Whether {@code $JOURNAL_STREAM}, a device and an inode, is this file: what systemd started may have been redirected since. */
    static boolean isJournal(Map<String, String> environment, Path file) {
        String stream = environment.get("JOURNAL_STREAM");
        if (stream == null) {
            return false;
        }
        try {
            Map<String, Object> of = Files.readAttributes(file, "unix:dev,ino");
            return stream.equals(of.get("dev") + ":" + of.get("ino"));
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    /** Adds a line, or several if it has a stack trace, with their ends. */
    void append(StringBuilder out, LogLine line) {
        switch (kind) {
            case TEXT -> {
                if (!line.logger().isEmpty()) {
                    time.formatTo(Instant.ofEpochMilli(line.millis()), out);
                    out.append(' ')
                            .append(line.level())
                            .append(line.level().levelStr.length() < 5 ? "  " : " ");
                    out.append(line.shortLogger()).append(": ");
                }
                printable(out, line.message());
                out.append('\n');
                if (line.trace() != null) {
                    line.trace().lines().forEach(part -> frame(out, part));
                }
            }
            case JSON -> {
                out.append("{\"time\":\"");
                time.formatTo(Instant.ofEpochMilli(line.millis()), out);
                out.append("\",\"level\":\"")
                        .append(line.level().levelStr.toLowerCase(Locale.ROOT))
                        .append('"');
                member(out, "logger", line.logger());
                member(out, "message", line.message());
                member(out, "exception", line.trace());
                out.append("}\n");
            }
            case JOURNAL -> {
                String priority = "<" + priority(line.level()) + ">";
                out.append(priority);
                if (!line.logger().isEmpty()) {
                    out.append(line.shortLogger()).append(": ");
                }
                printable(out, line.message());
                out.append('\n');
                if (line.trace() != null) {
                    line.trace().lines().forEach(part -> frame(out.append(priority), part));
                }
            }
        }
    }

    private static void member(StringBuilder out, String name, @Nullable String value) {
        if (value != null && !value.isEmpty()) {
            out.append(",\"").append(name).append("\":");
            Json.quote(out, value);
        }
    }

    private static int priority(Level level) {
        return switch (level.levelInt) {
            case Level.ERROR_INT -> 3;
            case Level.WARN_INT -> 4;
            case Level.INFO_INT -> 6;
            default -> 7;
        };
    }

    /** A line of a stack trace, which begins with tabs. */
    private static void frame(StringBuilder out, String part) {
        int tabs = 0;
        while (tabs < part.length() && part.charAt(tabs) == '\t') {
            tabs++;
        }
        printable(out.append(part, 0, tabs), part.substring(tabs));
        out.append('\n');
    }

    /** Adds a text, with control characters as people write them. */
    static void printable(StringBuilder out, String message) {
        for (int i = 0; i < message.length(); i++) {
            char c = message.charAt(i);
            if (Character.isISOControl(c)) {
                out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
    }
}
