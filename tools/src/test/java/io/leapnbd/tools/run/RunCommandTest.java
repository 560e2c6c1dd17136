package io.leapnbd.tools.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.OneLineErrors;
import io.leapnbd.tools.linux.Cgroup;
import io.leapnbd.tools.linux.KernelFile;
import java.io.PrintWriter;
import java.io.StringWriter;
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
    void without_cgroup_v2_it_is_refused_in_one_line() {
        boolean possible = Cgroup.root()
                .flatMap(root -> KernelFile.read(root.resolve("cgroup.controllers")))
                .filter(controllers -> controllers.contains("memory"))
                .isPresent();
        assumeTrue(!possible, "this machine has cgroup v2: the kernel suite runs commands in it");
        assertThat(run("--memory", "64M", "--", "true")).isEqualTo(ExitCode.NOT_POSSIBLE_HERE);
        assertThat(err.toString().lines().filter(line -> line.contains("cgroup")))
                .hasSize(1);
    }
}
