package io.leapnbd.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.cli.ExitCode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code leap-nbd trace generate} and {@code leap-nbd replay}, together, as they are used. */
class ReplayTest {

    @TempDir
    private Path folder = Path.of("");

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... words) {
        return LeapNbd.commandLine()
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(words);
    }

    private String generate(String kind, String name) {
        String file = folder.resolve(name).toString();
        assertThat(run("trace", "generate", kind, "--pages", "4000", "--requests", "4000", "-o", file))
                .isEqualTo(ExitCode.OK);
        return file;
    }

    @Test
    void aGeneratedTraceSaysHowItWasMade() {
        assertThat(run("trace", "generate", "stride:-7", "--requests", "3", "--pages", "100", "--seed", "5"))
                .isEqualTo(ExitCode.OK);

        List<String> lines = out.toString().lines().toList();
        assertThat(lines.getFirst())
                .isEqualTo("# leap-nbd trace generate stride:-7 --pages 100 --requests 3 --seed 5 --think 15us");
        assertThat(lines).hasSize(5);
        assertThat(lines.get(2)).matches("0 R \\d+ 1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"sequential", "reverse", "stride:10", "interleaved:8", "noisy:25", "loop", "random"})
    void everyKindOfTraceIsReplayedAsItIsGenerated(String kind) {
        String file = generate(kind, "trace.gz");

        assertThat(run("replay", file, "--prefetch", "leap,adaptive")).isEqualTo(ExitCode.OK);
        assertThat(out.toString())
                .startsWith("trace.gz: 3,000 demanded pages counted of 4,000\npolicy ")
                .contains("\nleap ", "\nadaptive ");
        assertThat(out.toString().lines()).hasSize(4);
    }

    @Test
    void jsonHasAnObjectForEachTraceAndPolicy() {
        String first = generate("sequential", "a");
        String second = generate("random", "b.gz");

        assertThat(run("replay", first, second, "--prefetch", "none,stride", "--json"))
                .isEqualTo(ExitCode.OK);
        assertThat(out.toString()).startsWith("{\n  \"version\": \"leap-nbd ").endsWith("}\n");
        assertThat(out.toString()
                        .lines()
                        .filter(line -> line.contains("\"policy\""))
                        .map(String::strip))
                .containsExactly(
                        "\"policy\": \"none\",",
                        "\"policy\": \"stride\",",
                        "\"policy\": \"none\",",
                        "\"policy\": \"stride\",");
        assertThat(out.toString())
                .contains(
                        "\"trace\": \"a\"",
                        "\"demands\": 3000",
                        "\"hits\"",
                        "\"misses\"",
                        "\"prefetched\"",
                        "\"wasted\"",
                        "\"coverage\": 0.889",
                        "\"accuracy\": null",
                        "\"accuracy\": 1.000",
                        "\"cache_size\": 16777216",
                        "\"latency_us\": 50",
                        "\"max_window\": 8",
                        "\"timeliness_us\": {",
                        "\"p50\"",
                        "\"p95\"",
                        "\"p99\"",
                        "\"wait_us\": {",
                        "\"mean\": 53.815",
                        "\"simulated_seconds\"");
    }

    @Test
    void withoutChoiceAllPoliciesAreCompared() {
        assertThat(run("replay", generate("sequential", "a"))).isEqualTo(ExitCode.OK);
        assertThat(out.toString())
                .contains(
                        "\nnone ",
                        "\nnext-n ",
                        "\nstride ",
                        "\nreadahead ",
                        "\nghb ",
                        "\nleap ",
                        "\nleap-kernel ",
                        "\nadaptive ");
    }

    @Test
    void theLinkAndTheCacheAreTheCallers() {
        String file = generate("sequential", "a");

        assertThat(run("replay", file, "--prefetch", "none", "--latency", "1ms", "--bandwidth", "4096K", "--json"))
                .isEqualTo(ExitCode.OK);
        // 4 KiB at 4 MiB a second are 976.5625 µs.
        assertThat(out.toString()).contains("\"mean\": 1976.56");
    }

    @Test
    void eachSizeOfTheCacheIsPlayedWithEachLatency() {
        String file = generate("stride:10", "a");

        assertThat(run(
                        "replay",
                        file,
                        "--prefetch",
                        "leap",
                        "--cache-size",
                        "4M,16M",
                        "--latency",
                        "50us,1ms",
                        "--csv"))
                .isEqualTo(ExitCode.OK);
        List<String> lines = out.toString().lines().toList();
        assertThat(lines.getFirst()).startsWith("trace,policy,cache_size,latency_us,bandwidth,warm_up,history,");
        assertThat(lines.subList(1, lines.size()))
                .map(line -> line.replaceFirst("\\.000000,1073741824,1000,32,4,8,3000,.*", ""))
                .containsExactly(
                        "a,leap,4194304,50", "a,leap,4194304,1000", "a,leap,16777216,50", "a,leap,16777216,1000");
        out.getBuffer().setLength(0);
        assertThat(run("replay", file, "--prefetch", "leap", "--cache-size", "4M,16M"))
                .isEqualTo(ExitCode.OK);
        assertThat(out.toString())
                .contains(
                        "a: 3,000 demanded pages counted of 4,000, a cache of 4 MiB, a link of 50us\n",
                        "\n\na: 3,000 demanded pages counted of 4,000, a cache of 16 MiB, a link of 50us\n");
        assertThat(run("replay", file, "--cache-size", "4M,16M", "--report", folder + "/r.md"))
                .isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("--report compares policies on one machine");
    }

    @Test
    void aTraceMayComeByStandardInput() throws IOException {
        byte[] trace = Files.readAllBytes(Path.of(generate("sequential", "a.gz")));
        InputStream before = System.in;
        System.setIn(new ByteArrayInputStream(trace));
        try {
            assertThat(run("replay", "-", "--prefetch", "none")).isEqualTo(ExitCode.OK);
        } finally {
            System.setIn(before);
        }
        assertThat(out.toString()).startsWith("standard input: 3,000 demanded pages counted of 4,000\n");
        assertThat(run("replay", "-", "-")).isEqualTo(ExitCode.USAGE);
        assertThat(run("replay", "a", "--json", "--csv")).isEqualTo(ExitCode.USAGE);
    }

    @Test
    void leapsSettingsAreTheCallers() {
        String file = generate("sequential", "a");
        run("replay", file, "--prefetch", "leap", "--max-window", "1", "--json");
        String narrow = out.toString();
        out.getBuffer().setLength(0);
        run("replay", file, "--prefetch", "leap", "--max-window", "32", "--json");

        assertThat(narrow).contains("\"coverage\": 0.500");
        assertThat(out.toString()).contains("\"coverage\": 0.9");
        assertThat(run("replay", file, "--history", "1")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("an access history of 1 is out of range: 2 to 1024");
    }

    @Test
    void aReportHasATableAndPicturesThatNeedNothingElse() throws IOException {
        Path report = folder.resolve("compared.md");

        String trace = generate("noisy:25", "noisy.trace.gz");
        assertThat(run("replay", trace, "--cache-size", "4M", "--report", report.toString()))
                .isEqualTo(ExitCode.OK);
        assertThat(report)
                .content()
                .contains("## noisy\n", "| adaptive | **", "(compared-coverage.svg)", "(compared-time.svg)");
        for (String picture : List.of("compared-coverage.svg", "compared-time.svg")) {
            assertThat(folder.resolve(picture))
                    .content()
                    .startsWith("<svg ")
                    .endsWith("</svg>\n")
                    .contains("adaptive", "#d0103a")
                    .doesNotContain("href", "script");
        }
    }

    @Test
    void aBadLineIsRefusedWithFileLineAndReason() throws IOException {
        Path file = Files.writeString(folder.resolve("bad"), "0 R 1 1\n5 X 1 1\n");

        assertThat(run("replay", file.toString())).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).isEqualTo("leap-nbd replay: " + file + ", line 2: 'X' is none of R, W and T\n");
    }

    @Test
    void aFileThatIsCutOffIsReplayedAsFarAsItGoesWithANote() throws IOException {
        Path zipped = Path.of(generate("random", "whole.gz"));
        byte[] bytes = Files.readAllBytes(zipped);
        Path cut = Files.write(folder.resolve("cut.gz"), Arrays.copyOf(bytes, bytes.length / 2));

        assertThat(run("replay", cut.toString())).isEqualTo(ExitCode.OK);
        assertThat(err.toString()).contains(cut + ", line ", "cut off").hasLineCount(1);
    }

    @Test
    void whatCannotBeReadOrWrittenIsSaidInOneLine() {
        assertThat(run("replay", folder.resolve("none").toString())).isEqualTo(ExitCode.FAILED);
        assertThat(run("replay", folder.toString())).isEqualTo(ExitCode.FAILED);
        assertThat(run("trace", "generate", "random", "-o", folder + "/no/where"))
                .isEqualTo(ExitCode.FAILED);
        assertThat(err.toString().lines()).hasSize(3);
        assertThat(err.toString()).contains("there is no file", "cannot be read", "cannot be written");
    }

    @Test
    void aTraceThatIsAllWarmUpIsRefused() throws IOException {
        Path file = Files.writeString(folder.resolve("short"), "0 R 1 1\n", StandardCharsets.US_ASCII);

        assertThat(run("replay", file.toString())).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).contains("has 1 demanded pages", "give a smaller --warm-up");
        assertThat(run("replay", file.toString(), "--warm-up", "0")).isEqualTo(ExitCode.OK);
    }
}
