package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.PageCache;
import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.prefetch.replay.SimulationSettings;
import io.leapnbd.tools.cli.Json;
import java.util.List;

/** Replays as JSON: the version, and an object for each; what cannot be said (the accuracy of nothing) is null. */
final class ReplayJson {

    private ReplayJson() {}

    static String render(String version, List<Replay> replays) {
        Json json = new Json().object().put("version", version).array("replays");
        for (Replay replay : replays) {
            SimulationResult result = replay.result();
            SimulationSettings settings = replay.settings();
            json.object()
                    .put("trace", replay.trace())
                    .put("policy", replay.policy())
                    .object("parameters")
                    .put("cache_size", (long) settings.cachePages() * PageCache.PAGE_SIZE)
                    .put("latency_us", settings.latencyNanos() / 1e3)
                    .put("bandwidth", settings.bytesPerSecond())
                    .put("warm_up", settings.warmUp())
                    .put("history", settings.leap().history())
                    .put("split", settings.leap().split())
                    .put("max_window", settings.leap().maxWindow())
                    .endObject()
                    .put("demands", result.demands())
                    .put("hits", result.hits())
                    .put("misses", result.misses())
                    .put("prefetched", result.prefetched())
                    .put("wasted", result.wasted())
                    .put("coverage", result.coverage())
                    .put("accuracy", result.accuracy())
                    .object("timeliness_us")
                    .put("p50", result.timeliness().percentile(50) / 1e3)
                    .put("p95", result.timeliness().percentile(95) / 1e3)
                    .put("p99", result.timeliness().percentile(99) / 1e3)
                    .endObject()
                    .object("wait_us")
                    .put("mean", result.latency().mean() / 1e3)
                    .put("p99", result.latency().percentile(99) / 1e3)
                    .endObject()
                    .put("simulated_seconds", result.simulatedNanos() / 1e9)
                    .endObject();
        }
        return json.endArray().endObject().toString();
    }
}
