package io.leapnbd.tools.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** E1: of two that attach one export at the same time, one is told so. */
class HostLockTest {
    @Test
    void a_lock_is_one_processs_until_it_is_killed(@TempDir Path directory) throws Exception {
        Path file = HostLock.export(directory.resolve("run"), "content-1");
        Process other = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElse("java"),
                        "-Xmx32m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        LockProbe.class.getName(),
                        file.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            assertThat(other.inputReader().readLine()).isEqualTo("held");
            assertThat(HostLock.tryTake(file)).isEmpty();
            assertThat(HostLock.holder(file)).contains(Long.toString(other.pid()));
        } finally {
            other.destroyForcibly();
        }
        assertThat(other.waitFor(60, TimeUnit.SECONDS)).isTrue();
        Optional<HostLock> lock = HostLock.tryTake(file);
        assertThat(lock).isPresent();
        lock.orElseThrow().close();
    }

    @Test
    void different_exports_do_not_keep_each_other_out(@TempDir Path directory) throws IOException {
        try (HostLock one = HostLock.tryTake(HostLock.export(directory, "one")).orElseThrow();
                HostLock two =
                        HostLock.tryTake(HostLock.export(directory, "two")).orElseThrow()) {
            assertThat(one).isNotSameAs(two);
            assertThat(HostLock.take(HostLock.export(directory, "one"), System.nanoTime()))
                    .isEmpty();
        }
    }
}
