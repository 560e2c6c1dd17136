package io.leapnbd.bypass.link;

import io.leapnbd.donor.tls.HandshakeLimit;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.ReferenceCountUtil;
import javax.net.ssl.SSLException;

/** Stands behind TLS until that has shown who the donor is; only then the connection is there for the session. On the link's loop. */
final class DonorAuthentication extends ChannelInboundHandlerAdapter {

    private final TcpSession session;

    DonorAuthentication(TcpSession session) {
        this.session = session;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        // There is a socket, and nobody is known at its other end.
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
        if (!done.isSuccess()) {
            session.refused(TlsProblem.sentence(done.cause(), Role.DONOR));
            return;
        }
        try {
            SslHandler tls = ctx.pipeline().get(SslHandler.class);
            session.authenticated(LinkTls.peer(tls.engine().getSession()));
            ctx.pipeline().remove(HandshakeLimit.class);
            ctx.pipeline().remove(this);
            ctx.fireChannelActive();
        } catch (SSLException e) {
            session.refused(TlsProblem.sentence(e, Role.DONOR));
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (TlsProblem.isOne(cause)) {
            session.refused(TlsProblem.sentence(cause, Role.DONOR));
        } else {
            session.ended(String.valueOf(cause.getMessage()));
        }
    }
}
