package io.leapnbd.prefetch.replay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TraceReaderTest {

    private static Trace read(String text) throws IOException {
        return TraceReader.read(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static byte[] zipped(String text) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(bytes)) {
            zip.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toByteArray();
    }

    private static String text(Trace trace) throws IOException {
        StringBuilder out = new StringBuilder();
        TraceWriter.write(trace, "", out);
        return out.toString();
    }

    @Test
    void aTraceIsReadAsItWasWritten() throws IOException {
        String text = "0 R 1 1\n15 W 4096 32\n15 T 0 1048576\n9000000000 R 1099511627775 1\n";

        Trace trace = read(text);

        assertThat(text(trace)).isEqualTo(text);
        assertThat(trace.size()).isEqualTo(4);
        assertThat(trace.demands()).isEqualTo(2);
        assertThat(trace.devicePages()).isEqualTo(1L << 40);
        assertThat(trace.hasWrites()).isTrue();
        assertThat(trace.operation(1)).isEqualTo(Trace.Operation.WRITE);
        assertThat(trace.micros(3)).isEqualTo(9_000_000_000L);
    }

    @Test
    void commentsBlanksAndEmptyLinesSayNothing() throws IOException {
        Trace trace = read("# a comment, " + "long ".repeat(200) + "\n\n  # another\n \t 5\tR  7 \t 2 \r\n\n#last");

        assertThat(text(trace)).isEqualTo("5 R 7 2\n");
    }

    @Test
    void aTraceWithoutRequestsHasNone() throws IOException {
        assertThat(read("").size()).isZero();
        assertThat(read("").devicePages()).isZero();
    }

    @Test
    void gzIsKnownByItsContentsAndNotByItsName(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("trace");
        Files.write(file, zipped("1 R 2 3\n".repeat(100_000)));

        assertThat(TraceReader.read(file).size()).isEqualTo(100_000);
    }

    @Test
    void aGzFileThatIsCutOffIsReadAsFarAsItGoes() throws IOException { // E11
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 10_000; i++) {
            text.append(i).append(" R ").append(i * 7919L % 10_007).append(" 3\n");
        }
        byte[] whole = zipped(text.toString());

        Trace trace = TraceReader.read(new ByteArrayInputStream(Arrays.copyOf(whole, whole.length / 2)));
        assertThat(trace.cutOff()).matches("line \\d+: the gz data ends too early");
        assertThat(trace.size()).isBetween(1000, 9000);
        assertThat(text(trace)).isEqualTo(text.substring(0, text(trace).length()));
    }

    @Test
    void aFileWithoutAnyWholeRequestIsRefused() throws IOException {
        byte[] whole = zipped("1 R 2 3\n");

        assertThatThrownBy(() -> read("10 R 20 1"))
                .isInstanceOf(TraceFormatException.class)
                .hasMessage("line 1: the file is cut off before its first request");
        assertThatThrownBy(() -> TraceReader.read(new ByteArrayInputStream(Arrays.copyOf(whole, 5))))
                .isInstanceOf(TraceFormatException.class)
                .hasMessageContaining("line 1: the gz data ends too early");
    }

    @Test
    void aGzFileThatIsDamagedIsRefused() throws IOException {
        byte[] whole = zipped("1 R 2 3\n".repeat(1000));
        whole[whole.length - 6] ^= 1;

        assertThatThrownBy(() -> TraceReader.read(new ByteArrayInputStream(whole)))
                .isInstanceOf(TraceFormatException.class)
                .hasMessageContaining("damaged");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "1 R 2 | '1 R 2' has 3 fields; a request has 4",
                "1 R 2 3 4 | has more than 4 fields",
                "x R 2 3 | 'x' is not a time in microseconds",
                "-1 R 2 3 | '-1' is not a time in microseconds",
                "1.5 R 2 3 | '1.5' is not a time",
                "1 X 2 3 | 'X' is none of R, W and T",
                "1 RW 2 3 | 'RW' is none of R, W and T",
                "1 r 2 3 | 'r' is none of R, W and T",
                "1 R 0x2 3 | '0x2' is not a first page",
                "1 R 2 0 | a request has at least one page",
                "1 R 2 1048577 | '1048577' is too large for a number of pages; the most is 1048576",
                "1 R 1099511627776 1 | is too large for a first page",
                "1 R 1099511627775 2 | the request goes past page 2^40",
                "1 R 99999999999999999999999 1 | is too large for a first page",
                "99999999999999999999 R 1 1 | is too large for a time",
                "\u00e9 R 1 1 | '??' is not a time",
            })
    void aLineThatIsNoRequestIsRefusedWithItsNumber(String line, String why) {
        assertThatThrownBy(() -> read("# made by hand\n0 R 1 1\n" + line + "\n5 R 1 1\n"))
                .isInstanceOf(TraceFormatException.class)
                .hasMessageStartingWith("line 3: ")
                .hasMessageContaining(why)
                .satisfies(e -> assertThat(((TraceFormatException) e).line()).isEqualTo(3));
    }

    @Test
    void aLastLineWithoutALineFeedCountsAsCutOff() throws IOException { // E11
        Trace trace = read("0 R 1 1\n10 R 20 1");
        assertThat(trace.size()).isEqualTo(1);
        assertThat(trace.cutOff()).isEqualTo("line 2 does not end with a line feed");
        assertThat(read("0 R 1 1\n# of").cutOff()).isNull();
    }

    @Test
    void aRecordingThatWasGoneOnWithIsOneTrace() throws IOException {
        Trace trace = read("""
                # started 2026-11-27T10:00:00Z
                5 R 1 1
                # started 2026-11-27T10:00:02.000001Z
                5 R 2 1
                # started yesterday
                7 R 3 1
                """);
        assertThat(text(trace)).isEqualTo("5 R 1 1\n2000006 R 2 1\n2000008 R 3 1\n");
    }

    @Test
    void aFileOfSomethingElseIsRefusedEarly() {
        assertThatThrownBy(() -> read("x".repeat(1000)))
                .isInstanceOf(TraceFormatException.class)
                .hasMessage("line 1: the line is longer than 256 bytes; this is no trace");
    }
}
