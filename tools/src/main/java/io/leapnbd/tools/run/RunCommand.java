package io.leapnbd.tools.run;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.Exec;
import io.leapnbd.tools.linux.IoFlusher;
import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.SwapArea;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code leap-nbd run}: gives a command so much memory and no more, so that it, and not the machine, pages out.
 *
 * <p>This process moves itself into the cgroup and then becomes the command (execve): exit code, signals, terminal and
 * files are the command's own, and no JVM waits in memory that is short. Nobody is left to remove the cgroup
 * afterwards, so every run removes those of earlier ones that have ended.
 */
@Command(
        name = "run",
        description = {
            "Run a command, or move a process, into a cgroup of its own with so much memory, so that only it pages out.",
            "",
            "The command's exit code and signals are its own. 126 or 127: it could not be executed, or found."
        },
        customSynopsis = {
            "leap-nbd run --memory SIZE [OPTIONS] -- COMMAND [ARGUMENT...]",
            "       leap-nbd run --push [OPTIONS] -- COMMAND [ARGUMENT...]",
            "       leap-nbd run --memory SIZE [OPTIONS] --pid PID"
        })
public final class RunCommand implements Callable<Integer> {
    private static final long LEAST = 4L << 20;
    private static final int NOT_EXECUTABLE = 126;
    private static final int NOT_FOUND = 127;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    @SuppressWarnings("UnusedVariable") // picocli and the error handler act on it
    private CommonOptions common = new CommonOptions();

    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            converter = Size.Converter.class,
            description = "How much memory it may use, page cache included; the rest pages out. For example 256M.")
    private @Nullable Size memory;

    @Option(
            names = "--high",
            paramLabel = "SIZE",
            converter = Size.Converter.class,
            description = "Slow it down from here on (memory.high). Not set by default: the limit itself makes it wait"
                    + " for its own pages, and being slowed down before only makes paging slower.")
    private @Nullable Size high;

    @Option(
            names = "--push",
            description =
                    "Start 'leap-nbd push' for the command, which brings its next pages from swap before it touches"
                            + " them; it ends with the command. --memory may be left out then.")
    private boolean push;

    @Option(names = "--oom-group", description = "If memory and swap are both full, end all of its processes, not one.")
    private boolean oomGroup;

    @Option(names = "--pid", paramLabel = "PID", description = "Move this running process instead.")
    private @Nullable Long pid;

    @Parameters(arity = "0..*", paramLabel = "COMMAND", description = "The command and its arguments.")
    private List<String> command = List.of();

    /** For picocli. */
    public RunCommand() {}

    @Override
    public Integer call() throws IOException {
        if ((pid == null) == command.isEmpty()) {
            throw new ParameterException(
                    spec.commandLine(),
                    "name either a command after --, or --pid; for example: run --memory 256M -- sort f");
        }
        if (push && pid != null) {
            throw new ParameterException(
                    spec.commandLine(), "--push is for a command; for a process that runs: leap-nbd push --pid " + pid);
        }
        Size most = memory;
        if (most == null) {
            if (!push || high != null || oomGroup) {
                throw new ParameterException(
                        spec.commandLine(), "--memory: say how much the command may use, like --memory 256M");
            }
            return execute(null);
        }
        if (most.bytes() < LEAST) {
            throw new ParameterException(
                    spec.commandLine(), "--memory is " + most + "; nothing runs with less than " + new Size(LEAST));
        }
        MemoryLimit limit =
                new MemoryLimit(most.bytes(), Optional.ofNullable(high).map(Size::bytes), oomGroup);
        return pid == null ? execute(limit) : move(limit, pid, most);
    }

    private int execute(@Nullable MemoryLimit limit) throws IOException {
        String name = command.getFirst();
        String search = Optional.ofNullable(System.getenv("PATH")).orElse("/usr/local/bin:/usr/bin:/bin");
        Optional<Path> program = Exec.find(name, search);
        if (program.isEmpty()) {
            throw new CommandFailure(NOT_FOUND, "there is no command " + name);
        }
        warnWithoutSwap();
        if (push) {
            startAgent(); // outside the command's cgroup
        }
        if (limit != null) {
            enter(limit, ProcessHandle.current().pid());
        }
        try {
            if (IoFlusher.isSet()) {
                IoFlusher.set(false); // for servers of swap, and inherited
            }
        } catch (LinuxException e) {
            say("the command keeps the IO flusher mark: " + e.getMessage());
        }
        try {
            Exec.replace(program.get(), command);
        } catch (LinuxException e) {
            throw new CommandFailure(
                    e.errno() == Errno.ENOENT ? NOT_FOUND : NOT_EXECUTABLE,
                    "cannot execute " + program.get() + ": " + Errno.describe(e.errno()),
                    e);
        }
        throw new IllegalStateException("execve returned");
    }

    private int move(MemoryLimit limit, long target, Size most) throws IOException {
        if (ProcessHandle.of(target).isEmpty()) {
            throw new CommandFailure(ExitCode.FAILED, "there is no process " + target);
        }
        warnWithoutSwap();
        enter(limit, target);
        say("process " + target + " has " + most + " for what it touches from now on; what it has in memory already"
                + " stays charged to the cgroup it came from (cgroup v2 does not move charges)");
        return ExitCode.OK;
    }

    private static void startAgent() {
        String launcher = System.getProperty("leapnbd.launcher");
        if (launcher == null) {
            throw new CommandFailure(ExitCode.NOT_POSSIBLE_HERE, "--push wants to be started by the leap-nbd launcher");
        }
        try {
            AgentStart.forThisProcess(launcher);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.NOT_POSSIBLE_HERE, String.valueOf(e.getMessage()), e);
        }
    }

    private static void enter(MemoryLimit limit, long target) {
        try {
            limit.enter(target);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.NOT_POSSIBLE_HERE, String.valueOf(e.getMessage()), e);
        }
    }

    private void warnWithoutSwap() throws IOException {
        if (SwapArea.inUse().isEmpty()) {
            say("nothing to swap to: it will be killed when its memory is full; run leap-nbd attach first");
        }
    }

    private void say(String line) {
        PrintWriter err = spec.commandLine().getErr();
        err.println("run: " + line);
        err.flush();
    }
}
