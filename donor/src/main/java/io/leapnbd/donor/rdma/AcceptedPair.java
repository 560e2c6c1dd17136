package io.leapnbd.donor.rdma;

import java.io.IOException;

/** The accepting end of a connection, as its owner sees it. For one thread, but for {@link #stop}. */
public interface AcceptedPair extends Transfers, AutoCloseable {

    /**
     * Has other buffers from now on, all of which can receive; slots are numbered anew. To be called when nothing is on its way: all messages
     * are known to be sent, and there is no buffer that one could arrive in.
     */
    void resize(FrameCounts counts) throws IOException;

    /** Ends the connection at once: when this returns the peer cannot read or send anything any more. Any thread. */
    void stop();

    /** Gives everything back; when this returns the device does not touch any memory for it any more. */
    @Override
    void close() throws IOException;
}
