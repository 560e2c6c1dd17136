package io.leapnbd.bypass.link;

import io.leapnbd.donor.tls.FrameKeys;
import io.leapnbd.donor.tls.HandshakeLimit;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** Stands behind TLS until that has shown who the donor is; only then the connection is there for the session. On the link's loop. */
final class DonorAuthentication extends ChannelInboundHandlerAdapter {

    private final TcpSession session;
    private final LinkTls tls;
    private final ReplyReader reader;

    /** What frames in clear are agreed on with, once the donor is known; null before, and if they stay in TLS. */
    private @Nullable KeysAsked asked;

    DonorAuthentication(TcpSession session, LinkTls tls, ReplyReader reader) {
        this.session = session;
        this.tls = tls;
        this.reader = reader;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        // There is a socket, and nobody is known at its other end.
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ByteBuf in = (ByteBuf) message;
        try {
            KeysAsked asking = asked;
            FrameKeys agreed = asking == null ? null : asking.answer(in);
            if (agreed != null) {
                asked = null;
                // What TLS has received behind this, and not looked at, is handed on as it came. What its engine has is
                // thrown away: the donor says nothing behind its keys.
                ctx.pipeline().remove(SslHandler.class);
                reader.checkWith(agreed.fromDonor());
                session.inClear(agreed.fromServer());
                known(ctx);
            }
        } catch (RefusedException e) {
            asked = null;
            session.refused(String.valueOf(e.getMessage()));
        } finally {
            in.release();
        }
    }

    private void known(ChannelHandlerContext ctx) {
        ctx.pipeline().remove(HandshakeLimit.class);
        ctx.pipeline().remove(this);
        ctx.fireChannelActive();
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
            SslHandler handler = ctx.pipeline().get(SslHandler.class);
            session.authenticated(LinkTls.peer(handler.engine().getSession()));
            if (tls.protection() == LinkProtection.TLS) {
                known(ctx);
            } else {
                KeysAsked asking = new KeysAsked(tls);
                asked = asking;
                ctx.writeAndFlush(asking.frame(), ctx.voidPromise());
            }
        } catch (SSLException e) {
            session.refused(TlsProblem.sentence(e, Role.DONOR));
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (TlsProblem.isOne(cause)) {
            session.refused(
                    asked == null
                            ? TlsProblem.sentence(cause, Role.DONOR)
                            : TlsProblem.laterSentence(cause, Role.DONOR));
        } else {
            session.ended(String.valueOf(cause.getMessage()));
        }
    }
}
