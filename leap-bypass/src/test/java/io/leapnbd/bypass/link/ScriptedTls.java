package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;

/** A donor's end of TLS over messages, over the JDK's. For one thread. */
final class ScriptedTls {

    private final SSLEngine engine;

    /** Whether the server has shown who it is. */
    boolean known;

    /** Whether this end has refused it. */
    boolean refused;

    ScriptedTls(SSLContext context) {
        engine = context.createSSLEngine();
        engine.setUseClientMode(false);
        engine.setNeedClientAuth(true);
        try {
            engine.beginHandshake();
        } catch (SSLException e) {
            throw new AssertionError(e);
        }
    }

    /** What is said to a message of the handshake; nothing may be. An alert, if this end refuses. */
    ByteBuf shakes(ByteBuf message) {
        ByteBuffer in = message.nioBuffer();
        ByteBuffer out = ByteBuffer.allocate(64 << 10);
        try {
            while (true) {
                HandshakeStatus status = engine.getHandshakeStatus();
                if (status == HandshakeStatus.NEED_TASK) {
                    engine.getDelegatedTask().run();
                } else if (status == HandshakeStatus.NEED_WRAP) {
                    SSLEngineResult _ = engine.wrap(ByteBuffer.allocate(0), out);
                } else if (status == HandshakeStatus.NEED_UNWRAP && in.hasRemaining()) {
                    SSLEngineResult _ = engine.unwrap(in, ByteBuffer.allocate(64 << 10));
                } else {
                    known = status == HandshakeStatus.NOT_HANDSHAKING && !engine.isInboundDone();
                    break;
                }
            }
        } catch (SSLException e) {
            refused = true;
            last(out);
        }
        return Unpooled.wrappedBuffer(out.flip());
    }

    private void last(ByteBuffer out) {
        try {
            SSLEngineResult _ = engine.wrap(ByteBuffer.allocate(0), out);
        } catch (SSLException e) {
            throw new AssertionError(e);
        }
    }

    static ByteBuf ready() {
        ByteBuf ready = Unpooled.buffer();
        ready.writeZero(ReplyHeader.LENGTH);
        ReplyHeader.encode(ready, 0, Operation.READY, Status.OK, 0, 0, 0);
        return ready;
    }

    ByteBuf sealed(ByteBuf message) {
        ByteBuffer in = message.nioBuffer();
        ByteBuffer out = ByteBuffer.allocate(in.remaining() + (32 << 10));
        try {
            while (in.hasRemaining()) {
                assertThat(engine.wrap(in, out).getStatus()).isEqualTo(SSLEngineResult.Status.OK);
            }
        } catch (SSLException e) {
            throw new AssertionError(e);
        }
        return Unpooled.wrappedBuffer(out.flip());
    }

    ByteBuf opened(ByteBuf message) {
        ByteBuffer in = message.nioBuffer();
        ByteBuffer out = ByteBuffer.allocate(128 << 10);
        try {
            while (in.hasRemaining()) {
                assertThat(engine.unwrap(in, out).getStatus()).isEqualTo(SSLEngineResult.Status.OK);
            }
        } catch (SSLException e) {
            throw new AssertionError(e);
        }
        return Unpooled.wrappedBuffer(out.flip());
    }
}
