package io.leapnbd.tools.donor;

import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.donor.store.OwnerStatistics;
import io.leapnbd.donor.store.StoreStatistics;
import io.leapnbd.tools.http.LoopMetrics;
import io.leapnbd.tools.http.Metrics;
import io.leapnbd.tools.http.MetricsOf;
import io.leapnbd.tools.http.ProcessMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/** A donor's counters under their Prometheus names, read when they are asked for. */
final class DonorMetrics {

    private DonorMetrics() {}

    static PrometheusRegistry registry(DonorStatus status) {
        Metrics metrics = new Metrics();
        MetricsOf<StoreStatistics> store = metrics.of(() -> status.store().statistics());
        metrics.gauge("leap_lender_slabs", "Slabs lent in all, by what they are doing.", "state")
                .from(sink -> {
                    StoreStatistics now = status.store().statistics();
                    sink.accept(now.freeSlabs(), "free");
                    sink.accept(now.lentSlabs(), "lent");
                });
        store.gauge(
                "leap_lender_slabs_wanted_back",
                "Slabs that servers are asked to give back.",
                StoreStatistics::wantedBack);
        store.gauge("leap_lender_slab_bytes", "Bytes of a slab.", StoreStatistics::slabSize);
        store.gauge("leap_lender_resident_bytes", "Memory taken.", StoreStatistics::residentBytes);
        store.gauge("leap_lender_locked_bytes", "Memory locked.", StoreStatistics::lockedBytes);
        store.gauge(
                "leap_lender_exports", "Exports known.", now -> now.exports().size());
        metrics.gauge("leap_lender_links", "Links open now.").from(sink -> sink.accept(status.openLinks()));
        metrics.counter("leap_lender_requests_total", "Requests, by what they asked for.", "operation")
                .from(sink -> {
                    StoreStatistics now = status.store().statistics();
                    sink.accept(now.reads(), "read");
                    sink.accept(now.writes(), "write");
                    sink.accept(now.trims(), "trim");
                    sink.accept(now.grants(), "grant");
                    sink.accept(now.frees(), "free");
                    sink.accept(now.lists(), "list");
                    sink.accept(now.hellos(), "hello");
                });
        store.counter("leap_lender_read_bytes_total", "Bytes read.", StoreStatistics::bytesRead);
        store.counter("leap_lender_written_bytes_total", "Bytes written.", StoreStatistics::bytesWritten);
        store.counter("leap_lender_refused_total", "Requests refused.", StoreStatistics::refused);
        store.counter("leap_lender_fenced_total", "Requests of outdated servers.", StoreStatistics::fenced);
        store.counter(
                "leap_lender_leases_expired_total",
                "Exports forgotten because their server did not come back.",
                StoreStatistics::leasesExpired);
        metrics.gauge("leap_lender_owner_bytes", "What an owner's exports hold.", "owner")
                .from(sink -> {
                    StoreStatistics now = status.store().statistics();
                    now.owners()
                            .forEach(owner ->
                                    sink.accept((long) owner.slabs() * now.slabSize(), PrintableText.of(owner.name())));
                });
        metrics.gauge("leap_lender_owner_limit_bytes", "What they may hold, of owners that have a limit.", "owner")
                .from(sink -> {
                    StoreStatistics now = status.store().statistics();
                    now.owners().stream()
                            .filter(OwnerStatistics::limited)
                            .forEach(owner ->
                                    sink.accept((long) owner.limit() * now.slabSize(), PrintableText.of(owner.name())));
                });
        store.counter(
                "leap_lender_over_limit_total",
                "Grants that were refused because their owner holds what it may.",
                StoreStatistics::overLimit);
        metrics.gauge("leap_start_time_seconds", "When the donor started, in seconds since 1970.")
                .from(sink -> sink.accept(status.startMillis() / 1000));
        metrics.gauge("leap_lender_export_bytes", "What an export holds.", "export", "identity")
                .from(sink -> {
                    StoreStatistics now = status.store().statistics();
                    now.exports()
                            .forEach(export -> sink.accept(
                                    (long) export.slabs() * now.slabSize(),
                                    PrintableText.of(export.name()),
                                    export.identity().name()));
                });
        metrics.gauge("leap_lender_export_links", "Links of an export.", "export", "identity")
                .from(sink -> status.store()
                        .statistics()
                        .exports()
                        .forEach(export -> sink.accept(
                                export.links(),
                                PrintableText.of(export.name()),
                                export.identity().name())));
        metrics.gauge("leap_degraded", "How many things are not as they should be; /status names them.")
                .from(sink -> sink.accept(status.degraded().size()));
        LoopMetrics.add(metrics, status.loops());
        ProcessMetrics.add(metrics, "donor");
        return metrics.registry();
    }
}
