package io.leapnbd.tools.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.cli.HostPort;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFileTest {

    private static final String URI = "nbd+unix:///leap?socket=/run/leap nbd/é.sock";

    @TempDir
    private Path parent;

    @Test
    void whatOneProcessWritesAnotherReads() throws Exception {
        Path folder = parent.resolve("run");
        RunFile own = new RunFile(ProcessHandle.current().pid(), "serve", new HostPort("::1", 9480), URI);
        Path file = own.write(folder);
        assertThat(RunFile.readAll(folder)).containsExactly(own);
        RunFile.remove(file);
        assertThat(RunFile.readAll(folder)).isEmpty();
    }

    @Test
    void theFolderOfAUserIsNobodyElses() throws Exception {
        Path folder = parent.resolve("run");
        new RunFile(1, "donor", null, URI).write(folder);
        assertThat(Files.getPosixFilePermissions(folder)).hasSize(3);
    }

    @Test
    void filesOfDeadProcessesAndBrokenOnesAreTidiedAway() throws Exception {
        Path folder = parent.resolve("run");
        new RunFile(Integer.MAX_VALUE, "serve", null, URI).write(folder);
        Files.writeString(folder.resolve("frob.run"), "role=serve");
        Files.writeString(folder.resolve("leap.state"), "not ours");
        assertThat(RunFile.readAll(folder)).isEmpty();
        assertThat(folder.resolve("leap.state")).exists();
        try (var left = Files.list(folder)) {
            assertThat(left).hasSize(1);
        }
    }

    @Test
    void aFolderThatIsNotThereHoldsNothing() {
        assertThat(RunFile.readAll(parent.resolve("nowhere"))).isEmpty();
    }
}
