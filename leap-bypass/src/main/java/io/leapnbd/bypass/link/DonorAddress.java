package io.leapnbd.bypass.link;

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

    /** {@code tcp://host:port}. */
    @Override
    public String toString() {
        return "tcp://" + (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
}
