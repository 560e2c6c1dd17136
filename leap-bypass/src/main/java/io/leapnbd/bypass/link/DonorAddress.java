package io.leapnbd.bypass.link;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * Where a donor listens.
 *
 * @param transport how to talk to it
 * @param host name or address, without brackets
 * @param port 1 to 65,535
 * @param zone what counts as one machine, so that copies of a page are not in one zone; empty for the host
 */
public record DonorAddress(Transport transport, String host, int port, String zone) {

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

        /** Whether it reaches such addresses. RDMA connections have IPv4 ones only. */
        boolean uses(InetSocketAddress address) {
            return this == TCP || address.getAddress() instanceof Inet4Address;
        }

        @Override
        public String toString() {
            return scheme;
        }
    }

    /** Longest host name, in bytes. Every donor keeps the addresses of all of them. */
    public static final int MAX_HOST = 80;

    /** Over TCP. */
    public DonorAddress(String host, int port) {
        this(Transport.TCP, host, port);
    }

    /** In a zone of its host's own. */
    public DonorAddress(Transport transport, String host, int port) {
        this(transport, host, port, "");
    }

    /** The zone, or else the host: copies of a page are on different ones. */
    public String machine() {
        return zone.isEmpty() ? host : "zone " + zone;
    }

    /** Whether what is sent there stays on this machine: a loopback address, or {@code localhost}. Other names are not looked up. */
    public boolean onThisMachine() {
        return host.equals("localhost") || host.equals("::1") || host.matches("127(\\.\\d{1,3}){3}");
    }

    /** Checks port and host. */
    public DonorAddress {
        if (port < 1 || port > 65_535) {
            throw new IllegalArgumentException("port " + port + " is not in 1..65535");
        }
        if (host.isEmpty()) {
            throw new IllegalArgumentException("the donor's host is empty");
        }
        if (host.getBytes(StandardCharsets.UTF_8).length > MAX_HOST) {
            throw new IllegalArgumentException("the donor's host name '" + host + "' is longer than " + MAX_HOST
                    + " bytes; use a shorter name or the address");
        }
    }

    /**
     * Looks the name up, anew each time, which may take a while: not on an event loop.
     *
     * @return all addresses of the name that the transport can use, in the resolver's order; at least one
     * @throws IOException if there is no such host, or it has no such address
     */
    public List<InetSocketAddress> resolveAll() throws IOException {
        List<InetSocketAddress> all;
        try {
            all = Arrays.stream(InetAddress.getAllByName(host))
                    .map(address -> new InetSocketAddress(address, port))
                    .toList();
        } catch (UnknownHostException e) {
            throw new IOException("there is no host of the name " + host, e);
        }
        List<InetSocketAddress> usable = all.stream().filter(transport::uses).toList();
        if (usable.isEmpty()) {
            throw new IOException(
                    all.getFirst() + " is not an IPv4 address, and over RDMA there are no others here; use TCP");
        }
        return usable;
    }

    /** Like {@code tcp://host:port}. */
    @Override
    public String toString() {
        return transport + (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
}
