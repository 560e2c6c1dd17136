package io.leapnbd.donor.net;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.socket.SocketChannelConfig;
import io.netty.util.ReferenceCountUtil;
import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands in front of TLS, which closes a connection by itself when something is wrong with it, and says how. What the link itself {@linkplain LinkEnd
 * ends} does not come by here. On the link's loop.
 *
 * <p><b>A handshake that fails</b> ends with a FIN, and what still arrives is thrown away for a while: bytes that were not read make the kernel
 * reset the connection, and the peer would lose the alert that says why.
 *
 * <p><b>A link of somebody who is known</b> ends by a reset. A server takes a FIN for the end of this process, and an alert in front of it
 * need not have reached the socket.
 */
final class CloseByTls extends ChannelDuplexHandler {

    private static final Logger LOG = LoggerFactory.getLogger(CloseByTls.class);

    private final Duration linger;
    private boolean known;
    private boolean lingers;

    CloseByTls(Duration linger) {
        this.linger = linger;
    }

    /** The peer has shown who it is. */
    void known() {
        known = true;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (lingers) {
            ReferenceCountUtil.release(message);
        } else {
            ctx.fireChannelRead(message);
        }
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        if (known) {
            resets(ctx);
            ctx.close(promise);
        } else if (lingers || !(ctx.channel() instanceof DuplexChannel socket) || !socket.isActive()) {
            ctx.close(promise);
        } else {
            lingers = true;
            ctx.channel().config().setAutoRead(true);
            ChannelFuture _ = socket.shutdownOutput();
            ScheduledFuture<?> _ =
                    ctx.executor().schedule(() -> ctx.close(promise), linger.toNanos(), TimeUnit.NANOSECONDS);
        }
    }

    private static void resets(ChannelHandlerContext ctx) {
        try {
            if (ctx.channel().isOpen() && ctx.channel().config() instanceof SocketChannelConfig socket) {
                SocketChannelConfig _ = socket.setSoLinger(0);
            }
        } catch (ChannelException e) {
            LOG.debug("{} is closed already", ctx.channel().remoteAddress());
        }
    }
}
