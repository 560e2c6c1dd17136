package io.leapnbd.tools.reproduce;

import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.replay.Simulation;
import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.prefetch.replay.SimulationSettings;
import io.leapnbd.prefetch.replay.Trace;
import io.leapnbd.prefetch.replay.TraceFormatException;
import io.leapnbd.prefetch.replay.TraceReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Plays recorded traces to policies; each is read once. For one thread. */
final class Replays {

    private final Checkout checkout;
    private final @Nullable Path folder;
    private final Map<String, Trace> read = new HashMap<>();

    Replays(Checkout checkout, @Nullable Path folder) {
        this.checkout = checkout;
        this.folder = folder;
    }

    Trace trace(String name) throws SkippedException, IOException {
        Trace trace = read.get(name);
        if (trace == null) {
            Path file = checkout.trace(name, folder);
            try {
                trace = TraceReader.read(file);
            } catch (TraceFormatException e) {
                throw new IOException(file + ", " + e.getMessage(), e);
            }
            read.put(name, trace);
        }
        return trace;
    }

    /**
     * What a policy makes of a trace, on the machine that the project's bars are measured with.
     *
     * @param cachePages slots of the page cache
     */
    SimulationResult play(String name, PrefetchPolicy policy, int cachePages) throws SkippedException, IOException {
        SimulationSettings standard = SimulationSettings.STANDARD;
        Trace trace = trace(name);
        long warmUp = Math.min(standard.warmUp(), trace.demands() / 2);
        return Simulation.run(
                trace,
                policy,
                new SimulationSettings(
                        cachePages, standard.latencyNanos(), standard.bytesPerSecond(), warmUp, standard.leap()));
    }
}
