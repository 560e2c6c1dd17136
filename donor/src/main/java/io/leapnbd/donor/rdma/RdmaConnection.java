package io.leapnbd.donor.rdma;

/** The connecting end of a connection, as its owner sees it. For one thread. */
public interface RdmaConnection extends AutoCloseable {

    /** What to wait on until there are events. */
    int descriptor();

    /** Takes all events that there are, waiting at most {@code millis} for the first, and tells {@link RdmaClient.Events}. */
    void takeEvents(int millis);

    /** Ends it; when this returns no memory is touched for this connection any more, and nothing is told. */
    @Override
    void close();
}
