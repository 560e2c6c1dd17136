package io.leapnbd.tools.cli;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps one thing that happens again and again, like a stranger who is turned away, from filling the log: each statement of the program
 * may log so many lines in a minute. What is more is counted, and the count is a line when the minute is over. The table has one row a
 * statement and a bound; what comes when it is full shares a row. Any thread.
 */
final class LogLimit {

    /** Lines of a statement in a minute. */
    static final int LINES = 30;

    static final long MINUTE = TimeUnit.MINUTES.toNanos(1);

    private static final int ROWS = 512;
    private static final String REST = "";

    private final Map<String, Row> rows = new HashMap<>();
    private int held;

    /** What came of a line. */
    enum Verdict {
        /** It is logged. */
        LOG,
        /** It is counted. */
        COUNT,
        /** As {@link #COUNT}, and it is the first, so that somebody has to come back for the count. */
        COUNT_FIRST
    }

    /**
     * Judges a line.
     *
     * @param statement which: its text with placeholders
     * @param now nanoseconds of a clock that does not go back
     */
    synchronized Verdict judge(String statement, LogLine line, long now) {
        Row row = rows.get(statement);
        if (row == null) {
            if (rows.size() >= ROWS) {
                forgetQuiet(now);
            }
            row = rows.computeIfAbsent(rows.size() >= ROWS ? REST : statement, key -> new Row(now));
        }
        if (now - row.begin >= MINUTE && row.more == 0) {
            row.begin = now;
            row.lines = 0;
        }
        if (row.lines < LINES) {
            row.lines++;
            row.last = line;
            return Verdict.LOG;
        }
        row.more++;
        if (row.more > 1) {
            return Verdict.COUNT;
        }
        held++;
        return Verdict.COUNT_FIRST;
    }

    /** Lines about what was counted in minutes that are over, or in all minutes. */
    synchronized List<LogLine> counts(long now, boolean all, long millis) {
        List<LogLine> lines = new ArrayList<>();
        for (Row row : rows.values()) {
            LogLine last = row.last;
            if (row.more > 0 && last != null && (all || now - row.begin >= MINUTE)) {
                lines.add(new LogLine(
                        millis,
                        last.level(),
                        last.logger(),
                        "and " + row.more + " more in the last minute like: " + last.message(),
                        null));
                row.begin = now;
                row.lines = 0;
                row.more = 0;
                held--;
            }
        }
        return lines;
    }

    /** Whether anything was counted that {@link #counts} has not told. */
    synchronized boolean holdsCounts() {
        return held > 0;
    }

    private void forgetQuiet(long now) {
        rows.values().removeIf(row -> row.more == 0 && now - row.begin >= MINUTE);
    }

    private static final class Row {
        private long begin;
        private int lines;
        private long more;
        private @Nullable LogLine last;

        Row(long begin) {
            this.begin = begin;
        }
    }
}
