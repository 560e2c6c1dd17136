package io.leapnbd.bypass.link;

import java.io.IOException;
import java.net.InetSocketAddress;

/**
 * Where a donor listens.
 *
 * @param transport how to talk to it
 * @param host name or address, without brackets
 * @param port 1 to 65,535
 */
public record DonorAddress(Transport transport, String host, int port) {

    /** How pages travel to a donor. */
    public enum Transport {
        /** A socket. */
        TCP("tcp://"),
        /** Queue pairs; reads without the donor's processors. */
        RDMA("rdma://");

        private final String scheme;

        Transport(String scheme) {
            this.scheme = scheme;
        }

        @Override
        public String toString() {
            return scheme;
        }
    }

    /** Over TCP. */
    public DonorAddress(String host, int port) {
        this(Transport.TCP, host, port);
    }

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

    /** Like {@code tcp://host:port}. */
    @Override
    public String toString() {
        return transport + (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
}
