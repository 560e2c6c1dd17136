package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The lock's file goes with the lock, and yet of servers that start at once only one has it. */
class StateLockTest {

    private static final int PROCESSES = 3;
    private static final int ROUNDS = 3_000;
    private static final long LIMIT_SECONDS = 60;

    @TempDir
    private Path folder;

    @Test
    void noTwoProcessesHaveItAtOnceThoughItsFileIsRemovedEachTime() throws Exception {
        List<Process> processes = new ArrayList<>();
        try {
            for (int i = 0; i < PROCESSES; i++) {
                processes.add(probe());
            }
            for (Process process : processes) {
                assertThat(process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
                assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip())
                        .isEqualTo("0");
            }
        } finally {
            processes.forEach(Process::destroyForcibly);
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void whoComesSecondDoesNotGetItAndWhoComesLaterDoes() throws IOException {
        Path file = folder.resolve("swap0.state.lock");
        try (StateLock first = StateLock.take(file)) {
            assertThat(first).isNotNull();
            assertThat(StateLock.take(file)).isNull();
            assertThat(file).exists();
        }
        assertThat(file).doesNotExist();
        try (StateLock next = StateLock.take(file)) {
            assertThat(next).isNotNull();
        }
    }

    private Process probe() throws IOException {
        return new ProcessBuilder(
                        ProcessHandle.current().info().command().orElse("java"),
                        "-Xmx64m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        StateLockProbe.class.getName(),
                        folder.resolve("swap0.state.lock").toString(),
                        Integer.toString(ROUNDS))
                .redirectErrorStream(true)
                .start();
    }
}
