package io.leapnbd.tools.push;

import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.push.DeviceLimits;
import io.leapnbd.prefetch.push.PushSettings;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.Exit;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.http.EndpointAccessOptions;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.MemoryGroup;
import io.leapnbd.tools.linux.Protection;
import io.leapnbd.tools.linux.Protection.Measure;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code leap-nbd push}. */
@Command(
        name = "push",
        sortOptions = false,
        description = {
            "Watch a program's page faults and have the kernel bring its next pages from swap before it touches them.",
            "",
            "Prints one line that begins with 'ready' when it watches, and ends when the program does. Works with any swap"
                    + " device. Needs root; 'leap-nbd doctor push' says what is missing.",
            ""
        },
        customSynopsis = {
            "leap-nbd push --pid PID [OPTIONS]",
            "       leap-nbd push --cgroup DIRECTORY [OPTIONS]",
            "       leap-nbd push --unit NAME [OPTIONS]"
        })
public final class PushCommand implements Callable<Integer> {

    @Mixin
    @SuppressWarnings("UnusedVariable") // picocli and the error handler act on it
    private CommonOptions common = new CommonOptions();

    @Option(
            names = "--pid",
            paramLabel = "PID",
            description = "The program, with its threads and descendants, and those that they will start.")
    private @Nullable Integer pid;

    @Option(
            names = "--cgroup",
            paramLabel = "DIRECTORY",
            description = "All programs in this cgroup, like /sys/fs/cgroup/system.slice/x.service.")
    private @Nullable Path cgroup;

    @Option(
            names = "--unit",
            paramLabel = "NAME",
            description = "All programs of a systemd unit that runs, like redis or user.slice.")
    private @Nullable String unit;

    @Option(
            names = "--policy",
            paramLabel = "NAME",
            defaultValue = "adaptive",
            description = "What says which pages come next: adaptive, leap (as published), or off, which only counts."
                    + " Default: ${DEFAULT-VALUE}.")
    private String policy = "adaptive";

    @Option(names = "--history", paramLabel = "H", description = "leap: deltas remembered. Default: 32.")
    private int history = LeapSettings.PUBLISHED.history();

    @Option(
            names = "--split",
            paramLabel = "N",
            description = "leap: the trend is sought in H/N deltas first. Default: 4.")
    private int split = LeapSettings.PUBLISHED.split();

    @Option(names = "--max-window", paramLabel = "PAGES", description = "leap: the most pages at once. Default: 8.")
    private int maxWindow = LeapSettings.PUBLISHED.maxWindow();

    @Option(
            names = "--http",
            paramLabel = "HOST:PORT",
            defaultValue = "none",
            description = "Where /status, /metrics and /histogram are answered, like 127.0.0.1:9482. Default:"
                    + " ${DEFAULT-VALUE}.")
    private String http = "none";

    @Mixin
    private EndpointAccessOptions httpAccess = new EndpointAccessOptions();

    @Option(names = "--unprotected", description = "Do not lock this process in memory, nor run it ahead of others.")
    private boolean unprotected;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public PushCommand() {}

    @Override
    public Integer call() {
        if (Stream.of(pid, cgroup, unit).filter(Objects::nonNull).count() != 1) {
            throw new ParameterException(
                    spec.commandLine(), "name what to push for: one of --pid, --cgroup and --unit, like --pid 1234");
        }
        PushSettings settings = settings();
        EndpointAddress endpoint = httpAccess.address(http, null);
        Watched watched = pid != null ? Watched.process(pid) : Watched.group(group());
        protect();
        PushService service;
        try {
            service = PushService.open(watched, settings, new DeviceLimits(), endpoint);
        } catch (LinuxException e) {
            throw new CommandFailure(
                    ExitCode.NOT_POSSIBLE_HERE,
                    "page faults cannot be watched (" + e.getMessage()
                            + "); run as root, or see what 'leap-nbd doctor push' says",
                    e);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        }
        Exit exit = new Exit(service::close);
        service.start(exit);
        spec.commandLine().getOut().println("ready " + service.description());
        spec.commandLine().getOut().flush();
        return exit.await();
    }

    private PushSettings settings() {
        try {
            return new PushSettings(PushSettings.Policy.parse(policy), new LeapSettings(history, split, maxWindow));
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    private MemoryGroup group() {
        String name = unit;
        if (name != null) {
            try {
                return MemoryGroup.ofUnit(name)
                        .orElseThrow(() -> new ParameterException(
                                spec.commandLine(),
                                "--unit: no unit " + name + " runs here; 'systemctl list-units' names those that do"));
            } catch (IOException e) {
                throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
            }
        }
        Path directory = Objects.requireNonNull(cgroup);
        return MemoryGroup.at(directory)
                .orElseThrow(() -> new ParameterException(
                        spec.commandLine(),
                        "--cgroup: " + directory + " is no cgroup; give its folder, like /sys/fs/cgroup/NAME"));
    }

    /**
     * Not an IO flusher, unlike what swap goes through: the kernel makes room for pushed pages by paging out, on this thread, which it does
     * not do for an IO flusher. Nobody waits for this process.
     */
    private void protect() {
        if (unprotected) {
            return;
        }
        for (Protection.Finding finding :
                Protection.apply(EnumSet.of(Measure.LOCKED, Measure.OOM_SPARED, Measure.REALTIME), "push")) {
            if (!finding.ok()) {
                spec.commandLine().getErr().println("push: not protected: " + finding);
            }
        }
    }
}
