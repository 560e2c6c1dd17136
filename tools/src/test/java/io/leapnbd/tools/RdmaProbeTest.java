package io.leapnbd.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The rdma suite compiles its probe itself, and few machines can run that suite. */
class RdmaProbeTest {

    private static final Path PROBE = Path.of("src/test/rdma/Probe.java");

    @TempDir
    private Path classes;

    @Test
    void theProbeOfTheRdmaSuiteSpeaksThePresentProtocol() throws Exception {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter messages = new StringWriter();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            boolean compiled = compiler.getTask(
                            messages,
                            files,
                            null,
                            List.of("-proc:none", "-nowarn", "-d", classes.toString()),
                            null,
                            files.getJavaFileObjects(PROBE))
                    .call();
            assertThat(compiled).as(messages.toString()).isTrue();
        }
        assertThat(classes).isDirectoryContaining("glob:**/Probe.class");
    }
}
