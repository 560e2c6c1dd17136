package io.leapnbd.tools.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.OneLineErrors;
import io.leapnbd.tools.linux.Cgroup;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class RunCommandTest {
    private final StringWriter err = new StringWriter();

    private int run(String... args) {
        OneLineErrors errors = new OneLineErrors();
        return new CommandLine(new RunCommand())
                .setErr(new PrintWriter(err))
                .setParameterExceptionHandler(errors)
                .setExecutionExceptionHandler(errors)
                .execute(args);
    }

    @Test
    void neither_or_both_of_command_and_process_are_refused() {
        assertThat(run("--memory", "64M")).isEqualTo(ExitCode.USAGE);
        assertThat(run("--memory", "64M", "--pid", "1", "--", "true")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("either a command after --, or --pid");
    }

    @Test
    void too_little_memory_is_refused() {
        assertThat(run("--memory", "1M", "--", "true")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("nothing runs with less than 4M");
    }

    @Test
    void a_command_that_does_not_exist_is_said_before_anything_is_made() {
        assertThat(run("--memory", "64M", "--", "no-such-command-here")).isEqualTo(127);
        assertThat(err.toString()).contains("there is no command no-such-command-here");
    }

    @Test
    void a_process_that_does_not_exist_is_said() {
        assertThat(run("--memory", "64M", "--pid", "4194303")).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).contains("there is no process 4194303");
    }

    @Test
    void a_process_is_moved_into_a_cgroup_with_the_limit_or_refused_in_one_line() throws Exception {
        Process process = new ProcessBuilder("sleep", "600").start();
        try {
            int code = run("--memory", "64M", "--pid", Long.toString(process.pid()));
            if (code == ExitCode.OK) {
                Cgroup group = Cgroup.of(process.pid()).orElseThrow();
                assertThat(group.directory()).hasFileName("leap-nbd-run-" + process.pid());
                assertThat(group.get("memory.max").map(String::strip)).contains(Long.toString(64L << 20));
            } else {
                assertThat(code).isEqualTo(ExitCode.NOT_POSSIBLE_HERE);
                assertRefusedInOneLine(err.toString());
            }
        } finally {
            process.destroyForcibly().waitFor();
            Cgroup.sweep("run-" + process.pid());
        }
    }

    @Test
    void a_command_runs_in_its_cgroup_or_is_not_begun() throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.leapnbd.tools.LeapNbd",
                        "run",
                        "--memory",
                        "256M",
                        "--",
                        "sh",
                        "-c",
                        "echo begun; cat /proc/self/cgroup; exit 7")
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int code = process.waitFor();
        Cgroup.sweep("run-" + process.pid());
        if (code == 7) {
            assertThat(output).contains("begun", "/leap-nbd-run-" + process.pid());
        } else {
            assertThat(code).as(output).isEqualTo(ExitCode.NOT_POSSIBLE_HERE);
            assertThat(output).doesNotContain("begun");
            assertRefusedInOneLine(output);
        }
    }

    private static void assertRefusedInOneLine(String said) {
        assertThat(said.lines().filter(line -> line.contains("cgroup"))).hasSize(1);
    }
}
