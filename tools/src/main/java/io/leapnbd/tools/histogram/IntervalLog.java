package io.leapnbd.tools.histogram;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.tools.linux.PlainFile;
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
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogWriter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes what was recorded in each interval to a file, in the format that {@code HistogramLogReader} and
 * {@code HistogramLogProcessor} of HdrHistogram read: a line a series, tagged {@code read-total} and so on, in nanoseconds.
 * When it ends it writes the last interval, and beside the file, in {@code FILE.total}, the whole run as one interval.
 *
 * <p>A thread of its own writes; event loops are never held up by the disk. The file is replaced when the server starts.
 */
public final class IntervalLog implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(IntervalLog.class);

    private final LatencyRecorders recorders;
    private final Path file;
    private final long startMillis;
    private final PrintStream out;
    private final HistogramLogWriter writer;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread thread;

    /** Owned by {@link #thread}. */
    private boolean failed;

    /**
     * Opens the file and starts writing.
     *
     * @param interval above zero
     * @throws IOException if the file cannot be written, or is a symbolic link or another user's
     */
    public IntervalLog(LatencyRecorders recorders, Path file, Duration interval, long startMillis) throws IOException {
        this.recorders = recorders;
        this.file = file;
        this.startMillis = startMillis;
        this.out = new PrintStream(
                new BufferedOutputStream(Channels.newOutputStream(PlainFile.replace(file))),
                false,
                StandardCharsets.UTF_8);
        this.writer = header(out, startMillis);
        long nanos = interval.toNanos();
        this.thread = Thread.ofPlatform().name("histogram-log").daemon().unstarted(() -> run(nanos));
        this.thread.start();
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
    }

    private void writeTotal() {
        Path total = file.resolveSibling(file.getFileName() + ".total");
        try (FileChannel to = PlainFile.replace(total)) {
            ByteBuffer text = ByteBuffer.wrap(
                    oneInterval(LatencySeries.of(recorders, null, null), startMillis, System.currentTimeMillis())
                            .getBytes(StandardCharsets.UTF_8));
            while (text.hasRemaining()) {
                int _ = to.write(text);
            }
        } catch (IOException e) {
            log.warn("{} cannot be written: {}", total, e.getMessage());
        }
    }

    private static HistogramLogWriter header(PrintStream out, long startMillis) {
        HistogramLogWriter writer = new HistogramLogWriter(out);
        writer.outputComment("[leap-nbd latencies in nanoseconds; tags are operation-stage]");
        writer.outputLogFormatVersion();
        writer.outputStartTime(startMillis);
        writer.setBaseTime(startMillis);
        writer.outputLegend();
        return writer;
    }
}
