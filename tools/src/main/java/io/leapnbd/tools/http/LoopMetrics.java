package io.leapnbd.tools.http;

import io.leapnbd.donor.loop.LoopTurns;
import java.util.List;

/** The watch on event loops' turns, under its Prometheus names: the same for servers and donors. */
public final class LoopMetrics {

    private LoopMetrics() {}

    /** Adds them; the loops are numbered from 0. */
    public static void add(Metrics metrics, List<LoopTurns> loops) {
        metrics.gauge(
                        "leap_loop_longest_turn_seconds",
                        "The longest since the start that an event loop did not look at its sockets.",
                        "loop")
                .from(sink -> {
                    for (int i = 0; i < loops.size(); i++) {
                        sink.accept(loops.get(i).longestNanos() / 1e9, Integer.toString(i));
                    }
                });
        metrics.counter("leap_loop_slow_turns_total", "Turns of an event loop that took more than 1 ms.", "loop")
                .from(sink -> {
                    for (int i = 0; i < loops.size(); i++) {
                        sink.accept(loops.get(i).slow(), Integer.toString(i));
                    }
                });
    }
}
