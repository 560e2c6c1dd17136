package io.leapnbd.bypass.link;

import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.RdmaConnection;
import java.io.IOException;
import java.net.InetSocketAddress;

/** The way to one donor over RDMA. */
@FunctionalInterface
interface RdmaDialer {

    /** Begins to connect to an IPv4 address; how that goes on is told to {@code events}, on the thread that takes them. */
    RdmaConnection dial(InetSocketAddress to, RdmaClient.Shape shape, RdmaPeerEvents events) throws IOException;
}
