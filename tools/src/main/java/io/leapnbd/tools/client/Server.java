package io.leapnbd.tools.client;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdHandshake;
import io.leapnbd.nbd.client.NegotiatedExport;
import io.leapnbd.nbd.client.TlsRequiredException;
import io.leapnbd.tools.linux.Endpoint;
import io.leapnbd.tools.linux.FdChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The server to attach to. Host names are resolved once, when the URI is read: a resolver may not work when memory is
 * short.
 *
 * @param uri as the user gave it; for a path, the URI that it stands for
 * @param endpoints where to connect, tried in order
 * @param export its name; empty for the server's default one
 */
public record Server(String uri, List<Endpoint> endpoints, String export) {

    private static final String NO_TLS = "the kernel's NBD client speaks no TLS";

    private static final String INSTEAD =
            "run serve on this machine and attach its Unix socket; it encrypts pages on their way to"
                    + " donors (--encrypt)";

    /**
     * A connection whose handshake is done: the socket is the driver's to use.
     *
     * @param name of the export, as the server says it
     */
    public record Link(FdChannel channel, ExportInfo info, String name) {}

    /**
     * Reads a URI, or the path of a Unix socket, which stands for the server's default export.
     *
     * @throws IllegalArgumentException in one sentence, when it is wrong or its host has no address
     */
    public static Server parse(String text) {
        if (text.regionMatches(true, 0, "nbds:", 0, 5)) {
            throw new IllegalArgumentException("nbds: means TLS, but " + NO_TLS + ": " + INSTEAD);
        }
        if (text.regionMatches(true, 0, "nbds+unix:", 0, 10)) {
            throw new IllegalArgumentException("nbds+unix: means TLS, but " + NO_TLS
                    + ", and over a Unix socket serve asks for none: write nbd+unix:");
        }
        NbdUri uri = isPath(text)
                ? NbdUri.unix(Path.of(text).toAbsolutePath().normalize().toString(), "")
                : NbdUri.parse(text);
        List<Endpoint> endpoints = new ArrayList<>();
        if (uri.socket() != null) {
            endpoints.add(new Endpoint.Unix(Path.of(uri.socket()).toAbsolutePath()));
        } else {
            try {
                for (InetAddress address : InetAddress.getAllByName(uri.host())) {
                    endpoints.add(new Endpoint.Inet(address, uri.port()));
                }
            } catch (UnknownHostException e) {
                throw new IllegalArgumentException("the host " + uri.host() + " has no address", e);
            }
        }
        return new Server(isPath(text) ? uri.toString() : text, List.copyOf(endpoints), uri.export());
    }

    private static boolean isPath(String text) {
        return text.startsWith("/") || text.startsWith("./") || text.startsWith("../");
    }

    /** Whether this text, of the same kind as {@link #uri}, names the same export at the same place. */
    public boolean isAt(String other) {
        if (other.equals(uri)) {
            return true;
        }
        try {
            Server server = parse(other);
            return server.export.equals(export) && server.endpoints.stream().anyMatch(endpoints::contains);
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    /** What is to be said of pages on their way to this server; empty if they stay on this machine. */
    public Optional<String> exposure() {
        return endpoints.stream()
                .filter(endpoint -> endpoint instanceof Endpoint.Inet inet
                        && !inet.address().isLoopbackAddress())
                .findFirst()
                .map(endpoint -> "pages go to " + endpoint
                        + " as they are, for everybody on the way to read and change: " + NO_TLS + "; " + INSTEAD);
    }

    /** Connects and shakes hands, until {@code deadline} by {@link System#nanoTime} at the latest. */
    public Link open(long deadline) throws IOException {
        IOException last = new IOException("no address");
        for (Endpoint endpoint : endpoints) {
            FdChannel channel;
            try {
                channel = FdChannel.connect(endpoint, deadline);
            } catch (IOException e) {
                last = e;
                continue;
            }
            try {
                NegotiatedExport negotiated = NbdHandshake.open(channel, export, false);
                return new Link(
                        channel,
                        new ExportInfo(
                                negotiated.size() / FirstPage.SIZE * FirstPage.SIZE,
                                negotiated.transmissionFlags(),
                                negotiated.description()),
                        negotiated.name());
            } catch (TlsRequiredException e) {
                channel.close();
                throw new IOException("the server requires TLS, and " + NO_TLS + ": " + INSTEAD, e);
            } catch (IOException | RuntimeException e) {
                channel.close();
                throw e;
            }
        }
        throw last;
    }
}
