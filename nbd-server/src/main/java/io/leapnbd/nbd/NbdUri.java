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
 * {@code nbd://host:port/export} and {@code nbd+unix:///export?socket=PATH}; with TLS {@code nbds://} and {@code nbds+unix://}, and
 * {@code tls-certificates=FOLDER} behind the question mark. The vsock schemes are not understood.
 *
 * @param host host name or address, null for a Unix socket; IPv6 addresses without brackets
 * @param port 1..65,535, or 0 for a Unix socket
 * @param socket path of the Unix socket, or null
 * @param export the export's name; empty for the default one
 * @param tls whether TLS is wanted
 * @param certificates folder of certificates, see {@link io.leapnbd.nbd.tls.TlsFolder}; null if none is named
 */
public record NbdUri(
        @Nullable String host,
        int port,
        @Nullable String socket,
        String export,
        boolean tls,
        @Nullable String certificates) {

    /** The port that IANA has given to NBD. */
    public static final int DEFAULT_PORT = 10809;

    private static final String TCP = "nbd";
    private static final String UNIX = "nbd+unix";
    private static final String TCP_TLS = "nbds";
    private static final String UNIX_TLS = "nbds+unix";
    private static final String CERTIFICATES = "tls-certificates";

    /** An export reached over TCP. */
    public static NbdUri tcp(String host, int port, String export) {
        return new NbdUri(host, port, null, export, false, null);
    }

    /** An export reached over a Unix socket. */
    public static NbdUri unix(String socket, String export) {
        return new NbdUri(null, 0, socket, export, false, null);
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
        String scheme = uri.getScheme();
        boolean tls = TCP_TLS.equalsIgnoreCase(scheme) || UNIX_TLS.equalsIgnoreCase(scheme);
        if (tls && parameter(uri.getRawQuery(), "tls-psk-file") != null) {
            throw new IllegalArgumentException(
                    "'" + text + "' wants a shared key, which this client does not know; use tls-certificates=FOLDER");
        }
        NbdUri place = place(uri, text, export);
        return tls ? place.withTls(parameter(uri.getRawQuery(), CERTIFICATES)) : place;
    }

    private static NbdUri place(URI uri, String text, String export) {
        String scheme = uri.getScheme();
        if (TCP.equalsIgnoreCase(scheme) || TCP_TLS.equalsIgnoreCase(scheme)) {
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
        if (UNIX.equalsIgnoreCase(scheme) || UNIX_TLS.equalsIgnoreCase(scheme)) {
            String socket = parameter(uri.getRawQuery(), "socket");
            if (socket == null || socket.isEmpty()) {
                throw new IllegalArgumentException(
                        "'" + text + "' has no socket; write nbd+unix:///EXPORT?socket=PATH");
            }
            return unix(socket, export);
        }
        throw new IllegalArgumentException("'" + text + "' does not start with nbd:, nbd+unix:, nbds: or nbds+unix:");
    }

    /** The same place, another export. */
    public NbdUri withExport(String name) {
        return new NbdUri(host, port, socket, name, tls, certificates);
    }

    /** The same place and export, with TLS and a folder of certificates. */
    public NbdUri withTls(@Nullable String folder) {
        return new NbdUri(host, port, socket, export, true, folder);
    }

    /** The address to connect to; a host name is resolved now. */
    public SocketAddress address() {
        return socket != null ? UnixDomainSocketAddress.of(socket) : new InetSocketAddress(host, port);
    }

    /** The URI as {@link #parse} reads it. */
    @Override
    public String toString() {
        if (socket != null) {
            String folder = certificates == null ? "" : "&" + CERTIFICATES + "=" + encode(certificates);
            return (tls ? UNIX_TLS : UNIX) + ":///" + encode(export) + "?socket=" + encode(socket) + folder;
        }
        String authority = host != null && host.indexOf(':') >= 0 ? "[" + host + "]" : host;
        String folder = certificates == null ? "" : "?" + CERTIFICATES + "=" + encode(certificates);
        String path = export.isEmpty() && folder.isEmpty() ? "" : "/" + encode(export);
        return (tls ? TCP_TLS : TCP) + "://" + authority + ":" + port + path + folder;
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
