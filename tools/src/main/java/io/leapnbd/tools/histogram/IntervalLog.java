package io.leapnbd.tools.histogram;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.tools.linux.PlainFile;
import io.leapnbd.tools.linux.Rotation;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogWriter;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes what was recorded in each interval to a file, in the format that {@code HistogramLogReader} and
 * {@code HistogramLogProcessor} of HdrHistogram read: a line a series, tagged {@code read-total} and so on, in nanoseconds.
 * When it ends it writes the last interval, and beside the file, in {@code FILE.total}, the whole run as one interval.
 *
 * <p>A thread of its own writes; event loops are never held up by the disk. A log that is there is gone on with. One that has grown to
 * its limit is moved aside ({@link Rotation}), and so are the totals of the run before.
 */
public final class IntervalLog implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(IntervalLog.class);

    /** What every such file begins with. */
    private static final String TITLE = "#[leap-nbd latencies";

    /** A histogram is one, in 64 bits a byte at most. */
    private static final int LONGEST_LINE = 1 << 20;

    private final LatencyRecorders recorders;
    private final Path file;
    private final long startMillis;
    private final long limit;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread thread;

    private volatile boolean reopening;

    // Owned by the thread once it runs.
    private FileChannel channel;
    private PrintStream out;
    private HistogramLogWriter writer;
    private @Nullable Object fileKey;
    private boolean failed;

    /**
     * Opens the file and starts writing.
     *
     * @param interval above zero
     * @param limit bytes of a file; then another one is begun
     * @throws IOException if the file cannot be written, is a symbolic link or another user's, or is something else than such a log
     */
    public IntervalLog(LatencyRecorders recorders, Path file, Duration interval, long startMillis, long limit)
            throws IOException {
        this.recorders = recorders;
        this.file = file;
        this.startMillis = startMillis;
        this.limit = limit;
        channel = open(file);
        out = print(channel);
        writer = header(out, startMillis);
        fileKey = PlainFile.key(file);
        long nanos = interval.toNanos();
        this.thread = Thread.ofPlatform().name("histogram-log").daemon().unstarted(() -> run(nanos));
        this.thread.start();
    }

    private static FileChannel open(Path file) throws IOException {
        FileChannel channel = PlainFile.append(file);
        ByteBuffer title = ByteBuffer.allocate(TITLE.length());
        int read = channel.read(title, 0);
        if (read > 0 && !new String(title.array(), 0, read, StandardCharsets.US_ASCII).equals(TITLE)) {
            channel.close();
            throw new IOException("it is there, and no log of latencies");
        }
        PlainFile.endWithWholeLine(channel, LONGEST_LINE);
        return channel;
    }

    private static PrintStream print(FileChannel channel) {
        return new PrintStream(
                new BufferedOutputStream(Channels.newOutputStream(channel)), false, StandardCharsets.UTF_8);
    }

    /** Soon opens the file anew if somebody has moved it. Any thread. */
    public void reopen() {
        reopening = true;
    }

    private void openAnew(boolean full) {
        if (!full && Objects.equals(PlainFile.key(file), fileKey)) {
            return;
        }
        try {
            if (full) {
                Rotation.shift(file);
            }
            FileChannel fresh = open(file);
            writer.close();
            channel = fresh;
            out = print(fresh);
            writer = header(out, System.currentTimeMillis());
            fileKey = PlainFile.key(file);
            failed = false;
        } catch (IOException e) {
            log.warn("{} cannot be opened anew ({}); what was open is gone on with", file, e.getMessage());
        }
    }

    /** All series as one interval of a log. */
    static String oneInterval(List<LatencySeries> all, long startMillis, long endMillis) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream print = new PrintStream(bytes, false, StandardCharsets.UTF_8);
        HistogramLogWriter writer = header(print, startMillis);
        for (LatencySeries series : all) {
            Histogram histogram = series.histogram();
            histogram.setTag(series.tag());
            histogram.setStartTimeStamp(startMillis);
            histogram.setEndTimeStamp(endMillis);
            writer.outputIntervalHistogram(histogram);
        }
        writer.close();
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /** Writes the last interval and the totals. Waits for the disk; may be called again, to no effect. */
    @Override
    public void close() {
        ended.countDown();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run(long intervalNanos) {
        long next = System.nanoTime() + intervalNanos;
        boolean last = false;
        while (!last) {
            try {
                last = ended.await(next - System.nanoTime(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                last = true;
            }
            if (reopening) {
                reopening = false;
                openAnew(false);
            }
            writeInterval();
            // An interval that was missed because the disk was slow is not made up for.
            next = Math.max(next + intervalNanos, System.nanoTime());
        }
        writer.close();
        writeTotal();
    }

    private void writeInterval() {
        recorders.nextInterval((operation, stage, histogram) -> {
            if (histogram.getTotalCount() > 0) {
                histogram.setTag(operation.label() + "-" + stage.label());
                writer.outputIntervalHistogram(histogram);
            }
        });
        out.flush();
        if (out.checkError() && !failed) {
            failed = true;
            log.warn("{} cannot be written any more; is the disk full? Intervals are missing from here on", file);
        }
        try {
            if (channel.position() >= limit) {
                openAnew(true);
            }
        } catch (IOException e) {
            // It has been told already.
            failed = true;
        }
    }

    private void writeTotal() {
        Path total = file.resolveSibling(file.getFileName() + ".total");
        try {
            Rotation.shift(total);
            writeTotal(total);
        } catch (IOException e) {
            log.warn("{} cannot be written: {}", total, e.getMessage());
        }
    }

    private void writeTotal(Path total) throws IOException {
        try (FileChannel to = PlainFile.replace(total)) {
            ByteBuffer text = ByteBuffer.wrap(
                    oneInterval(LatencySeries.of(recorders, null, null), startMillis, System.currentTimeMillis())
                            .getBytes(StandardCharsets.UTF_8));
            while (text.hasRemaining()) {
                int _ = to.write(text);
            }
        }
    }

    private static HistogramLogWriter header(PrintStream out, long startMillis) {
        HistogramLogWriter writer = new HistogramLogWriter(out);
        writer.outputComment(TITLE.substring(1) + " in nanoseconds; tags are operation-stage]");
        writer.outputLogFormatVersion();
        writer.outputStartTime(startMillis);
        writer.setBaseTime(startMillis);
        writer.outputLegend();
        return writer;
    }
}
