package io.leapnbd.tools.http;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.HostPort;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which running server or donor a command looks at. */
public final class EndpointOptions {

    /** Where {@code serve} answers HTTP unless told otherwise. */
    public static final String DEFAULT = "127.0.0.1:9480";

    /** Where {@code donor} does. */
    public static final String DONOR_DEFAULT = "127.0.0.1:9481";

    @Option(
            names = "--http",
            paramLabel = "HOST:PORT",
            converter = HostPort.ListenConverter.class,
            description =
                    "The HTTP address of the server. Default: that of the server that runs here, or " + DEFAULT + ".")
    private @Nullable HostPort http;

    @Option(names = "--pid", paramLabel = "PID", description = "The server with this process id.")
    private @Nullable Long pid;

    /** For picocli. */
    public EndpointOptions() {}

    /**
     * A client of the endpoint that is meant.
     *
     * @throws CommandFailure if that cannot be told, with how to tell it
     */
    public EndpointClient client() {
        if (http != null) {
            return new EndpointClient(http);
        }
        List<RunFile> running = RunFile.running();
        if (pid != null) {
            long wanted = pid;
            RunFile found = running.stream()
                    .filter(file -> file.pid() == wanted)
                    .findFirst()
                    .orElseThrow(() -> new CommandFailure(
                            ExitCode.UNREACHABLE,
                            "process " + wanted + " is no leap-nbd server of yours; " + list(running)));
            return client(found);
        }
        List<RunFile> servers =
                running.stream().filter(file -> file.role().equals("serve")).toList();
        List<RunFile> candidates = servers.isEmpty() ? running : servers;
        if (candidates.size() > 1) {
            throw new CommandFailure(ExitCode.USAGE, "which one? Name it with --pid; " + list(candidates));
        }
        return candidates.isEmpty() ? new EndpointClient(HostPort.parseListen(DEFAULT)) : client(candidates.getFirst());
    }

    private static EndpointClient client(RunFile file) {
        HostPort address = file.http();
        if (address == null) {
            throw new CommandFailure(
                    ExitCode.UNREACHABLE,
                    "process " + file.pid() + " (" + file.role()
                            + ") runs without an HTTP endpoint; start it without --http none");
        }
        return new EndpointClient(address);
    }

    private static String list(List<RunFile> running) {
        return running.isEmpty()
                ? "none runs"
                : "there are: "
                        + running.stream()
                                .map(file -> file.pid() + " (" + file.role() + " " + file.uri() + ")")
                                .collect(Collectors.joining(", "));
    }
}
