package io.leapnbd.donor.tls;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;

/**
 * Stands in front of TLS until the peer is known, and closes a connection that has sent more than a handshake takes. While a certificate is looked at TLS
 * keeps what arrives, and goes on reading. On the connection's loop.
 */
public final class HandshakeLimit extends ChannelInboundHandlerAdapter {

    /** Bytes that a peer may send before it is known. A handshake with certificates of a pool takes some 3 KiB. */
    public static final int MOST = 64 << 10;

    private long received;

    /** Of a new connection. */
    public HandshakeLimit() {}

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (message instanceof ByteBuf bytes) {
            received += bytes.readableBytes();
        }
        if (received > MOST) {
            ReferenceCountUtil.release(message);
            ChannelFuture _ = ctx.close();
        } else {
            ctx.fireChannelRead(message);
        }
    }
}
