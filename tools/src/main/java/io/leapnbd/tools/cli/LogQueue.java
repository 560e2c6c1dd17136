package io.leapnbd.tools.cli;

import ch.qos.logback.classic.Level;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.ZoneId;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Lines on their way to the log, and the one thread that writes them. Nobody who logs ever waits: whoever reads the log may be swapped out, and
 * his pages may be ours to bring. While he stands still lines queue up, then they are dropped and counted. Any thread.
 */
final class LogQueue {

    private static final int LENGTH = 1024;
    private static final long LOOK_MILLIS = 1000;
    private static final long FLUSH_MILLIS = 1000;

    /** Of what many lines may be written at once. */
    private static final int BATCH = 16 << 10;

    /** Wakes the thread, and is no line. */
    private static final Object NUDGE = new Object();

    /** Lines, nudges, and latches of those who wait for what is before them to be written. */
    private final ArrayBlockingQueue<Object> entries = new ArrayBlockingQueue<>(LENGTH);

    private final AtomicLong dropped = new AtomicLong();
    private final LogLimit limit = new LogLimit();
    private final OutputStream to;
    private volatile LogFormat format;

    /** Writes to a stream from now on. */
    LogQueue(OutputStream to, LogFormat.Kind kind) {
        this.to = to;
        format = new LogFormat(kind, ZoneId.systemDefault());
        Thread.ofPlatform().name("log").daemon().start(this::run);
    }

    /** Writes what comes from now on in another way. */
    void format(LogFormat.Kind kind) {
        format = new LogFormat(kind, ZoneId.systemDefault());
    }

    /**
     * Puts a line into the queue, or drops it.
     *
     * @param statement of the program that says it, for {@link LogLimit}; null if it is not limited
     */
    void add(LogLine line, @Nullable String statement) {
        LogLimit.Verdict verdict =
                statement == null ? LogLimit.Verdict.LOG : limit.judge(statement, line, System.nanoTime());
        switch (verdict) {
            case LOG -> {
                if (!entries.offer(line)) {
                    dropped.incrementAndGet();
                }
            }
            // If there is no room for it the thread is awake.
            case COUNT_FIRST -> {
                boolean _ = entries.offer(NUDGE);
            }
            case COUNT -> {
                // It is in the count.
            }
        }
    }

    /** Lines that were dropped and not told of yet. */
    long dropped() {
        return dropped.get();
    }

    private void run() {
        StringBuilder text = new StringBuilder();
        try {
            while (true) {
                Object next = limit.holdsCounts() ? entries.poll(LOOK_MILLIS, TimeUnit.MILLISECONDS) : entries.take();
                CountDownLatch flushed = null;
                while (next != null) {
                    if (next instanceof LogLine line) {
                        format.append(text, line);
                    } else if (next instanceof CountDownLatch latch) {
                        flushed = latch;
                    }
                    next = flushed != null || text.length() >= BATCH ? null : entries.poll();
                }
                for (LogLine count : limit.counts(System.nanoTime(), flushed != null, System.currentTimeMillis())) {
                    format.append(text, count);
                }
                sayDropped(text);
                write(text);
                if (flushed != null) {
                    flushed.countDown();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Where it was: behind all that was in the queue when it was full. */
    private void sayDropped(StringBuilder text) {
        long missing = entries.isEmpty() ? dropped.getAndSet(0) : 0;
        if (missing > 0) {
            format.append(
                    text,
                    new LogLine(
                            System.currentTimeMillis(),
                            Level.WARN,
                            LogQueue.class.getName(),
                            missing + " lines are missing about here: whoever reads this log stood still",
                            null));
        }
    }

    private void write(StringBuilder text) {
        try {
            to.write(text.toString().getBytes(StandardCharsets.UTF_8));
            to.flush();
        } catch (IOException _) {
            // Nobody reads it any more, and there is nowhere else to say so.
        } finally {
            text.setLength(0);
        }
    }

    /** Waits until what is queued is written, for a second at most. */
    void flush() {
        CountDownLatch written = new CountDownLatch(1);
        try {
            if (entries.offer(written, FLUSH_MILLIS, TimeUnit.MILLISECONDS)) {
                boolean _ = written.await(FLUSH_MILLIS, TimeUnit.MILLISECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
