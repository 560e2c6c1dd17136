package io.leapnbd.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.replay.Simulation;
import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.prefetch.replay.SimulationSettings;
import io.leapnbd.prefetch.replay.Trace;
import io.leapnbd.prefetch.replay.TraceReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What the adaptive policy is worth on the traces of real programs: more coverage than every other policy, accuracy no lower
 * than the best of those within five points of its coverage, and never more than 2 % slower than the fastest.
 */
class RecordedTracesTest {

    private static final Path TRACES = Path.of("src", "traces");

    static List<String> traces() throws IOException {
        try (Stream<Path> files = Files.list(TRACES)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".gz"))
                    .sorted()
                    .toList();
        }
    }

    @ParameterizedTest
    @MethodSource("traces")
    void theAdaptivePolicyIsTheBestOne(String name) throws IOException {
        Trace trace = TraceReader.read(TRACES.resolve(name));
        SimulationResult adaptive = Simulation.run(trace, PrefetchPolicy.ADAPTIVE, SimulationSettings.STANDARD);
        for (PrefetchPolicy policy : PrefetchPolicy.values()) {
            if (policy == PrefetchPolicy.ADAPTIVE) {
                continue;
            }
            SimulationResult other = Simulation.run(trace, policy, SimulationSettings.STANDARD);
            assertThat(adaptive.simulatedNanos())
                    .as("simulated time against %s", policy)
                    .isLessThanOrEqualTo(other.simulatedNanos() / 100 * 102);
            assertThat(adaptive.coverage()).as("coverage against %s", policy).isGreaterThan(other.coverage());
            if (adaptive.coverage() - other.coverage() <= 0.05 && other.prefetched() > 0) {
                assertThat(adaptive.accuracy())
                        .as("accuracy against %s", policy)
                        .isGreaterThanOrEqualTo(other.accuracy());
            }
        }
    }
}
