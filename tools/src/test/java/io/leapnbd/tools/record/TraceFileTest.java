package io.leapnbd.tools.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TraceFileTest {

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"trace", "trace.gz"})
    void whatWasWrittenIsReadWhileTheFileIsStillOpen(String name) throws IOException {
        Path path = folder.resolve(name);
        StringBuilder expected = new StringBuilder();
        Random random = new Random(7);
        try (TraceFile file = new TraceFile(path)) {
            file.line("# a comment");
            expected.append("# a comment\n");
            for (int i = 0; i < 200_000; i++) {
                long page = random.nextLong(1L << 40);
                file.request(i, 'R', page, i % 7 + 1);
                expected.append(i)
                        .append(" R ")
                        .append(page)
                        .append(' ')
                        .append(i % 7 + 1)
                        .append('\n');
                if (file.full()) {
                    file.write();
                }
            }
            file.write();
            assertThat(content(path)).isEqualTo(expected.toString());
            file.request(Long.MAX_VALUE, 'T', 0, 1);
            assertThat(content(path)).isEqualTo(expected.toString());
            file.write();
        }
        assertThat(content(path)).isEqualTo(expected + "9223372036854775807 T 0 1\n");
    }

    @Test
    void aFileIsNeverReplaced() throws IOException {
        Path path = Files.writeString(folder.resolve("trace"), "precious");
        assertThatThrownBy(() -> new TraceFile(path).close()).isInstanceOf(FileAlreadyExistsException.class);
        assertThat(path).hasContent("precious");
    }

    private static String content(Path path) throws IOException {
        try (InputStream file = Files.newInputStream(path);
                InputStream text = path.toString().endsWith(".gz") ? new GZIPInputStream(file) : file) {
            return new String(text.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
