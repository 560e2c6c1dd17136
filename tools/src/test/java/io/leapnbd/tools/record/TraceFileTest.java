package io.leapnbd.tools.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
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

    @ParameterizedTest
    @ValueSource(strings = {"trace", "trace.gz"})
    void aFileThatWasCutOffIsGoneOnWithBehindItsLastWholePart(String name) throws IOException { // E11
        Path path = folder.resolve(name);
        for (int writer = 0; writer < 3; writer++) {
            try (TraceFile file = new TraceFile(path)) {
                file.line(TraceFile.TITLE);
                file.request(writer, 'R', 1, 1);
                file.write();
            }
            // What a crash leaves: half a line, or half a member.
            byte[] torn = Files.readAllBytes(path);
            Files.write(path, Arrays.copyOf(torn, 12), StandardOpenOption.APPEND);
        }
        try (TraceFile file = new TraceFile(path)) {
            assertThat(file.goesOn()).isTrue();
        }
        String title = TraceFile.TITLE + "\n";
        assertThat(content(path)).isEqualTo(title + "0 R 1 1\n" + title + "1 R 1 1\n" + title + "2 R 1 1\n");
    }

    @Test
    void aGzFileOfAnotherProgramIsNotGoneOnWith() throws IOException {
        Path path = folder.resolve("trace.gz");
        try (OutputStream zip = new GZIPOutputStream(Files.newOutputStream(path))) {
            zip.write("# leap-nbd trace\n".getBytes(StandardCharsets.UTF_8));
        }
        byte[] before = Files.readAllBytes(path);
        assertThatThrownBy(() -> new TraceFile(path).close()).isInstanceOf(FileAlreadyExistsException.class);
        assertThat(Files.readAllBytes(path)).isEqualTo(before);
    }

    @Test
    void twoDoNotWriteOneFile() throws IOException {
        Path path = folder.resolve("trace");
        try (TraceFile first = new TraceFile(path)) {
            first.line(TraceFile.TITLE);
            assertThatThrownBy(() -> new TraceFile(path).close()).hasMessageContaining("another process writes it");
        }
    }

    private static String content(Path path) throws IOException {
        try (InputStream file = Files.newInputStream(path);
                InputStream text = path.toString().endsWith(".gz") ? new GZIPInputStream(file) : file) {
            return new String(text.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
