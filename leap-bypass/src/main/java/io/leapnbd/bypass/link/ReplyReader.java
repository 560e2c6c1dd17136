package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.tls.AlteredFrameException;
import io.leapnbd.donor.tls.FrameTags;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a connection's replies apart where they lie: a read's bytes go from the receive buffer straight to where the request
 * wants them, also when they come in pieces. One reader a connection; all fields belong to the loop.
 */
final class ReplyReader extends ChannelInboundHandlerAdapter {

    private static final Logger LOG = LoggerFactory.getLogger(ReplyReader.class);

    /** The first byte of what a peer with TLS answers to one without (RFC 8446, section 5.1). */
    static final byte TLS_ALERT = 21;

    private final TcpSession session;

    /** A header that comes in pieces, and its tag before it if it has one. */
    private final ByteBuf header =
            Unpooled.directBuffer(FrameTags.LENGTH + ReplyHeader.LENGTH, FrameTags.LENGTH + ReplyHeader.LENGTH);

    private final ByteBuf control = Unpooled.buffer(HelloReply.FIXED_LENGTH, HelloReply.MAX_LENGTH + FrameTags.LENGTH);

    /** Of replies, if they come in clear; null otherwise. */
    private @Nullable FrameTags tags;

    /** Bytes before a header. */
    private int before;

    private boolean greeted;

    // The reply whose payload is being read.
    private boolean inPayload;
    private byte operation;
    private byte status;
    private int freeSlabs;
    private int wantedBack;
    private int remaining;
    private int filled;
    private @Nullable LinkRequest request;

    ReplyReader(TcpSession session) {
        this.session = session;
    }

    /** Replies come in clear, with tags. Before the first of them. */
    void checkWith(FrameTags with) {
        tags = with;
        before = FrameTags.LENGTH;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        session.connected(ctx.channel());
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        header.release();
        control.release();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        session.ended("closed the connection");
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (TlsProblem.isOne(cause)) {
            session.refused(TlsProblem.laterSentence(cause, Role.DONOR));
            return;
        }
        if (!(cause instanceof IOException)) {
            LOG.error("the connection to {} failed", ctx.channel().remoteAddress(), cause);
        }
        session.ended(String.valueOf(cause.getMessage()));
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        // A read that fails ends the connection in exceptionCaught, before this.
        if (event == ChannelInputShutdownEvent.INSTANCE) {
            session.lastByteRead();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (ctx.channel().isWritable()) {
            session.mayGoOn();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        session.mayGoOn();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ByteBuf in = (ByteBuf) message;
        try {
            long now = System.nanoTime();
            while (session.live() && in.isReadable()) {
                if (inPayload) {
                    readPayload(in, now);
                } else {
                    readHeader(in, now);
                }
            }
        } catch (AlteredFrameException e) {
            session.refused(TlsProblem.sentence(e, Role.DONOR));
        } catch (ProtocolException e) {
            session.brokeProtocol(String.valueOf(e.getMessage()));
        } finally {
            in.release();
        }
    }

    private void readHeader(ByteBuf in, long now) throws ProtocolException, AlteredFrameException {
        int length = before + ReplyHeader.LENGTH;
        if (header.writerIndex() == 0 && in.readableBytes() >= length) {
            int at = in.readerIndex();
            in.skipBytes(length);
            check(in, at);
            begin(in, at + before, now);
            return;
        }
        in.readBytes(header, Math.min(in.readableBytes(), length - header.writerIndex()));
        if (header.writerIndex() == length) {
            header.clear();
            check(header, 0);
            begin(header, before, now);
        }
    }

    private void check(ByteBuf buf, int tag) throws AlteredFrameException {
        FrameTags with = tags;
        if (with != null) {
            with.checkHeader(buf, tag + before, ReplyHeader.LENGTH, tag);
        }
    }

    private void begin(ByteBuf buf, int at, long now) throws ProtocolException {
        operation = ReplyHeader.operation(buf, at);
        status = ReplyHeader.status(buf, at);
        freeSlabs = ReplyHeader.freeSlabs(buf, at);
        wantedBack = ReplyHeader.wantedBack(buf, at);
        remaining = ReplyHeader.payload(buf, at);
        filled = 0;
        if (greeted && operation == Operation.LAST_WORD) {
            if (remaining != 0) {
                throw new ProtocolException("last word with " + remaining + " bytes");
            }
            session.lastWord(status);
            return;
        }
        if (greeted) {
            int cookie = ReplyHeader.cookie(buf, at);
            LinkRequest found = session.awaiting(cookie);
            if (found == null || found.operation != operation) {
                throw new ProtocolException("reply to operation " + operation + " that nobody waits for");
            }
            if (remaining != expected(found)) {
                throw new ProtocolException("reply to operation " + operation + " with " + remaining + " bytes");
            }
            request = found;
        } else if (operation == TLS_ALERT) {
            throw new ProtocolException("it uses TLS, and this server does not; start it with --pool");
        } else if (operation != Operation.HELLO || remaining < 0 || remaining > HelloReply.MAX_LENGTH) {
            throw new ProtocolException("first reply is not to the hello; is the peer a leap-nbd donor?");
        }
        if (remaining == 0) {
            end(now);
        } else {
            // A body that is no page data has a tag behind it.
            remaining += operation == Operation.READ ? 0 : before;
            inPayload = true;
        }
    }

    private int expected(LinkRequest of) {
        if (status != Status.OK) {
            return 0;
        }
        return switch (of.operation) {
            case Operation.READ -> of.length;
            case Operation.GRANT -> Integer.BYTES;
            default -> 0;
        };
    }

    private void readPayload(ByteBuf in, long now) throws ProtocolException, AlteredFrameException {
        int count = Math.min(in.readableBytes(), remaining);
        LinkRequest of = request;
        if (of != null && operation == Operation.READ) {
            of.data().setBytes(of.bufferIndex + filled, in, in.readerIndex(), count);
            in.skipBytes(count);
        } else {
            control.writeBytes(in, count);
        }
        filled += count;
        remaining -= count;
        if (remaining == 0) {
            inPayload = false;
            checkBody();
            end(now);
        }
    }

    private void checkBody() throws AlteredFrameException {
        FrameTags with = tags;
        if (with != null && operation != Operation.READ) {
            filled -= before;
            with.checkBody(control, 0, filled, filled);
            control.writerIndex(filled);
        }
    }

    private void end(long now) throws ProtocolException {
        LinkRequest of = request;
        if (of == null) {
            HelloReply reply = filled == 0 || status == Status.OTHER_IDENTITY ? null : HelloReply.decode(control);
            control.clear();
            session.helloAnswered(status, reply);
            greeted = session.accepted();
            return;
        }
        request = null;
        if (operation == Operation.GRANT && status == Status.OK) {
            of.grantedHandle = control.readInt();
            control.clear();
        }
        session.answered(of, status, freeSlabs, wantedBack, now);
    }
}
