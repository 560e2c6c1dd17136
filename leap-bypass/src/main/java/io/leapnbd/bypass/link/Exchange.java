package io.leapnbd.bypass.link;

import io.netty.buffer.ByteBuf;
import java.io.IOException;

/** One request after the other over some transport; what {@link ProtocolConversation} talks through. For one thread. */
interface Exchange extends AutoCloseable {

    /**
     * Sends a frame, and waits for the answer to it.
     *
     * @param operation what the answer has to be to
     * @param frame header and payload
     * @return header and payload, whole
     * @throws IOException if there is no answer in time, or none of the protocol
     */
    ByteBuf ask(byte operation, ByteBuf frame) throws IOException;

    @Override
    void close();
}
