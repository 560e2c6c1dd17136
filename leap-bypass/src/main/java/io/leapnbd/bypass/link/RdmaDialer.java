package io.leapnbd.bypass.link;

import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.RdmaConnection;
import java.io.IOException;

/** The way to one donor over RDMA. */
@FunctionalInterface
interface RdmaDialer {

    /** Begins to connect; how that goes on is told to {@code events}, on the thread that takes them. */
    RdmaConnection dial(RdmaClient.Shape shape, RdmaClient.Events events) throws IOException;
}
