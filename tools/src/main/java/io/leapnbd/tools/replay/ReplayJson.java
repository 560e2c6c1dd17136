package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.tools.cli.Json;
import java.util.List;

/** Replays as a JSON array, an object each; what cannot be said (the accuracy of nothing) is null. */
final class ReplayJson {

    private ReplayJson() {}

    static String render(List<Replay> replays) {
        Json json = new Json().array();
        for (Replay replay : replays) {
            SimulationResult result = replay.result();
            json.object()
                    .put("trace", replay.trace())
                    .put("policy", replay.policy().label())
                    .put("demands", result.demands())
                    .put("hits", result.hits())
                    .put("misses", result.misses())
                    .put("prefetched", result.prefetched())
                    .put("wasted", result.wasted())
                    .put("coverage", result.coverage())
                    .put("accuracy", result.accuracy())
                    .object("timelinessMicros")
                    .put("p50", result.timeliness().percentile(50) / 1e3)
                    .put("p95", result.timeliness().percentile(95) / 1e3)
                    .put("p99", result.timeliness().percentile(99) / 1e3)
                    .endObject()
                    .put("meanLatencyMicros", result.latency().mean() / 1e3)
                    .put("p99LatencyMicros", result.latency().percentile(99) / 1e3)
                    .put("simulatedSeconds", result.simulatedNanos() / 1e9)
                    .endObject();
        }
        return json.endArray().toString();
    }
}
