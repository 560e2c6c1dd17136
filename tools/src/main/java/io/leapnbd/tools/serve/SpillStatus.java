package io.leapnbd.tools.serve;

import io.leapnbd.bypass.spill.Spill;
import io.leapnbd.donor.store.StoreStatistics;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.http.Metrics;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** What {@code status} and {@code /metrics} say of the place of last resort. Any thread. */
final class SpillStatus {

    private SpillStatus() {}

    /** What is not as it should be. */
    static void complain(@Nullable Spill spill, List<String> complaints) {
        if (spill == null) {
            return;
        }
        long used = used(spill.store().statistics());
        if (used > 0) {
            complaints.add(Size.approximate(used) + " are in the spill " + spill.file()
                    + ", as donors have no room or do not answer; add donors or memory");
        }
        if (spill.errors() > 0) {
            complaints.add("the disk of the spill " + spill.file() + " has failed " + spill.errors()
                    + " requests; look after it");
        }
    }

    private static long used(StoreStatistics now) {
        return (long) now.lentSlabs() * now.slabSize();
    }

    static void put(@Nullable Spill spill, Json json) {
        if (spill == null) {
            return;
        }
        StoreStatistics now = spill.store().statistics();
        json.object("spill")
                .put("file", spill.file().toString())
                .put("size", (long) now.totalSlabs() * now.slabSize())
                .put("used", used(now))
                .put("slabs", now.totalSlabs())
                .put("slabs_used", now.lentSlabs())
                .put("reads", now.reads())
                .put("writes", now.writes())
                .put("bytes_read", now.bytesRead())
                .put("bytes_written", now.bytesWritten())
                .put("errors", spill.errors())
                .endObject();
    }

    /** A line; nothing if there is no spill. */
    static String text(@Nullable Spill spill) {
        if (spill == null) {
            return "";
        }
        StoreStatistics now = spill.store().statistics();
        return "spill " + spill.file() + ": " + Size.approximate(used(now)) + " of "
                + Size.approximate((long) now.totalSlabs() * now.slabSize()) + " used, "
                + Size.approximate(now.bytesRead()) + " read, " + Size.approximate(now.bytesWritten()) + " written, "
                + spill.errors() + " errors\n";
    }

    static void register(@Nullable Spill spill, Metrics metrics) {
        if (spill == null) {
            return;
        }
        gauge(
                spill,
                metrics,
                "leap_spill_size_bytes",
                "Room in the spill file.",
                now -> (double) now.totalSlabs() * now.slabSize());
        gauge(
                spill,
                metrics,
                "leap_spill_used_bytes",
                "Slabs in the spill file, which donors have no room or life for.",
                SpillStatus::used);
        counter(spill, metrics, "leap_spill_reads_total", "Reads from the spill file.", StoreStatistics::reads);
        counter(spill, metrics, "leap_spill_writes_total", "Writes to the spill file.", StoreStatistics::writes);
        counter(
                spill,
                metrics,
                "leap_spill_read_bytes_total",
                "Bytes read from the spill file.",
                StoreStatistics::bytesRead);
        counter(
                spill,
                metrics,
                "leap_spill_written_bytes_total",
                "Bytes written to the spill file.",
                StoreStatistics::bytesWritten);
        metrics.counter("leap_spill_errors_total", "Requests that the spill's disk has failed.")
                .from(sink -> sink.accept(spill.errors()));
    }

    private static void gauge(
            Spill spill, Metrics metrics, String name, String help, ToDoubleFunction<StoreStatistics> figure) {
        metrics.gauge(name, help)
                .from(sink -> sink.accept(figure.applyAsDouble(spill.store().statistics())));
    }

    private static void counter(
            Spill spill, Metrics metrics, String name, String help, ToDoubleFunction<StoreStatistics> figure) {
        metrics.counter(name, help)
                .from(sink -> sink.accept(figure.applyAsDouble(spill.store().statistics())));
    }
}
