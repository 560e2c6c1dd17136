package io.leapnbd.tools.reproduce;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.prefetch.replay.SyntheticTrace;
import io.leapnbd.prefetch.replay.TraceWriter;
import io.leapnbd.tools.chart.Markup;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code leap-nbd reproduce}, with a benchmark of swap that is played by scripts. */
class ReproduceTest {

    private static final String PATTERNS = """
            [{"link_us": 100, "pattern": "s10", "mode": "default", "touches": 4000, "p50": 611.25, "p99": 7654.0, "major": 3991,
              "seconds": 5.5, "p50_gain": 1.0, "p99_gain": 1.0, "curve": [[0.0, 1.0], [50.0, 611.25], [100.0, 9999.0]]},
             {"link_us": 100, "pattern": "s10", "mode": "push", "touches": 4000, "p50": 1.5, "p99": 321.0, "major": 17,
              "seconds": 0.25, "p50_gain": 407.5, "p99_gain": 23.84, "curve": [[0.0, 0.5], [50.0, 1.5], [100.0, 2000.0]]}]
            """;

    private static final String PROGRAMS = """
            {"rounds": 2, "scale": 0.5, "programs": {
               "numpy": {"what": "sweeps", "seconds": 1.25, "peak_mib": 87},
               "re<dis": {"what": "x", "skipped": "not installed & <b>\\"gone\\"</b>"}},
             "rows": [
               {"link_us": 100, "program": "numpy", "mode": "default", "seconds": 42.7, "seconds_spread": 3.4, "gain": 1.0, "major": 21464},
               {"link_us": 100, "program": "numpy", "mode": "both", "seconds": 17.08, "seconds_spread": 1.1, "gain": 2.5, "major": 777}],
             "geometric_means": [{"link_us": 100, "mode": "both", "gain": 2.345}]}
            """;

    @TempDir
    private Path folder = Path.of("");

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @Test
    void figuresComeFromTheBenchmarkAndPublishedOnesStandBesideThem() throws IOException {
        bench("exit 0", PATTERNS, PROGRAMS);

        assertThat(run("--only", "figure-7,figure-9")).isEqualTo(ExitCode.OK);
        assertThat(out.toString()).contains("figure-7  done", "figure-9  done");
        String page = page();
        assertThat(page)
                .contains("<td>611</td>", "<td>7,654</td>", "<td>408 times</td>", "<td>17 of 4,000</td>")
                .contains("<td class=\"paper\">104 times</td>", "<td class=\"paper\">22.1 times</td>")
                .contains("<td>42.7</td>", "<td>3.40 (!)</td>", "<td>1.10</td>", "<td>2.50 times</td>", "<td>777</td>")
                .contains("NumPy: 835 → 660 s", "<td class=\"paper\">1.27 times</td>")
                .contains("<td>2.35 times</td>");
        assertThat(page.split("<polyline class=\"curve c-push\"", -1)).hasSize(3); // the curve, and its name
    }

    @Test
    void whatOthersWroteIsEscaped() throws IOException {
        bench("exit 0", PATTERNS, PROGRAMS);

        run("--only", "figure-9");
        assertThat(page())
                .contains("SKIPPED re&lt;dis: not installed &amp; &lt;b&gt;&quot;gone&quot;&lt;/b&gt;")
                .doesNotContain("<b>", "re<dis");
        assertThat(Markup.escape("a'\u0000\u001b[1m")).isEqualTo("a&#39;  [1m");
    }

    @Test
    void whatCannotBeDoneHereIsSkippedWithTheReasonAndTheRestIsDone() throws IOException {
        bench("echo 'rig.sh: this machine swaps <already>' >&2; exit 1", PATTERNS, PROGRAMS);
        traces();

        assertThat(run("--quick", "--traces", folder.resolve("traces").toString()))
                .isEqualTo(ExitCode.OK);
        assertThat(out.toString())
                .contains(
                        "figure-7  SKIPPED: this machine swaps <already>",
                        "table-2  done",
                        "figure-9  SKIPPED: this machine swaps <already>",
                        "figure-10  done",
                        "report " + folder.resolve("page.html"));
        assertThat(page())
                .contains("<p class=\"skipped\">SKIPPED: this machine swaps &lt;already&gt;</p>")
                .contains("<a href=\"#figure-7\">", "(SKIPPED)", "<td>adaptive</td><td>100.0 %</td>")
                .contains("<td class=\"paper\">70.9 %</td>", "What differs from the paper");
    }

    @Test
    void aPackageWithoutSourceAndTracesHasThemSkipped() throws IOException {
        assertThat(run()).isEqualTo(ExitCode.OK);
        assertThat(out.toString())
                .contains(
                        "figure-9  SKIPPED: native swap is measured by tools/bench/swap/run, which only the source has",
                        "table-2  SKIPPED: there is no recorded trace pagerank-pc0.gz; --traces names their folder");
    }

    @Test
    void aBenchmarkThatFailsIsNoSkippedPart() throws IOException {
        bench("exit 0", PATTERNS, PROGRAMS);
        script("run", "exit 7");

        assertThat(run("--only", "figure-9")).isEqualTo(ExitCode.FAILED);
        assertThat(page()).contains("class=\"failed\">FAILED: tools/bench/swap/run failed with status 7");
    }

    @Test
    void earlierResultsAreShownWithoutARun() throws IOException {
        Files.writeString(folder.resolve("programs.json"), PROGRAMS);

        assertThat(run("--only", "figure-7,figure-9", "--results", folder.toString()))
                .isEqualTo(ExitCode.OK);
        assertThat(out.toString()).contains("figure-7  SKIPPED: there is no swap.json in " + folder, "figure-9  done");
        assertThat(page()).contains("<td>42.7</td>");
    }

    @Test
    void thePageNeedsNothingButItself() throws IOException {
        bench("exit 0", PATTERNS, PROGRAMS);
        traces();

        run("--quick", "--traces", folder.resolve("traces").toString());
        assertThat(page())
                .startsWith("<!DOCTYPE html>")
                .doesNotContain("http://", "https://", "<script", "<link", "<img", "url(", "@import", "NaN", "null");
    }

    @Test
    void anOutputThatCannotBeWrittenIsFoundBeforeAnythingIsMeasured() throws IOException {
        bench("touch " + folder.resolve("asked") + "; exit 0", PATTERNS, PROGRAMS);

        assertThat(run("--out", folder.resolve("none/page.html").toString())).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).isEmpty();
        assertThat(folder.resolve("asked")).doesNotExist();
    }

    /** A checkout whose benchmark leaves these results. */
    private void bench(String can, String patterns, String programs) throws IOException {
        Path results = folder.resolve("tools/target/bench-swap");
        script("rig.sh", can);
        Files.writeString(folder.resolve("patterns"), patterns);
        Files.writeString(folder.resolve("programs"), programs);
        script(
                "run",
                "mkdir -p " + results + "; case \" $* \" in *' --programs '*) cp " + folder + "/programs " + results
                        + "/programs.json ;; *) cp " + folder + "/patterns " + results + "/swap.json ;; esac");
    }

    private void script(String name, String text) throws IOException {
        Path file = Files.createDirectories(folder.resolve("tools/bench/swap")).resolve(name);
        Files.writeString(file, "#!/bin/sh\n" + text + "\n");
        assertThat(file.toFile().setExecutable(true)).isTrue();
    }

    private void traces() throws IOException {
        Path traces = Files.createDirectories(folder.resolve("traces"));
        for (String name : new String[] {"pagerank", "matrix", "sqlite", "redis"}) {
            try (Writer to = new OutputStreamWriter(
                    new GZIPOutputStream(Files.newOutputStream(traces.resolve(name + "-pc0.gz"))),
                    StandardCharsets.UTF_8)) {
                TraceWriter.write(SyntheticTrace.parse("stride:10").generate(100_000, 3000, 15_000, 1), "a test's", to);
            }
        }
    }

    private int run(String... words) {
        String[] all = new String[words.length + 2];
        all[0] = "--out";
        all[1] = folder.resolve("page.html").toString();
        System.arraycopy(words, 0, all, 2, words.length);
        return new CommandLine(new ReproduceCommand(folder))
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .setOverwrittenOptionsAllowed(true)
                .setExecutionExceptionHandler(
                        (e, _, _) -> e instanceof CommandFailure failure ? failure.exitCode() : ExitCode.USAGE)
                .execute(all);
    }

    private String page() throws IOException {
        return Files.readString(folder.resolve("page.html"));
    }
}
