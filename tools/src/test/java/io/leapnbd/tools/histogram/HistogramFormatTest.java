package io.leapnbd.tools.histogram;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.LoopLatencies;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.EncodableHistogram;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogReader;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HistogramFormatTest {

    private static final long LIMIT = 1L << 30;
    private static final long START = 1_700_000_000_000L;

    private final LatencyRecorders recorders = new LatencyRecorders();
    private final LoopLatencies loop = recorders.openLoop();

    /** 1,000 reads of 1 to 1,000 µs, and one write of 5 ms. */
    @BeforeEach
    void record() {
        for (int micros = 1; micros <= 1000; micros++) {
            loop.record(Operation.READ, Stage.TOTAL, micros * 1_000L);
            loop.record(Operation.READ, Stage.LINK, micros * 500L);
        }
        loop.record(Operation.WRITE, Stage.TOTAL, 5_000_000);
    }

    @Test
    void hgrmIsPercentilesOfReadsInMicroseconds() {
        String text = HistogramFormat.HGRM.render(recorders, null, null, START);
        assertThat(text)
                .startsWith("       Value     Percentile TotalCount 1/(1-Percentile)")
                .contains("Total count    =         1000");
        double median = text.lines()
                .filter(line -> line.contains(" 0.500000000000 "))
                .mapToDouble(line -> Double.parseDouble(line.strip().split("\\s+", -1)[0]))
                .findFirst()
                .orElseThrow();
        assertThat(median).isCloseTo(500, within(5.0));
    }

    @Test
    void hgrmShowsTheSeriesThatIsAskedFor() {
        assertThat(HistogramFormat.HGRM.render(recorders, Operation.WRITE, Stage.TOTAL, START))
                .contains("Total count    =            1");
    }

    @Test
    void hlogIsReadByTheReaderOfHdrHistogram() {
        String text = HistogramFormat.HLOG.render(recorders, null, null, START);
        Map<String, Histogram> read = readLog(text.getBytes(StandardCharsets.UTF_8));
        assertThat(read).containsOnlyKeys("read-total", "read-link", "write-total");
        Histogram total = named(read, "read-total");
        assertThat(total.getTotalCount()).isEqualTo(1000);
        assertThat(total.getValueAtPercentile(99)).isCloseTo(990_000L, within(9_900L));
        assertThat(total.getStartTimeStamp()).isEqualTo(START);
        assertThat(named(read, "write-total").getMaxValue()).isCloseTo(5_000_000L, within(50_000L));
    }

    @Test
    void jsonHoldsPercentilesOfEverySeriesThatHasAny() {
        String text = HistogramFormat.JSON.render(recorders, null, null, START);
        assertThat(text)
                .contains("\"operation\": \"read\"", "\"stage\": \"link\"", "\"count\": 1000", "\"p99.9\": ")
                .doesNotContain("trim");
    }

    @Test
    void jsonOfASeriesWithoutValuesIsThereWhenItIsAskedFor() {
        assertThat(HistogramFormat.JSON.render(recorders, Operation.TRIM, Stage.QUEUE, START))
                .contains("\"operation\": \"trim\"", "\"count\": 0");
    }

    @Test
    void htmlHasACurveForEverySeriesAndNothingFromElsewhere() {
        String page = HistogramFormat.HTML.render(recorders, null, null, START);
        assertThat(page.split("<polyline", -1)).hasSize(4);
        assertThat(page).doesNotContain("http://", "https://", "<script", "src=", "NaN", "Infinity");
    }

    @Test
    void htmlWithoutAnyValueSaysSo() {
        assertThat(HistogramFormat.HTML.render(new LatencyRecorders(), null, null, START))
                .contains("Nothing has been recorded yet");
    }

    @Test
    void intervalsOfALogAddUpToItsTotal(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("leap.hlog");
        IntervalLog log = new IntervalLog(recorders, file, Duration.ofHours(1), START, LIMIT);
        loop.record(Operation.FLUSH, Stage.TOTAL, 1_000);
        log.close();
        Map<String, Histogram> intervals = readLog(Files.readAllBytes(file));
        Map<String, Histogram> total = readLog(Files.readAllBytes(folder.resolve("leap.hlog.total")));
        assertThat(intervals).containsOnlyKeys("read-total", "read-link", "write-total", "flush-total");
        assertThat(total).containsOnlyKeys("read-total", "read-link", "write-total", "flush-total");
        assertThat(named(intervals, "read-total").getTotalCount()).isEqualTo(1000);
        assertThat(named(total, "read-total").getTotalCount()).isEqualTo(1000);
    }

    @Test
    void aLogGrowsWithEachInterval(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("leap.hlog");
        IntervalLog log = new IntervalLog(recorders, file, Duration.ofMillis(20), START, LIMIT);
        try {
            awaitLines(file, "read-total", 1);
            loop.record(Operation.READ, Stage.TOTAL, 1_000);
            awaitLines(file, "read-total", 2);
        } finally {
            log.close();
        }
    }

    @Test
    void aLogIsGoneOnWithAndATotalIsMovedAside(@TempDir Path folder) throws Exception { // E11
        Path file = folder.resolve("leap.hlog");
        new IntervalLog(recorders, file, Duration.ofHours(1), START, LIMIT).close();
        long first = Files.size(file);
        // Killed in the middle of a line.
        Files.writeString(file, "Tag=read-total,0.1", StandardOpenOption.APPEND);
        loop.record(Operation.FLUSH, Stage.TOTAL, 1_000);
        new IntervalLog(recorders, file, Duration.ofHours(1), START, LIMIT).close();

        assertThat(Files.size(file)).isGreaterThan(first);
        assertThat(Files.readString(file)).doesNotContain("Tag=read-total,0.1#", "0.1\n");
        assertThat(readLog(Files.readAllBytes(file))).containsKeys("read-total", "flush-total");
        assertThat(folder.resolve("leap.hlog.total.1")).exists();
    }

    @Test
    void aLogThatHasGrownToItsLimitIsMovedAside(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("leap.hlog");
        new IntervalLog(recorders, file, Duration.ofHours(1), START, 1).close();
        assertThat(readLog(Files.readAllBytes(folder.resolve("leap.hlog.1")))).containsKey("read-total");
        assertThat(file).content().startsWith("#[leap-nbd latencies").doesNotContain("Tag=");
    }

    @Test
    void anotherFileIsNotTakenForALog(@TempDir Path folder) throws Exception { // E11
        Path file = Files.writeString(folder.resolve("leap.hlog"), "precious");
        assertThatThrownBy(() -> new IntervalLog(recorders, file, Duration.ofHours(1), START, LIMIT).close())
                .hasMessageContaining("no log of latencies");
        assertThat(file).hasContent("precious");
    }

    @Test
    void aLogThatSomebodyMovesIsOpenedAnew(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("leap.hlog");
        IntervalLog log = new IntervalLog(recorders, file, Duration.ofMillis(20), START, LIMIT);
        try {
            awaitLines(file, "read-total", 1);
            Files.move(file, folder.resolve("elsewhere"));
            log.reopen();
            long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (!Files.exists(file)) {
                assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
                LockSupport.parkNanos(10_000_000);
            }
            loop.record(Operation.READ, Stage.TOTAL, 1_000);
            awaitLines(file, "read-total", 1);
        } finally {
            log.close();
        }
    }

    private static void awaitLines(Path file, String tag, int lines) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (Files.readAllLines(file).stream()
                        .filter(line -> line.contains("Tag=" + tag))
                        .count()
                < lines) {
            assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
            LockSupport.parkNanos(10_000_000);
        }
    }

    private static Histogram named(Map<String, Histogram> byTag, String tag) {
        return Objects.requireNonNull(byTag.get(tag), tag);
    }

    private static Map<String, Histogram> readLog(byte[] log) {
        Map<String, Histogram> byTag = new HashMap<>();
        List<String> twice = new ArrayList<>();
        try (HistogramLogReader reader = new HistogramLogReader(new ByteArrayInputStream(log))) {
            while (reader.hasNext()) {
                EncodableHistogram next = reader.nextIntervalHistogram();
                if (byTag.put(next.getTag(), (Histogram) next) != null) {
                    twice.add(next.getTag());
                }
            }
        }
        assertThat(twice).isEmpty();
        return byTag;
    }
}
