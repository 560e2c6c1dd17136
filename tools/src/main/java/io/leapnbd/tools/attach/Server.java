package io.leapnbd.tools.attach;

import io.leapnbd.tools.linux.Endpoint;
import io.leapnbd.tools.linux.FdChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The server to attach to, from an NBD URI ({@code nbd://host[:port]/export}, {@code
 * nbd+unix:///export?socket=/path}). Host names are resolved once, here: a resolver may not work when memory is short.
 *
 * @param uri as the user gave it
 * @param endpoints where to connect, tried in order
 * @param export its name
 */
record Server(String uri, List<Endpoint> endpoints, String export) {
    private static final int DEFAULT_PORT = 10809;

    /** A connection whose handshake is done: the socket is the driver's to use. */
    record Link(FdChannel channel, ExportInfo info) {}

    /** Reads a URI; a wrong one is refused in one sentence. */
    static Server parse(String text) {
        URI uri;
        try {
            uri = new URI(text);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("'" + text + "' is not a URI: " + e.getReason(), e);
        }
        String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
        String path = uri.getPath() == null ? "" : uri.getPath();
        String export = path.startsWith("/") ? path.substring(1) : path;
        return switch (scheme) {
            case "nbd+unix" -> new Server(text, List.of(new Endpoint.Unix(socket(text, uri))), export);
            case "nbd" -> new Server(text, resolve(text, uri), export);
            case "nbds", "nbds+unix" ->
                throw new IllegalArgumentException("the kernel's nbd client has no TLS; use nbd:// or nbd+unix://");
            default ->
                throw new IllegalArgumentException("'" + text
                        + "' is not an NBD URI: use nbd://host:port/export or nbd+unix:///export?socket=/path");
        };
    }

    private static Path socket(String text, URI uri) {
        String query = uri.getRawQuery() == null ? "" : uri.getRawQuery();
        for (String parameter : query.split("&", -1)) {
            if (parameter.startsWith("socket=")) {
                String value = parameter.substring("socket=".length()).replace("+", "%2B");
                return Path.of(java.net.URLDecoder.decode(value, StandardCharsets.UTF_8))
                        .toAbsolutePath();
            }
        }
        throw new IllegalArgumentException("'" + text + "' names no socket: add ?socket=/path");
    }

    private static List<Endpoint> resolve(String text, URI uri) {
        if (uri.getHost() == null) {
            throw new IllegalArgumentException("'" + text + "' names no host: use nbd://host:port/export");
        }
        int port = uri.getPort() < 0 ? DEFAULT_PORT : uri.getPort();
        try {
            List<Endpoint> endpoints = new ArrayList<>();
            for (InetAddress address : InetAddress.getAllByName(uri.getHost())) {
                endpoints.add(new Endpoint.Inet(address, port));
            }
            return List.copyOf(endpoints);
        } catch (java.net.UnknownHostException e) {
            throw new IllegalArgumentException("the host " + uri.getHost() + " has no address", e);
        }
    }

    /** Connects and shakes hands, until {@code deadline} by {@link System#nanoTime} at the latest. */
    Link open(long deadline) throws IOException {
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
                return new Link(channel, new Handshake(channel).go(export));
            } catch (IOException | RuntimeException e) {
                channel.close();
                throw e;
            }
        }
        throw last;
    }
}
