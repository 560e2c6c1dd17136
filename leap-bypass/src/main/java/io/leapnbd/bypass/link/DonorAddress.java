package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Protocol;
import java.io.IOException;
import java.net.InetSocketAddress;

/**
 * Where a donor listens.
 *
 * @param host name or address, without brackets
 * @param port 1 to 65,535
 */
public record DonorAddress(String host, int port) {

    /** Checks the port. */
    public DonorAddress {
        if (port < 1 || port > 65_535) {
            throw new IllegalArgumentException("port " + port + " is not in 1..65535");
        }
        if (host.isEmpty()) {
            throw new IllegalArgumentException("the donor's host is empty");
        }
    }

    /**
     * Resolves the name, which may take a while.
     *
     * @throws IOException if there is no such host
     */
    public InetSocketAddress resolve() throws IOException {
        InetSocketAddress resolved = new InetSocketAddress(host, port);
        if (resolved.isUnresolved()) {
            throw new IOException("there is no host of the name " + host);
        }
        return resolved;
    }

    /** As given on a command line: {@code h}, {@code h:p} or {@code [v6]:p}. */
    public static DonorAddress parse(String text) {
        String host = text;
        int port = Protocol.DEFAULT_PORT;
        int colon = text.lastIndexOf(':');
        boolean bracketed = text.startsWith("[");
        if (colon >= 0 && (bracketed ? colon > text.indexOf(']') : colon == text.indexOf(':'))) {
            host = text.substring(0, colon);
            try {
                port = Integer.parseInt(text.substring(colon + 1));
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("'" + text.substring(colon + 1) + "' is not a port", e);
            }
        }
        if (bracketed) {
            if (!host.endsWith("]")) {
                throw new IllegalArgumentException("'" + text + "' has no closing bracket");
            }
            host = host.substring(1, host.length() - 1);
        }
        return new DonorAddress(host, port);
    }

    /** {@code tcp://host:port}. */
    @Override
    public String toString() {
        return "tcp://" + (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
}
