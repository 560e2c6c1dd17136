package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** E1: of two that attach one export at the same time, one is told so. */
class AttachLockTest {
    @Test
    void a_lock_is_one_processs_until_it_is_killed(@TempDir Path directory) throws Exception {
        Path file = AttachLock.export(directory.resolve("run"), "content-1");
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
            assertThat(AttachLock.tryTake(file)).isEmpty();
            assertThat(AttachLock.holder(file)).contains(Long.toString(other.pid()));
        } finally {
            other.destroyForcibly();
        }
        assertThat(other.waitFor(60, TimeUnit.SECONDS)).isTrue();
        Optional<AttachLock> lock = AttachLock.tryTake(file);
        assertThat(lock).isPresent();
        lock.orElseThrow().close();
    }

    @Test
    void different_exports_do_not_keep_each_other_out(@TempDir Path directory) throws IOException {
        try (AttachLock one =
                        AttachLock.tryTake(AttachLock.export(directory, "one")).orElseThrow();
                AttachLock two =
                        AttachLock.tryTake(AttachLock.export(directory, "two")).orElseThrow()) {
            assertThat(one).isNotSameAs(two);
            assertThat(AttachLock.take(AttachLock.export(directory, "one"), System.nanoTime()))
                    .isEmpty();
        }
    }
}
