package io.leapnbd.nbd.server;

import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandler;
import java.util.function.Consumer;

/** By what clients are known over TLS. Any thread. */
interface TlsMethod extends AutoCloseable {

    /**
     * A handler for one connection, to stand before all others: what they write leaves encrypted. It fires a {@link
     * io.netty.handler.codec.DecoderException} caused by a {@link javax.net.ssl.SSLException} when the client breaks TLS. On the connection's loop.
     *
     * @param established is told the version and who the client is, once the handshake is over; on the loop
     */
    ChannelHandler handler(ByteBufAllocator allocator, Consumer<String> established);

    /** Stands in another one's place from now on. Any thread. */
    default void follow(TlsMethod before) {}

    /** Another one stands in its place: connections that are there go on. */
    default void retire() {
        close();
    }

    /** To be called when the servers that use it are closed. */
    @Override
    void close();
}
