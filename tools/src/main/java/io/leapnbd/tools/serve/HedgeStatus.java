package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.path.HedgeCounts;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.http.Metrics;
import java.util.Locale;

/** What donors were asked for reads beyond what clients asked for, as status and metrics say it. */
final class HedgeStatus {

    private HedgeStatus() {}

    static void putInto(Json json, RemoteDevice device) {
        HedgeCounts counts = device.hedges();
        json.object("hedges")
                .put("sent", counts.sent())
                .put("won", counts.won())
                .put("withheld", counts.withheld())
                .put("probes", counts.probes())
                .endObject();
    }

    /** A line; nothing if there is but one copy of each page. */
    static String text(RemoteDevice device) {
        if (device.copies() == 1) {
            return "";
        }
        HedgeCounts counts = device.hedges();
        return String.format(
                Locale.ROOT,
                "reads that took long: %,d asked of a second donor too, which was first for %,d; %,d not, to ask for no more than"
                        + " 5 %% in addition; %,d probes of slow donors%n",
                counts.sent(),
                counts.won(),
                counts.withheld(),
                counts.probes());
    }

    static void register(Metrics metrics, RemoteDevice device) {
        metrics.counter("leap_hedges_total", "Reads that took long and were asked of a second donor too.")
                .from(sink -> sink.accept(device.hedges().sent()));
        metrics.counter("leap_hedges_won_total", "Those of them that the second donor answered first.")
                .from(sink -> sink.accept(device.hedges().won()));
        metrics.counter(
                        "leap_hedges_withheld_total",
                        "Reads that took long and were not asked twice, because of the bound of 5 % more reads or of buffers.")
                .from(sink -> sink.accept(device.hedges().withheld()));
        metrics.counter(
                        "leap_probe_reads_total",
                        "Reads asked of a slow donor too, to see whether it still is; nobody waits for them.")
                .from(sink -> sink.accept(device.hedges().probes()));
    }
}
