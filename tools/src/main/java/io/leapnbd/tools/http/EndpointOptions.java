package io.leapnbd.tools.http;

import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.linux.PrivateFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
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
            description = "The HTTP address of the server. Default: that of the server that runs here.")
    private @Nullable HostPort http;

    @Option(names = "--pid", paramLabel = "PID", description = "The server with this process id.")
    private @Nullable Long pid;

    @Option(
            names = "--token-file",
            paramLabel = "FILE",
            description =
                    "The token that the server asks for, its --http-token. Default: the server's own file, if it runs"
                            + " here and you may read that.")
    private @Nullable Path token;

    @Option(
            names = "--tls-certificates",
            paramLabel = "FOLDER",
            description =
                    "Speak HTTPS, with a server whose certificate ca-cert.pem of FOLDER has signed. client-cert.pem and"
                            + " client-key.pem are shown if they are there. Default: the server's --http-tls, if it runs here.")
    private @Nullable Path certificates;

    /** For picocli. */
    public EndpointOptions() {}

    /**
     * A client of the endpoint that is meant.
     *
     * @throws CommandFailure if that cannot be told, with how to tell it
     */
    public EndpointClient client() {
        if (http != null) {
            return client(http, token, certificates);
        }
        List<RunFile> running = RunFile.running();
        if (pid != null) {
            return client(process(pid, running));
        }
        List<RunFile> servers =
                running.stream().filter(file -> file.role().equals("serve")).toList();
        List<RunFile> candidates = servers.isEmpty() ? running : servers;
        if (candidates.size() > 1) {
            throw new CommandFailure(ExitCode.USAGE, "which one? Name it with --pid; " + list(candidates));
        }
        if (candidates.isEmpty()) {
            throw nobody();
        }
        return client(candidates.getFirst());
    }

    /** Whoever listens where a server would is not believed, nor shown a token: it may be anybody of this machine. */
    private static CommandFailure nobody() {
        String folder = PrivateFolder.objection(RunFile.folder());
        return new CommandFailure(
                ExitCode.UNREACHABLE,
                folder == null
                        ? "no server or donor of yours runs here"
                                + (RunFile.areHidden() ? "; root's are shown to root: use sudo" : "")
                                + "; start one with 'leap-nbd serve', or name it with --http"
                        : "what runs here is not known: " + folder);
    }

    /** Whether one process was named, by its address or its id. */
    public boolean named() {
        return http != null || pid != null;
    }

    /**
     * The one that was named by its id; none if it was not.
     *
     * @throws CommandFailure if no such process runs
     */
    public List<RunFile> process() {
        return http != null || pid == null ? List.of() : List.of(process(pid, RunFile.running()));
    }

    private static RunFile process(long pid, List<RunFile> running) {
        return running.stream()
                .filter(file -> file.pid() == pid)
                .findFirst()
                .orElseThrow(() -> new CommandFailure(
                        ExitCode.UNREACHABLE, "process " + pid + " is no leap-nbd server of yours; " + list(running)));
    }

    /**
     * A client of the endpoint of a process that runs here.
     *
     * @throws CommandFailure if it has none
     */
    public EndpointClient client(RunFile file) {
        HostPort address = file.http();
        if (address == null) {
            throw new CommandFailure(
                    ExitCode.UNREACHABLE,
                    "process " + file.pid() + " (" + file.role()
                            + ") runs without an HTTP endpoint; start it without --http none");
        }
        return client(
                address,
                token == null ? file.token() : token,
                certificates == null ? file.certificates() : certificates,
                file);
    }

    /** The run file of the process whose endpoint this is; null if there is none. */
    public static @Nullable RunFile runFileOf(EndpointClient client) {
        return RunFile.running().stream()
                .filter(file -> client.address().equals(file.http()))
                .findFirst()
                .orElse(null);
    }

    /** A client of an endpoint that may be anybody's, with what it has to show. */
    static EndpointClient client(HostPort address, @Nullable Path token, @Nullable Path certificates) {
        return client(address, token, certificates, null);
    }

    /**
     * A client of an endpoint, with what it has to show.
     *
     * @param process whose endpoint it is, if that runs here, by a file that is believed; null if it may be anybody's
     */
    static EndpointClient client(
            HostPort address, @Nullable Path token, @Nullable Path certificates, @Nullable RunFile process) {
        try {
            return new EndpointClient(
                    address,
                    token == null ? null : BearerToken.read(token),
                    certificates == null ? null : tls(new TlsFolder(certificates), process),
                    certificates,
                    process == null ? null : process.pid());
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.USAGE, String.valueOf(e.getMessage()), e);
        }
    }

    private static SSLContext tls(TlsFolder folder, @Nullable RunFile process) throws IOException {
        String shows = process == null ? null : process.shows();
        return shows == null ? folder.javaClient() : folder.javaClientOf(shows);
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
