package io.leapnbd.tools.push;

import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.push.PushSettings;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.Exit;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.client.Server;
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
import java.util.OptionalInt;
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
            "       leap-nbd push --unit NAME [OPTIONS]",
            "       leap-nbd push --device DEVICE [OPTIONS]"
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
            names = "--device",
            paramLabel = "DEVICE",
            description =
                    "All programs that have pages on this swap device, like /dev/nbd0: the 24 with the most. Ends when it is"
                            + " not swapped to any more. 'leap-nbd attach --push' does the same for its own device.")
    private @Nullable Path device;

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
            names = "--server",
            paramLabel = "auto|none|URI",
            defaultValue = "auto",
            description =
                    "The server of the swap device, which is told what will be read: it fetches that at once, and learns"
                            + " nothing from it. auto: one that runs on this machine and keeps one of its swap areas. Default:"
                            + " ${DEFAULT-VALUE}.")
    private String server = "auto";

    @Option(
            names = "--page-cluster",
            paramLabel = "keep|0..9",
            defaultValue = "0",
            description =
                    "Set vm.page-cluster while this runs: the kernel reads 2^N pages at once when it swaps in. With more"
                            + " than 0 it brings neighbours on the device, which take the room of what is pushed. keep leaves it"
                            + " as it is. Default: ${DEFAULT-VALUE}.")
    private String pageCluster = "0";

    @Option(
            names = "--http",
            paramLabel = "HOST:PORT",
            defaultValue = "none",
            description = "Where /status, /metrics and /histogram are answered, like 127.0.0.1:9482. Default:"
                    + " ${DEFAULT-VALUE}.")
    private String http = "none";

    @Mixin
    private EndpointAccessOptions httpAccess = new EndpointAccessOptions();

    @Option(
            names = "--put-back",
            hidden = true,
            description = "Put back the machine's settings of agents that were killed, and end.")
    private boolean putBack;

    @Option(names = "--unprotected", description = "Do not lock this process in memory, nor run it ahead of others.")
    private boolean unprotected;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public PushCommand() {}

    @Override
    public Integer call() {
        if (putBack) {
            PageCluster.putBack(this::say);
            return ExitCode.OK;
        }
        if (Stream.of(pid, cgroup, unit, device).filter(Objects::nonNull).count() != 1) {
            throw new ParameterException(
                    spec.commandLine(),
                    "name what to push for: one of --pid, --cgroup, --unit and --device, like --pid 1234");
        }
        PushSettings settings = settings();
        EndpointAddress endpoint = httpAccess.address(http, null);
        SwapServerSearch search = search();
        AnnouncedReads announced = announced(search);
        OptionalInt cluster = pageCluster();
        Watched watched = watched();
        PageCluster pages = cluster.isPresent() ? PageCluster.set(cluster.getAsInt(), this::say) : null;
        protect();
        PushService service;
        try {
            service = PushService.open(watched, settings, announced, search, endpoint, false);
        } catch (LinuxException e) {
            close(pages);
            throw new CommandFailure(
                    ExitCode.NOT_POSSIBLE_HERE,
                    "page faults cannot be watched (" + e.getMessage()
                            + "); run as root, or see what 'leap-nbd doctor push' says",
                    e);
        } catch (IOException e) {
            close(pages);
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        }
        Exit exit = new Exit(() -> {
            service.close();
            close(pages);
        });
        service.start(exit::request);
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

    private @Nullable SwapServerSearch search() {
        return switch (server) {
            case "none" -> null;
            case "auto" -> SwapServerSearch.amongRunning();
            default -> {
                try {
                    yield SwapServerSearch.at(Server.parse(server));
                } catch (IllegalArgumentException e) {
                    throw new ParameterException(spec.commandLine(), "--server: " + e.getMessage(), e);
                }
            }
        };
    }

    /** A server that was named has to be there; one that was not may come. */
    private AnnouncedReads announced(@Nullable SwapServerSearch search) {
        AnnouncedReads announced = new AnnouncedReads();
        if (search != null) {
            try {
                announced.use(search.find());
            } catch (IOException e) {
                if (!server.equals("auto")) {
                    throw new CommandFailure(ExitCode.UNREACHABLE, "--server: " + e.getMessage(), e);
                }
            }
        }
        return announced;
    }

    private OptionalInt pageCluster() {
        if (pageCluster.equals("keep")) {
            return OptionalInt.empty();
        }
        if (!pageCluster.matches("[0-9]")) {
            throw new ParameterException(
                    spec.commandLine(), "--page-cluster is '" + pageCluster + "'; use keep, or 0 to 9");
        }
        return OptionalInt.of(Integer.parseInt(pageCluster));
    }

    private static void close(@Nullable PageCluster pages) {
        if (pages != null) {
            pages.close();
        }
    }

    private void say(String line) {
        spec.commandLine().getErr().println("push: " + line);
        spec.commandLine().getErr().flush();
    }

    private Watched watched() {
        if (pid != null) {
            return Watched.process(pid);
        }
        return device != null ? Watched.device(device.toAbsolutePath().normalize()) : Watched.group(group());
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
                say("not protected: " + finding);
            }
        }
    }
}
