package io.leapnbd.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogTest {

    private static final long TIME = 1_764_288_000_123L;

    private static LogLine line(Level level, String message, @Nullable String trace) {
        return new LogLine(TIME, level, "io.leapnbd.tools.Some", message, trace);
    }

    private static String formatted(LogFormat.Kind kind, ZoneId zone, LogLine line) {
        StringBuilder out = new StringBuilder();
        new LogFormat(kind, zone).append(out, line);
        return out.toString();
    }

    @Test
    void aLineHasItsDateWithOffsetAndItsLevel() { // E14
        assertThat(formatted(LogFormat.Kind.TEXT, ZoneOffset.ofHours(2), line(Level.WARN, "a sentence", null)))
                .isEqualTo("2025-11-28T02:00:00.123+02:00 WARN  Some: a sentence\n");
    }

    @Test
    void whatAStrangerPutsIntoANameStaysOneLineAndSendsNothingToATerminal() { // F13
        assertThat(formatted(LogFormat.Kind.TEXT, ZoneOffset.UTC, line(Level.INFO, "a\nb\u001b[2J\u009bc", null)))
                .endsWith(": a\\u000ab\\u001b[2J\\u009bc\n");
        assertThat(formatted(LogFormat.Kind.JSON, ZoneOffset.UTC, line(Level.ERROR, "a\n\"b\"", "x\n\ty")))
                .isEqualTo(
                        "{\"time\":\"2025-11-28T00:00:00.123Z\",\"level\":\"error\",\"logger\":\"io.leapnbd.tools.Some\","
                                + "\"message\":\"a\\n\\\"b\\\"\",\"exception\":\"x\\n\\ty\"}\n");
    }

    /** Nearly every message of an exception has something that a peer has said. */
    @Test
    void whatAPeerSaysInAnExceptionLooksLikeNoLineOfTheLogAndSendsNothingToATerminal() {
        String said = "x\u001b[2J\u009b\n2025-11-28T02:00:00.123+02:00 ERROR Some: forged\r<0>forged\n\tat forged";
        Exception thrown = new IOException(said, new IllegalStateException(said));
        thrown.addSuppressed(new IOException(said));
        for (LogFormat.Kind kind : LogFormat.Kind.values()) {
            String text = formatted(kind, ZoneOffset.UTC, line(Level.ERROR, "failed", StackText.of(thrown)));
            assertThat(text.chars().filter(c -> Character.isISOControl(c) && c != '\n' && c != '\t'))
                    .isEmpty();
            assertThat(text.lines().skip(1)).noneMatch(part -> part.matches("(<3>)?(2025|<0>|\tat forged).*"));
            assertThat(text).contains("IllegalStateException", "Caused by: ", "Suppressed: ", "LogTest");
        }
        // Whoever makes a trace in another way.
        assertThat(formatted(LogFormat.Kind.TEXT, ZoneOffset.UTC, line(Level.ERROR, "failed", "a\u001b[2J\n\tat b")))
                .endsWith("failed\na\\u001b[2J\n\tat b\n");
    }

    @Test
    void theJournalGetsAPriorityOnEachLineAndNoDate() {
        assertThat(formatted(LogFormat.Kind.JOURNAL, ZoneOffset.UTC, line(Level.ERROR, "bad", "x\ny")))
                .isEqualTo("<3>Some: bad\n<3>x\n<3>y\n");
        assertThat(formatted(LogFormat.Kind.JOURNAL, ZoneOffset.UTC, line(Level.DEBUG, "d", null)))
                .startsWith("<7>");
    }

    @Test
    void theJournalIsKnownByTheFileThatStandardErrorIs(@TempDir Path folder) throws IOException {
        Path file = Files.createFile(folder.resolve("stderr"));
        String name = Files.getAttribute(file, "unix:dev") + ":" + Files.getAttribute(file, "unix:ino");
        assertThat(LogFormat.isJournal(Map.of("JOURNAL_STREAM", name), file)).isTrue();
        assertThat(LogFormat.isJournal(Map.of("JOURNAL_STREAM", name + "1"), file))
                .isFalse();
        assertThat(LogFormat.isJournal(Map.of(), file)).isFalse();
        assertThat(LogFormat.isJournal(Map.of("JOURNAL_STREAM", name), folder.resolve("none")))
                .isFalse();
    }

    @Test
    void aStatementThatIsRepeatedIsCountedAndTheCountIsTold() { // F13
        LogLimit limit = new LogLimit();
        LogLine line = line(Level.INFO, "refused 10.0.0.1", null);
        for (int i = 0; i < LogLimit.LINES; i++) {
            assertThat(limit.judge("refused {}", line, i)).isEqualTo(LogLimit.Verdict.LOG);
        }
        assertThat(limit.judge("refused {}", line, 100)).isEqualTo(LogLimit.Verdict.COUNT_FIRST);
        for (int i = 0; i < 131; i++) {
            assertThat(limit.judge("refused {}", line, 101)).isEqualTo(LogLimit.Verdict.COUNT);
        }
        assertThat(limit.judge("another {}", line, 101)).isEqualTo(LogLimit.Verdict.LOG);
        assertThat(limit.counts(LogLimit.MINUTE - 1, false, TIME)).isEmpty();
        assertThat(limit.counts(LogLimit.MINUTE, false, TIME))
                .extracting(LogLine::message)
                .containsExactly("and 132 more in the last minute like: refused 10.0.0.1");
        assertThat(limit.holdsCounts()).isFalse();
        assertThat(limit.judge("refused {}", line, LogLimit.MINUTE + 1)).isEqualTo(LogLimit.Verdict.LOG);
    }

    @Test
    void theTableOfStatementsHasABound() {
        LogLimit limit = new LogLimit();
        LogLine line = line(Level.INFO, "x", null);
        int logged = 0;
        for (int i = 0; i < 10_000; i++) {
            logged += limit.judge("statement " + i, line, 0) == LogLimit.Verdict.LOG ? 1 : 0;
        }
        assertThat(logged).isLessThan(600);
    }

    /** Whoever reads the log may be swapped out, to this very process: it must not wait for him. */
    @Test
    void whoLogsNeverWaitsForWhoReadsAndWhatIsDroppedIsCounted() throws Exception {
        CountDownLatch goOn = new CountDownLatch(1);
        ByteArrayOutputStream written = new ByteArrayOutputStream();
        LogQueue queue = new LogQueue(
                new OutputStream() {
                    @Override
                    public void write(int b) {
                        written.write(b);
                    }

                    @Override
                    public void write(byte[] bytes, int from, int length) throws IOException {
                        try {
                            assertThat(goOn.await(60, TimeUnit.SECONDS)).isTrue();
                        } catch (InterruptedException e) {
                            throw new IOException(e);
                        }
                        synchronized (written) {
                            written.write(bytes, from, length);
                        }
                    }
                },
                LogFormat.Kind.TEXT);
        for (int i = 0; i < 5000; i++) {
            queue.add(line(Level.INFO, "line " + i, null), null);
        }
        assertThat(queue.dropped()).isPositive();
        queue.flush();
        goOn.countDown();
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        String text = "";
        while (!text.contains("lines are missing about here")) {
            assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
            LockSupport.parkNanos(10_000_000);
            synchronized (written) {
                text = written.toString(StandardCharsets.UTF_8);
            }
        }
        long lines = text.lines().filter(line -> line.contains(": line ")).count();
        String missing = text.lines()
                .filter(line -> line.contains("lines are missing"))
                .findFirst()
                .orElse("")
                .replaceAll(".*: (\\d+) lines.*", "$1");
        assertThat(lines + Long.parseLong(missing)).isEqualTo(5000);
    }
}
