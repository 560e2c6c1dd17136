package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.TestPool;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.tls.PoolAuthority;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * A server's end of a link of messages, over the JDK's TLS: it believes every donor and shows what it likes. It can say what no server says. A
 * wait fails after 30 s.
 */
final class MessagePeer {

    final MemoryPair pair;
    private final SSLEngine engine;

    MessagePeer(MemoryPair pair, PoolAuthority.@Nullable Issued shown) throws GeneralSecurityException, IOException {
        this.pair = pair;
        engine = TestPool.client(shown).createSSLEngine();
        engine.setUseClientMode(true);
        engine.beginHandshake();
    }

    /** What this end says in the handshake after a message of the donor's; empty if it waits. */
    byte[] after(byte[] message) throws SSLException {
        ByteBuffer in = ByteBuffer.wrap(message);
        ByteBuffer out = ByteBuffer.allocate(64 << 10);
        while (true) {
            HandshakeStatus status = engine.getHandshakeStatus();
            if (status == HandshakeStatus.NEED_TASK) {
                engine.getDelegatedTask().run();
            } else if (status == HandshakeStatus.NEED_WRAP) {
                assertThat(engine.wrap(ByteBuffer.allocate(0), out).getStatus()).isEqualTo(SSLEngineResult.Status.OK);
            } else if (status == HandshakeStatus.NEED_UNWRAP && in.hasRemaining()) {
                assertThat(engine.unwrap(in, ByteBuffer.allocate(64 << 10)).getStatus())
                        .isEqualTo(SSLEngineResult.Status.OK);
            } else {
                return Arrays.copyOf(out.array(), out.position());
            }
        }
    }

    /** What it says first. */
    byte[] next() throws SSLException {
        return after(new byte[0]);
    }

    /** This end's half of the handshake, all but its last message, which is the result. */
    byte[] almost() throws Exception {
        pair.say(next());
        return after(heard());
    }

    /** All of it, up to the donor's word that it knows this server. */
    MessagePeer ready() throws Exception {
        pair.say(almost());
        byte[] ready = opened(heard());
        assertThat(ready).hasSize(ReplyHeader.LENGTH);
        assertThat(ready[0]).isEqualTo(Operation.READY);
        assertThat(ready[1]).isEqualTo(Status.OK);
        return this;
    }

    byte[] heard() throws InterruptedException {
        byte[] message = pair.hear();
        if (message == null) {
            throw new AssertionError("the link has ended");
        }
        return message;
    }

    /** A message as it travels. */
    byte[] sealed(byte[] message) throws SSLException {
        ByteBuffer in = ByteBuffer.wrap(message);
        ByteBuffer out = ByteBuffer.allocate(message.length + (32 << 10));
        while (in.hasRemaining()) {
            SSLEngineResult result = engine.wrap(in, out);
            assertThat(result.getStatus()).isEqualTo(SSLEngineResult.Status.OK);
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    byte[] opened(byte[] message) throws SSLException {
        ByteBuffer in = ByteBuffer.wrap(message);
        ByteBuffer out = ByteBuffer.allocate(128 << 10);
        while (in.hasRemaining()) {
            SSLEngineResult result = engine.unwrap(in, out);
            assertThat(result.getStatus()).isIn(SSLEngineResult.Status.OK, SSLEngineResult.Status.CLOSED);
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    /** Asks, and is answered. */
    ByteBuf ask(byte[] frame) throws Exception {
        pair.say(sealed(frame));
        return Unpooled.wrappedBuffer(opened(heard()));
    }

    byte status(byte[] frame) throws Exception {
        return ReplyHeader.status(ask(frame), 0);
    }

    ByteBuf ask(byte operation, int slab, int offset, int length, long version, byte... payload) throws Exception {
        return ask(RawLink.frame(operation, 5, slab, offset, length, version, payload));
    }

    HelloReply hello(Hello hello) throws Exception {
        return reply(ask(RawLink.frame(hello)));
    }

    private static HelloReply reply(ByteBuf answer) throws ProtocolException {
        assertThat(ReplyHeader.status(answer, 0)).isEqualTo(Status.OK);
        return HelloReply.decode(answer.skipBytes(ReplyHeader.LENGTH));
    }
}
