package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.http.EndpointAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;
import picocli.CommandLine.TypeConversionException;

/** The options of {@code serve} about this machine's own swap: those of {@code attach}, for a server that attaches itself. */
public final class SwapOptions {
    @Option(
            names = "--swap",
            description = {
                "Swap on the export, on this machine: attach it as a block device, and make the device known to the"
                        + " kernel. What 'attach' does, in this process. 'ready' comes when the kernel swaps. Needs root.",
                "SIGTERM ends swapping first, which moves all pages back into memory, and then the server. SIGUSR1, a kill"
                        + " or a crash leaves the device: requests wait, and the same command again goes on with it."
            })
    private boolean swap;

    @Option(
            names = "--swap-device",
            paramLabel = "/dev/nbdN",
            description = "The device to use. Default: one that is free.")
    private @Nullable Path device;

    @Option(
            names = "--swap-connections",
            paramLabel = "N",
            defaultValue = "1",
            description =
                    "Connections of the kernel to this server; each is a queue of its own. Default: ${DEFAULT-VALUE}.")
    private int connections = 1;

    @Option(
            names = "--swap-priority",
            paramLabel = "0..32767",
            defaultValue = "100",
            description = "Of the swap area; the kernel fills higher ones first. Default: ${DEFAULT-VALUE}.")
    private int priority = 100;

    @Option(
            names = "--swap-timeout",
            paramLabel = "TIME",
            defaultValue = "30s",
            converter = Durations.Converter.class,
            description = "Requests that were under way when this server dies are repeated this long after they were"
                    + " made. Default: ${DEFAULT-VALUE}.")
    private Duration timeout = Duration.ofSeconds(30);

    @Option(
            names = "--swap-dead-timeout",
            paramLabel = "TIME",
            defaultValue = "60s",
            converter = Durations.Converter.class,
            description = "How long requests wait for this server to come back. Then they fail, and programs"
                    + " end whose pages they were for. Default: ${DEFAULT-VALUE}.")
    private Duration deadTimeout = Duration.ofSeconds(60);

    @Option(
            names = "--swap-page-cluster",
            paramLabel = "0..9",
            description = "Set vm.page-cluster: the kernel reads 2^N pages at once when it swaps in. Default: as it is,"
                    + " or 0 with --push.")
    private @Nullable Integer pageCluster;

    @Option(names = "--swap-no-discard", description = "The kernel does not tell which pages are free again.")
    private boolean noDiscard;

    @Option(
            names = "--swap-no-host-settings",
            description = "Do not change the machine's vm.* settings; 'leap-nbd doctor' shows which ones would be.")
    private boolean noHostSettings;

    @Option(
            names = "--swap-take-over",
            description = "Make a new swap area although the export has another machine's, or other data. Whoever still"
                    + " swaps on it loses its pages.")
    private boolean takeOver;

    @Option(
            names = "--push",
            description =
                    "With --swap: push pages for the programs that page out, the 24 with the most there. The kernel"
                            + " reads their next pages before they touch them.")
    private boolean push;

    @Option(
            names = "--push-http",
            paramLabel = "HOST:PORT",
            defaultValue = "none",
            description = "Where /status, /metrics and /histogram of --push are answered. Default: ${DEFAULT-VALUE}.")
    private String pushHttp = "none";

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    public SwapOptions() {}

    /** Whether {@code --swap} is given. */
    public boolean given() {
        return swap;
    }

    /**
     * The device, of which nothing exists yet; null without {@code --swap}.
     *
     * @param typed the command line, without what comes from a file
     * @throws ParameterException if one of the options is wrong
     */
    public @Nullable SwapDevice device(List<String> typed) {
        try {
            if (!swap) {
                refuseOthers(typed);
                return null;
            }
            return new SwapDevice(asked(), push);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    /** In a file they may wait for who says {@code --swap}. Said here without it, they would do nothing. */
    private static void refuseOthers(List<String> typed) {
        for (String argument : typed) {
            String option = argument.replaceFirst("=.*", "");
            if (option.startsWith("--swap-") || option.equals("--push") || option.equals("--push-http")) {
                throw new IllegalArgumentException(option + ": this server swaps on nothing; give --swap too");
            }
        }
    }

    private AttachOptions.Asked asked() {
        AttachChecks.connections("--swap-connections", connections);
        AttachChecks.priority("--swap-priority", priority);
        Optional<Integer> cluster = Optional.ofNullable(pageCluster);
        cluster.ifPresent(value -> AttachChecks.pageCluster("--swap-page-cluster", value));
        if (device != null) {
            AttachState.indexOf(device);
        }
        if (!pushHttp.equals("none") && !push) {
            throw new IllegalArgumentException("--push-http: nothing is pushed; give --push too");
        }
        int request = AttachChecks.seconds("--swap-timeout", timeout);
        int dead = AttachChecks.seconds("--swap-dead-timeout", deadTimeout);
        Optional<EndpointAddress> figures = figures();
        return (Server server) -> new AttachOptions(
                server,
                Optional.ofNullable(device),
                connections,
                request,
                dead,
                true,
                priority,
                !noDiscard,
                push ? cluster.or(() -> Optional.of(0)) : cluster,
                !noHostSettings,
                false,
                takeOver,
                push,
                figures,
                AttachState.DIRECTORY);
    }

    /** Only this machine's programs are shown what is pushed: nobody is asked who he is. */
    private Optional<EndpointAddress> figures() {
        EndpointAddress address;
        try {
            address = EndpointAddress.parse(pushHttp, pushHttp);
        } catch (TypeConversionException e) {
            throw new IllegalArgumentException("--push-http: " + e.getMessage(), e);
        }
        if (address != null && address.objection() != null) {
            throw new IllegalArgumentException("--push-http: other machines reach " + pushHttp
                    + "; name an address of this one, like 127.0.0.1:9482");
        }
        return Optional.ofNullable(address);
    }
}
