package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.cache.PrefetchFigures;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.path.RepairProgress;
import io.leapnbd.bypass.path.SealFigures;
import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.nbd.server.ConnectionInfo;
import io.leapnbd.nbd.server.ServerStatistics;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.prefetch.CacheFigures;
import io.leapnbd.prefetch.PageCache;
import io.leapnbd.tools.http.LoopMetrics;
import io.leapnbd.tools.http.Metrics;
import io.leapnbd.tools.http.MetricsOf;
import io.leapnbd.tools.http.ProcessMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.util.List;
import java.util.Locale;
import java.util.function.BiConsumer;
import org.HdrHistogram.Histogram;

/** A server's counters under their Prometheus names. All are read when they are asked for; nothing is kept twice. */
final class ServerMetrics {

    private static final double NANOS_PER_SECOND = 1e9;

    /** Upper bounds of the buckets of latencies, in nanoseconds; one more holds what is above. */
    private static final long[] BOUNDS = bounds();

    private final ServerStatus status;

    /** What is of the process. */
    private final Metrics process = new Metrics();

    /** What is of its export. */
    private final Metrics metrics;

    ServerMetrics(ServerStatus status) {
        this.status = status;
        metrics = process.with("export", PrintableText.of(status.settings().export()));
        requests(status.nbd().statistics());
        connections(status.nbd().statistics());
        device(status.device());
        repair(status.device());
        donors();
        SpillStatus.register(status.device().spill(), metrics);
        cache(status.device().cache());
        prefetch(status.device());
        LoopMetrics.add(process, status.loops());
        ProcessMetrics.add(process, "serve");
        metrics.registry().register(this::latencies);
    }

    PrometheusRegistry registry() {
        return metrics.registry();
    }

    private void requests(ServerStatistics statistics) {
        metrics.counter("leap_requests_total", "NBD requests that have ended, with or without an error.", "operation")
                .from(sink -> {
                    for (Command command : Command.values()) {
                        sink.accept(statistics.requests(command), label(command.name()));
                    }
                });
        metrics.counter("leap_errors_total", "NBD requests that have ended with an error.", "error")
                .from(sink -> {
                    for (NbdError error : NbdError.values()) {
                        sink.accept(statistics.errors(error), error.name());
                    }
                });
        metrics.counter("leap_read_bytes_total", "Bytes that reads have returned.")
                .from(sink -> sink.accept(statistics.bytesRead()));
        metrics.counter("leap_written_bytes_total", "Bytes that writes have stored.")
                .from(sink -> sink.accept(statistics.bytesWritten()));
    }

    private void connections(ServerStatistics statistics) {
        process.counter("leap_connections_opened_total", "NBD connections accepted.")
                .from(sink -> sink.accept(statistics.connectionsOpened()));
        process.counter("leap_connections_refused_total", "NBD connections closed because there were too many.")
                .from(sink -> sink.accept(statistics.connectionsRefused()));
        process.counter(
                        "leap_protocol_violations_total",
                        "NBD connections dropped because the client broke the protocol.")
                .from(sink -> sink.accept(statistics.protocolViolations()));
        process.gauge("leap_connections", "NBD connections now.")
                .from(sink -> sink.accept(status.nbd().connections().size()));
        metrics.gauge("leap_requests_in_flight", "Requests that have not been answered yet.")
                .from(sink -> sink.accept(status.nbd().connections().stream()
                        .mapToInt(ConnectionInfo::requestsInFlight)
                        .sum()));
    }

    private void device(RemoteDevice device) {
        metrics.gauge("leap_device_size_bytes", "Size of the export.").from(sink -> sink.accept(device.size()));
        metrics.gauge("leap_pages_written", "Pages that have been written and not trimmed.")
                .from(sink -> sink.accept(device.map().pagesWritten()));
        metrics.gauge("leap_pages_lost", "Written pages whose donor has lost them.")
                .from(sink -> sink.accept(device.map().pagesLost()));
        metrics.gauge(
                        "leap_pages_unsealed",
                        "Written pages that have no seal, so that what a donor answers is believed.")
                .from(sink -> sink.accept(device.map().pagesUnsealed()));
        metrics.counter("leap_allocation_failures_total", "Writes that failed because no donor had room.")
                .from(sink -> sink.accept(device.allocationFailures()));
        metrics.counter(
                        "leap_copies_moved_total",
                        "Copies of slabs that went from donors that wanted memory back, or were one too many.")
                .from(sink -> sink.accept(device.copiesMoved()));
        HedgeStatus.register(metrics, device);
        metrics.counter(
                        "leap_copies_balanced_total",
                        "Copies of slabs that were begun to be moved to donors with more memory free.")
                .from(sink -> sink.accept(device.copiesBalanced()));
        metrics.gauge("leap_degraded", "How many things are not as they should be; /status names them.")
                .from(sink -> sink.accept(status.degraded().size()));
        process.gauge("leap_start_time_seconds", "When the server started, in seconds since 1970.")
                .from(sink -> sink.accept(status.startMillis() / 1000));
    }

    private void repair(RemoteDevice device) {
        metrics.gauge("leap_copies_left", "Copies of slabs that are still to be made, by what for.", "work")
                .from(sink -> eachWork(device, (name, left) -> sink.accept(left.slabs(), name)));
        metrics.gauge("leap_copies_left_bytes", "Bytes that are still to be copied for them.", "work")
                .from(sink -> eachWork(device, (name, left) -> sink.accept(left.bytes(), name)));
        metrics.gauge("leap_copies_bytes_per_second", "Bytes that are copied a second, over the last 2 s.", "work")
                .from(sink -> eachWork(device, (name, left) -> sink.accept(left.bytesASecond(), name)));
        metrics.gauge(
                        "leap_copies_seconds_left",
                        "Seconds until they are made at this speed; -1 if it is not known.",
                        "work")
                .from(sink -> eachWork(device, (name, left) -> sink.accept(left.seconds(), name)));
        metrics.gauge("leap_lost_bytes", "Bytes of the device that no donor has any more.")
                .from(sink -> sink.accept(RepairStatus.of(device).lost().bytes()));
    }

    private static void eachWork(RemoteDevice device, BiConsumer<String, RepairProgress.Left> to) {
        RepairStatus now = RepairStatus.of(device);
        to.accept("repair", now.repair());
        to.accept("moves", now.moves());
    }

    private void donors() {
        MetricsOf<Donor> donor =
                metrics.ofEach("donor", () -> status.device().donorSet().present(), Donor::name);
        donor.gauge("leap_donor_up", "Whether any link to the donor is connected.", one -> one.up() ? 1 : 0);
        donor.gauge(
                "leap_donor_authenticated",
                "Whether the donor has shown a certificate of the pool; nobody else changes requests and replies then.",
                one -> one.shown() == null ? 0 : 1);
        metrics.gauge(
                        "leap_donor_link_security",
                        "What protects links to the donor: tls, auth or none, which the label says; always 1.",
                        "donor",
                        "security")
                .from(sink -> {
                    LinkStatus links = status.links();
                    status.device()
                            .donorSet()
                            .present()
                            .forEach(one -> sink.accept(1, one.name(), links.protection(one)));
                });
        donor.gauge("leap_donor_links", "Links to the donor that are connected.", Donor::linksUp);
        donor.gauge("leap_donor_slabs_free", "Slabs that the donor could grant.", Donor::freeSlabs);
        donor.gauge("leap_donor_slabs", "Slabs that the donor lends in all.", Donor::totalSlabs);
        donor.gauge(
                "leap_donor_slabs_wanted_back", "Slabs that the donor wants back from its servers.", Donor::wantedBack);
        donor.gauge("leap_donor_drained", "Whether the donor is being drained here.", one -> one.drained() ? 1 : 0);
        metrics.gauge("leap_donor_slabs_held", "Slabs of the export that the donor holds.", "donor")
                .from(sink -> {
                    int[] held = status.slabsHeld();
                    for (int i : status.numbers()) {
                        sink.accept(held[i], status.device().donors().get(i).name());
                    }
                });
        donor.counter(
                "leap_donor_timeouts_total",
                "Links broken because a request was not answered in time.",
                Donor::timeouts);
        metrics.counter(
                        "leap_donor_rdma_reads_total",
                        "Reads over RDMA, by who did them: the device alone, or the donor's processors.",
                        "donor",
                        "by")
                .from(sink -> status.device().donorSet().present().forEach(one -> {
                    sink.accept(one.deviceReads(), one.name(), "device");
                    sink.accept(one.askedReads() + one.disturbedReads(), one.name(), "processor");
                }));
        sealed(
                "leap_seals_unfit_total",
                "Pages that a donor answered and that were not what was written.",
                SealFigures::unfit);
        sealed("leap_seals_mended_total", "Copies of pages that were written anew for that.", SealFigures::mended);
        donor.counter("leap_donor_reconnects_total", "Times that a link was lost and found again.", Donor::reconnects);
    }

    private void sealed(String name, String help, OfDonor figure) {
        metrics.counter(name, help, "donor").from(sink -> {
            List<Donor> donors = status.device().donors();
            for (int i : status.numbers()) {
                sink.accept(
                        figure.of(status.device().sealFigures(), i),
                        donors.get(i).name());
            }
        });
    }

    /** One donor's figure, by its place. */
    @FunctionalInterface
    private interface OfDonor {
        long of(SealFigures figures, int donor);
    }

    private void cache(PageCache cache) {
        metrics.counter("leap_cache_pages_total", "What became of prefetched pages and of look-ups.", "event")
                .from(sink -> {
                    CacheFigures now = cache.figures();
                    sink.accept(now.adds(), "added");
                    sink.accept(now.hits(), "hit");
                    sink.accept(now.inFlightHits(), "hit-in-flight");
                    sink.accept(now.misses(), "miss");
                    sink.accept(now.pagesUsed(), "used");
                    sink.accept(now.evictedUnused(), "evicted-unused");
                    sink.accept(now.invalidated(), "invalidated");
                    sink.accept(now.aborted(), "aborted");
                    sink.accept(now.noRoom(), "no-room");
                });
        metrics.gauge("leap_cache_slots", "Pages that the cache may hold.")
                .from(sink -> sink.accept(cache.figures().slots()));
        metrics.gauge("leap_cache_slots_in_use", "Pages that the cache holds or waits for.")
                .from(sink -> sink.accept(cache.figures().slotsInUse()));
    }

    private void prefetch(RemoteDevice device) {
        metrics.gauge(
                        "leap_prefetch_info",
                        "1, with the prefetch policy and its settings.",
                        "policy",
                        "history",
                        "split",
                        "max_window")
                .from(sink -> {
                    PrefetchFigures now = device.prefetching().figures();
                    sink.accept(
                            1,
                            now.policy().label(),
                            Integer.toString(now.settings().history()),
                            Integer.toString(now.settings().split()),
                            Integer.toString(now.settings().maxWindow()));
                });
        metrics.ratio(
                "leap_prefetch_coverage_ratio",
                "Hits on prefetched pages over pages demanded, since the start.",
                () -> orZero(PrefetchStatus.of(device).coverage()));
        metrics.ratio(
                "leap_prefetch_accuracy_ratio",
                "Prefetched pages that were hit over all of them, since the start.",
                () -> orZero(PrefetchStatus.of(device).accuracy()));
        metrics.counter("leap_prefetch_trends_total", "Demands at which the policy found a trend.")
                .from(sink -> sink.accept(device.prefetching().figures().trendsFound()));
        metrics.gauge("leap_prefetch_window_pages", "Pages of the last prefetch; 0 when suspended.")
                .from(sink -> sink.accept(device.prefetching().figures().windowInUse()));
        metrics.counter("leap_prefetch_held_back_total", "Pages not prefetched because too many were on their way.")
                .from(sink -> sink.accept(device.prefetching().figures().heldBack()));
        metrics.counter(
                        "leap_prefetch_overlooked_total",
                        "Accesses that the policy was not told of, because they came faster than it decides.")
                .from(sink -> sink.accept(device.prefetching().figures().overlooked()));
    }

    private static double orZero(double ratio) {
        return Double.isNaN(ratio) ? 0 : ratio;
    }

    private MetricSnapshot latencies() {
        HistogramSnapshot.Builder all = HistogramSnapshot.builder()
                .name("leap_request_duration_seconds")
                .help("How long requests took, by operation and stage.");
        for (Operation operation : Operation.values()) {
            for (Stage stage : Stage.values()) {
                Histogram histogram = status.device().latencies().snapshot(operation, stage);
                if (histogram.getTotalCount() > 0) {
                    all.dataPoint(HistogramDataPointSnapshot.builder()
                            .labels(metrics.fixed()
                                    .merge(Labels.of("operation", operation.label(), "stage", stage.label())))
                            .sum(histogram.getMean() * histogram.getTotalCount() / NANOS_PER_SECOND)
                            .classicHistogramBuckets(buckets(histogram))
                            .build());
                }
            }
        }
        return all.build();
    }

    private static ClassicHistogramBuckets buckets(Histogram histogram) {
        ClassicHistogramBuckets.Builder buckets = ClassicHistogramBuckets.builder();
        long counted = 0;
        for (long bound : BOUNDS) {
            long upTo = Math.max(counted, histogram.getCountBetweenValues(0, bound));
            buckets.bucket(bound / NANOS_PER_SECOND, upTo - counted);
            counted = upTo;
        }
        return buckets.bucket(Double.POSITIVE_INFINITY, histogram.getTotalCount() - counted)
                .build();
    }

    /** 1 µs to 50 s in steps of 1, 2, 5. */
    private static long[] bounds() {
        long[] bounds = new long[24];
        long decade = 1_000;
        for (int i = 0; i < bounds.length; i += 3) {
            bounds[i] = decade;
            bounds[i + 1] = 2 * decade;
            bounds[i + 2] = 5 * decade;
            decade *= 10;
        }
        return bounds;
    }

    private static String label(String constant) {
        return constant.toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
