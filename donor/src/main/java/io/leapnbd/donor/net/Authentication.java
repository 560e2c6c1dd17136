package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.tls.HandshakeLimit;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.ReferenceCountUtil;
import java.nio.channels.ClosedChannelException;
import java.util.Objects;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands behind TLS until that has shown who a link's server is. Nothing that was received gets past it before. How long that may take is
 * the hello's deadline, which runs already. On the link's loop.
 */
final class Authentication extends ChannelInboundHandlerAdapter {

    private static final Logger LOG = LoggerFactory.getLogger(Authentication.class);

    private final Listener listener;
    private final LinkHandler link;

    Authentication(Listener listener, LinkHandler link) {
        this.listener = listener;
        this.link = link;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ReferenceCountUtil.release(message);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (!(event instanceof SslHandshakeCompletionEvent done)) {
            ctx.fireUserEventTriggered(event);
            return;
        }
        listener.handshakes().leave(link.conversation());
        if (!done.isSuccess()) {
            refused(ctx, done.cause());
            return;
        }
        try {
            SslHandler tls = ctx.pipeline().get(SslHandler.class);
            LinkTls ours = Objects.requireNonNull(listener.tls());
            link.identified(LinkTls.peer(tls.engine().getSession()).identity(), new KeyExchange(ours));
            ctx.pipeline().get(CloseByTls.class).known();
            ctx.pipeline().remove(HandshakeLimit.class);
            ctx.pipeline().remove(this);
        } catch (SSLException e) {
            refused(ctx, e);
            ChannelFuture _ = ctx.close();
        }
    }

    private void refused(ChannelHandlerContext ctx, Throwable problem) {
        boolean gone =
                problem instanceof SSLHandshakeException && !ctx.channel().isActive();
        if (gone || problem instanceof ClosedChannelException) {
            LOG.debug("{}: {}", ctx.channel().remoteAddress(), problem.getMessage());
            return;
        }
        listener.counters().badRequests.increment();
        listener.log()
                .info(
                        "link from {} {}",
                        PeerText.of(ctx.channel().remoteAddress()),
                        TlsProblem.sentence(problem, Role.SERVER));
        if (TlsProblem.isNotTls(problem)) {
            tellPlainly(ctx);
        }
    }

    /** A server without TLS understands that much. It goes past TLS, which closes the connection next. */
    private void tellPlainly(ChannelHandlerContext ctx) {
        ByteBuf reply = ctx.alloc().directBuffer(ReplyHeader.LENGTH);
        ReplyHeader.encode(reply, 0, Operation.HELLO, Status.UNAUTHENTICATED, 0, 0, 0);
        reply.writerIndex(ReplyHeader.LENGTH);
        ChannelFuture _ = ctx.pipeline().firstContext().writeAndFlush(reply);
    }

    /** TLS has told why in its event, and closes the connection. */
    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        LOG.debug("{}: {}", ctx.channel().remoteAddress(), cause.getMessage());
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        listener.handshakes().leave(link.conversation());
        ctx.fireChannelInactive();
    }
}
