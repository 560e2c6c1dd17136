package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.LogOptions;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.config.Configurable;
import io.leapnbd.tools.config.Configuration;
import io.leapnbd.tools.config.InstanceOptions;
import io.leapnbd.tools.http.EndpointAccessOptions;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.http.RunFile;
import io.leapnbd.tools.linux.Hangup;
import io.leapnbd.tools.memory.FittingHeap;
import io.leapnbd.tools.memory.HeapNeed;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd attach}: makes a server's export a swap device of this machine and keeps it connected. */
@Command(
        name = "attach",
        description = {
            "Attach an export as a block device, swap on it, and stay to keep it connected.",
            "",
            "Stays in the foreground. When it is ended by a signal, or by 'leap-nbd detach', it stops swapping first,"
                    + " which moves all pages back into memory. It ignores SIGHUP, so that it outlives the session it"
                    + " was started from.",
            "",
            "Started again after it was killed, it finds the device of this export, which the kernel still swaps on, and"
                    + " keeps that connected. An export never gets a second swap area: the first page says which machine"
                    + " swaps on it, and is wiped when that one detaches."
        })
public final class AttachCommand implements Callable<Integer>, Configurable {
    /** Through the queue of the log: who waited for a journal that is swapped out to this device would wait for ever. */
    private static final Logger log = LoggerFactory.getLogger("io.leapnbd.attach");

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    @SuppressWarnings("UnusedVariable") // picocli and the error handler act on it
    private CommonOptions common = new CommonOptions();

    @Mixin
    private InstanceOptions config = new InstanceOptions("adopt", "take-over");

    @Mixin
    @SuppressWarnings("UnusedVariable") // acted on before the command runs
    private LogOptions logging = new LogOptions();

    @Parameters(
            arity = "0..1",
            paramLabel = "URI",
            description =
                    "The export: nbd+unix:///export?socket=/path or nbd://host:port/export; without a name, the server's"
                            + " default one. A socket's path alone will do too. With --adopt it may be left out. A"
                            + " URI with nbds: is refused, as the kernel's client speaks no TLS; run serve on this machine"
                            + " instead.")
    private @Nullable String uri;

    @Option(names = "--device", paramLabel = "/dev/nbdN", description = "The device to use. Default: one that is free.")
    private @Nullable Path device;

    @Option(
            names = "--connections",
            paramLabel = "N",
            defaultValue = "1",
            description = "Connections to the server; each is a queue of its own. Default: ${DEFAULT-VALUE}.")
    private int connections;

    @Option(
            names = "--timeout",
            paramLabel = "TIME",
            defaultValue = "30s",
            converter = Durations.Converter.class,
            description = "After this long without an answer to a request its connection is given up and made anew."
                    + " Requests that were under way when a server dies are repeated this long after they were made."
                    + " Default: ${DEFAULT-VALUE}.")
    private Duration timeout = Duration.ofSeconds(30);

    @Option(
            names = "--dead-timeout",
            paramLabel = "TIME",
            defaultValue = "60s",
            converter = Durations.Converter.class,
            description =
                    "How long requests wait for the server to come back; then they fail, and with them the programs"
                            + " whose pages they were for. Default: ${DEFAULT-VALUE}.")
    private Duration deadTimeout = Duration.ofSeconds(60);

    @Option(
            names = "--adopt",
            description = "Only keep the device of a resident process that has died connected again; fail when there is"
                    + " none. Without this option such a device is adopted too.")
    private boolean adopt;

    @Option(
            names = "--take-over",
            description = "Make a new swap area although the export has another machine's, or other data. Whoever still"
                    + " swaps on it loses its pages.")
    private boolean takeOver;

    @Option(names = "--no-swap", description = "Attach the device only; do not swap on it.")
    private boolean noSwap;

    @Option(
            names = "--priority",
            paramLabel = "0..32767",
            defaultValue = "100",
            description = "Of the swap area; the kernel fills higher ones first. Default: ${DEFAULT-VALUE}.")
    private int priority;

    @Option(names = "--no-discard", description = "Do not tell the server which pages are free again.")
    private boolean noDiscard;

    @Option(
            names = "--page-cluster",
            paramLabel = "0..9",
            description = "Set vm.page-cluster: the kernel reads 2^N pages at once when it swaps in. Left as it is by"
                    + " default (3): those pages lie next to each other on the device, so one larger request is"
                    + " cheaper than eight. 0 lets the server's prefetcher decide alone.")
    private @Nullable Integer pageCluster;

    @Option(
            names = "--push",
            description =
                    "Push pages for the programs that page out to the device, the 24 with the most there: the kernel reads"
                            + " their next pages before they touch them. Sets --page-cluster to 0, if it is not given.")
    private boolean push;

    @Option(
            names = "--http",
            paramLabel = "HOST:PORT",
            defaultValue = "none",
            description =
                    "Where /status, /metrics and /histogram of --push are answered, and 'leap-nbd set --pid' changes it."
                            + " Default: ${DEFAULT-VALUE}.")
    private String http = "none";

    @Mixin
    private EndpointAccessOptions httpAccess = new EndpointAccessOptions();

    @Option(
            names = "--no-host-settings",
            description = "Do not change the machine's vm.* settings; 'leap-nbd doctor' shows which ones would be.")
    private boolean noHostSettings;

    /** For picocli. */
    public AttachCommand() {}

    @Override
    public void check() {
        checkNumbers();
        if (uri != null) {
            try {
                var _ = Server.parse(uri);
            } catch (IllegalArgumentException e) {
                throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
            }
        }
    }

    @Override
    public Map<String, String> defaultsOf(String instance, Configuration known) {
        List<String> sockets = known.elsewhere("serve", instance, "unix");
        return Map.of("uri", sockets.isEmpty() ? RunFile.socketOf(instance).toString() : sockets.getFirst());
    }

    @Override
    public Integer call() throws IOException {
        AttachOptions options = options();
        if (push) {
            FittingHeap.require("--push", HeapNeed.ATTACH_PUSH, config.typed(spec));
        }
        PrintWriter out = spec.commandLine().getOut();
        Hangup.ignore(); // the end of an ssh session is no reason to give programs' pages up
        Consumer<String> report = line -> log.info("{}", line);
        NbdDriver.load(report);
        new Attachment(options, report, new AttachProcess(report, line -> print(out, line))).run();
        return ExitCode.OK;
    }

    private static void print(PrintWriter writer, String line) {
        writer.println(line);
        writer.flush();
    }

    private void checkNumbers() {
        check(!push || !noSwap, "--push is for a device that is swapped on: leave out --no-swap");
        check(push || http.equals("none"), "--http shows figures of --push: give both, or neither");
        try {
            AttachChecks.connections("--connections", connections);
            AttachChecks.priority("--priority", priority);
            if (pageCluster != null) {
                AttachChecks.pageCluster("--page-cluster", pageCluster);
            }
            AttachChecks.seconds("--timeout", timeout);
            AttachChecks.seconds("--dead-timeout", deadTimeout);
            if (device != null) {
                AttachState.indexOf(device);
            }
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    private AttachOptions options() throws IOException {
        checkNumbers();
        Optional<EndpointAddress> figures = Optional.ofNullable(httpAccess.address(http, null));
        Optional<Integer> cluster = Optional.ofNullable(pageCluster);
        try {
            return new AttachOptions(
                    Server.parse(serverUri()),
                    Optional.ofNullable(device),
                    connections,
                    AttachChecks.seconds("--timeout", timeout),
                    AttachChecks.seconds("--dead-timeout", deadTimeout),
                    !noSwap,
                    priority,
                    !noDiscard,
                    push ? cluster.or(() -> Optional.of(0)) : cluster,
                    !noHostSettings,
                    adopt,
                    takeOver,
                    push,
                    figures,
                    AttachState.DIRECTORY);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    private String serverUri() throws IOException {
        check(!adopt || device != null, "--adopt needs --device: which one to take over");
        if (uri != null) {
            return uri;
        }
        check(adopt, "name the export: nbd+unix:///export?socket=/path or nbd://host:port/export");
        return AttachState.read(AttachState.DIRECTORY, Objects.requireNonNull(device))
                .map(AttachState::uri)
                .orElseThrow(() -> new CommandFailure(
                        ExitCode.FAILED, device + " was not attached by leap-nbd; it cannot be taken over"));
    }

    private void check(boolean right, String otherwise) {
        if (!right) {
            throw new ParameterException(spec.commandLine(), otherwise);
        }
    }
}
