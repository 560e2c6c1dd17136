package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The lock's file goes with the lock, and yet of servers that start at once only one has it. */
class StateLockTest {

    private static final int PROCESSES = 3;
    private static final int ROUNDS = 1_000;
    private static final long LIMIT_SECONDS = 60;

    @TempDir
    private Path folder;

    @Test
    void noTwoProcessesHaveItAtOnceThoughItsFileIsRemovedEachTime() throws Exception {
        List<Process> processes = new ArrayList<>();
        try {
            for (int i = 0; i < PROCESSES; i++) {
                processes.add(probe(Integer.toString(ROUNDS)));
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

    /** Linux ends a process's own locks of a file when the process closes any descriptor of it. */
    @Test
    void aSecondDeviceOfTheProcessThatIsRefusedDoesNotEndTheLockOfTheFirst() throws Exception {
        Path file = folder.resolve("swap0.state.lock");
        try (StateLock first = StateLock.take(file)) {
            assertThat(first).isNotNull();
            assertThat(StateLock.take(file)).isNull();
            assertThat(whatAnotherProcessSays()).isEqualTo(StateLockProbe.REFUSED);
        }
        assertThat(whatAnotherProcessSays()).isEqualTo("0");
    }

    /** Earlier versions lock in Java's way, and one of them may still be running when a newer one starts. */
    @Test
    void aLockOfTheProcessIsAsGoodAsALockOfTheFile() throws Exception {
        Path file = folder.resolve("swap0.state.lock");
        try (FileChannel earlier = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            assertThat(earlier.tryLock()).isNotNull();
            assertThat(whatAnotherProcessSays()).isEqualTo(StateLockProbe.REFUSED);
        }
    }

    /** One that tries once. */
    private String whatAnotherProcessSays() throws Exception {
        Process process = probe(StateLockProbe.ONCE);
        try {
            assertThat(process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
            return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        } finally {
            process.destroyForcibly();
        }
    }

    private Process probe(String rounds) throws IOException {
        return new ProcessBuilder(
                        ProcessHandle.current().info().command().orElse("java"),
                        "-Xmx64m",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        StateLockProbe.class.getName(),
                        folder.resolve("swap0.state.lock").toString(),
                        rounds)
                .redirectErrorStream(true)
                .start();
    }
}
