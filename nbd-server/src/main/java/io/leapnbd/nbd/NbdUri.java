package io.leapnbd.nbd;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Where an export is, as the NBD URI specification ({@code doc/uri.md} beside the protocol's document) writes it:
 * {@code nbd://host:port/export} and {@code nbd+unix:///export?socket=PATH}. The TLS and vsock schemes are not
 * understood.
 *
 * @param host host name or address, null for a Unix socket; IPv6 addresses without brackets
 * @param port 1..65,535, or 0 for a Unix socket
 * @param socket path of the Unix socket, or null
 * @param export the export's name; empty for the default one
 */
public record NbdUri(
        @Nullable String host, int port, @Nullable String socket, String export) {

    /** The port that IANA has given to NBD. */
    public static final int DEFAULT_PORT = 10809;

    private static final String TCP = "nbd";
    private static final String UNIX = "nbd+unix";

    /** An export reached over TCP. */
    public static NbdUri tcp(String host, int port, String export) {
        return new NbdUri(host, port, null, export);
    }

    /** An export reached over a Unix socket. */
    public static NbdUri unix(String socket, String export) {
        return new NbdUri(null, 0, socket, export);
    }

    /**
     * Reads a URI.
     *
     * @throws IllegalArgumentException when it is not an NBD URI, in one sentence
     */
    public static NbdUri parse(String text) {
        URI uri;
        try {
            uri = new URI(text);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("'" + text + "' is not a URI: " + e.getReason(), e);
        }
        String path = uri.getPath();
        String export = path == null || path.isEmpty() ? "" : path.substring(1);
        if (TCP.equalsIgnoreCase(uri.getScheme())) {
            String host = uri.getHost();
            if (host == null) {
                throw new IllegalArgumentException("'" + text + "' has no host; write nbd://HOST:PORT/EXPORT");
            }
            boolean bracketed = host.startsWith("[") && host.endsWith("]");
            int port = uri.getPort() < 0 ? DEFAULT_PORT : uri.getPort();
            if (port == 0 || port > 0xffff) {
                throw new IllegalArgumentException("'" + text + "' has port " + port + "; it must be 1 to 65535");
            }
            return tcp(bracketed ? host.substring(1, host.length() - 1) : host, port, export);
        }
        if (UNIX.equalsIgnoreCase(uri.getScheme())) {
            String socket = parameter(uri.getRawQuery(), "socket");
            if (socket == null || socket.isEmpty()) {
                throw new IllegalArgumentException(
                        "'" + text + "' has no socket; write nbd+unix:///EXPORT?socket=PATH");
            }
            return unix(socket, export);
        }
        throw new IllegalArgumentException("'" + text + "' does not start with nbd: or nbd+unix:");
    }

    /** The same place, another export. */
    public NbdUri withExport(String name) {
        return new NbdUri(host, port, socket, name);
    }

    /** The address to connect to; a host name is resolved now. */
    public SocketAddress address() {
        return socket != null ? UnixDomainSocketAddress.of(socket) : new InetSocketAddress(host, port);
    }

    /** The URI as {@link #parse} reads it. */
    @Override
    public String toString() {
        if (socket != null) {
            return UNIX + ":///" + encode(export) + "?socket=" + encode(socket);
        }
        String authority = host != null && host.indexOf(':') >= 0 ? "[" + host + "]" : host;
        return TCP + "://" + authority + ":" + port + (export.isEmpty() ? "" : "/" + encode(export));
    }

    private static @Nullable String parameter(@Nullable String query, String name) {
        if (query != null) {
            for (String pair : query.split("&", -1)) {
                if (pair.startsWith(name + "=")) {
                    // The URI syntax has no '+' for a space, which is what the form decoder would make of it.
                    String value = pair.substring(name.length() + 1).replace("+", "%2B");
                    return URLDecoder.decode(value, StandardCharsets.UTF_8);
                }
            }
        }
        return null;
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8)
                .replace("+", "%20")
                .replace("%2F", "/");
    }
}
