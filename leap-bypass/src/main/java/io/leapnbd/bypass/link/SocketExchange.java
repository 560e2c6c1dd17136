package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.tls.FrameKeys;
import io.leapnbd.donor.tls.FrameTags;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/** A blocking TCP connection. The deadline is for a whole answer: a donor that trickles gets no more time than one that is silent. */
final class SocketExchange implements Exchange {

    private final DeadlineSocket socket;

    /** What is read and written: the socket, or TLS over it. */
    private final Socket through;

    /** Of frames in clear; null if they have no tags. */
    private final @Nullable FrameKeys keys;

    private final long timeoutNanos;

    private SocketExchange(DeadlineSocket socket, Socket through, @Nullable FrameKeys keys, long timeoutNanos) {
        this.socket = socket;
        this.through = through;
        this.keys = keys;
        this.timeoutNanos = timeoutNanos;
    }

    /**
     * Connects to the first address that accepts.
     *
     * @param addresses of one donor, resolved
     * @param timeout for the connection, and for each answer
     * @param tls who both ends have to show to be; null if they need not
     * @throws RefusedException if one end refuses the other
     */
    static SocketExchange connect(List<InetSocketAddress> addresses, Duration timeout, @Nullable LinkTls tls)
            throws IOException {
        long deadline = System.nanoTime() + timeout.toNanos();
        IOException problem = new IOException("has no address");
        for (int i = 0; i < addresses.size(); i++) {
            // Each of the addresses that are left gets its share of the time.
            long share = (deadline - System.nanoTime()) / (addresses.size() - i);
            DeadlineSocket socket = new DeadlineSocket();
            boolean connected = false;
            try {
                socket.setTcpNoDelay(true);
                socket.readUntil(System.nanoTime() + share);
                socket.connect(addresses.get(i), millis(share));
                Socket through = tls == null ? socket : shakeHands(socket, tls);
                FrameKeys keys = tls == null || tls.protection() == LinkProtection.TLS ? null : agree(through, tls);
                connected = true;
                // TLS is left where it is: closing it would say something that is no frame.
                return new SocketExchange(socket, keys == null ? through : socket, keys, timeout.toNanos());
            } catch (IOException e) {
                problem = e;
            } finally {
                if (!connected) {
                    socket.close();
                }
            }
        }
        throw problem;
    }

    private static Socket shakeHands(DeadlineSocket socket, LinkTls tls) throws IOException {
        try {
            SSLSocket secured = tls.over(socket);
            secured.startHandshake();
            return secured;
        } catch (SSLException e) {
            if (socket.hasNoTls()) {
                throw new RefusedException(TlsProblem.notTls(Role.DONOR), e);
            }
            throw refused(e, TlsProblem.sentence(e, Role.DONOR));
        }
    }

    private static FrameKeys agree(Socket through, LinkTls tls) throws IOException {
        KeysAsked asked = new KeysAsked(tls);
        ByteBuf frame = asked.frame();
        through.getOutputStream().write(frame.array(), frame.arrayOffset(), frame.readableBytes());
        ByteBuf answer = Unpooled.buffer(ReplyHeader.LENGTH);
        try {
            while (true) {
                if (answer.writeBytes(through.getInputStream(), asked.missing()) < 0) {
                    throw new EOFException("closed the connection");
                }
                FrameKeys agreed = asked.answer(answer);
                if (agreed != null) {
                    return agreed;
                }
            }
        } catch (SSLException e) {
            throw refused(e, TlsProblem.laterSentence(e, Role.DONOR));
        }
    }

    private static IOException refused(SSLException problem, String sentence) {
        for (Throwable at = problem; at != null; at = at.getCause()) {
            if (at instanceof SocketTimeoutException) {
                return new IOException("took too long for the TLS handshake; is it overloaded?", problem);
            }
            if (at instanceof EOFException) {
                return new IOException("closed the connection", problem);
            }
        }
        return new RefusedException(sentence, problem);
    }

    @Override
    public ByteBuf ask(byte operation, ByteBuf frame) throws IOException {
        socket.readUntil(System.nanoTime() + timeoutNanos);
        try {
            ByteBuf said = keys == null ? frame : tagged(frame, keys.fromServer());
            through.getOutputStream().write(said.array(), said.arrayOffset(), said.readableBytes());
            return answer(operation);
        } catch (SocketTimeoutException e) {
            throw new IOException(
                    "no answer in " + TimeUnit.NANOSECONDS.toSeconds(timeoutNanos) + " s; is it overloaded?", e);
        } catch (SSLException e) {
            throw refused(e, TlsProblem.laterSentence(e, Role.DONOR));
        }
    }

    /** A server asks for no page data before it opens its links, so each body has a tag. */
    private static ByteBuf tagged(ByteBuf frame, FrameTags with) {
        int body = frame.readableBytes() - RequestHeader.LENGTH;
        int length = FrameTags.LENGTH + frame.readableBytes() + (body > 0 ? FrameTags.LENGTH : 0);
        ByteBuf out = Unpooled.buffer(length);
        out.writeZero(FrameTags.LENGTH).writeBytes(frame);
        with.signHeader(out, FrameTags.LENGTH, RequestHeader.LENGTH, 0);
        if (body > 0) {
            with.signBody(out, FrameTags.LENGTH + RequestHeader.LENGTH, body, out.writerIndex());
        }
        return out.writerIndex(length);
    }

    private ByteBuf answer(byte operation) throws IOException {
        ByteBuf answer = Unpooled.buffer(FrameTags.LENGTH + ReplyHeader.LENGTH);
        FrameKeys with = keys;
        if (with != null) {
            read(answer, FrameTags.LENGTH + ReplyHeader.LENGTH);
            with.fromDonor().checkHeader(answer, FrameTags.LENGTH, ReplyHeader.LENGTH, 0);
            answer.skipBytes(FrameTags.LENGTH).discardReadBytes();
        } else {
            read(answer, ReplyHeader.LENGTH);
        }
        if (ReplyHeader.operation(answer, 0) == Operation.LAST_WORD) {
            throw new IOException("closed the connection: " + Status.name(ReplyHeader.status(answer, 0)));
        }
        if (ReplyHeader.operation(answer, 0) == ReplyReader.TLS_ALERT) {
            throw new RefusedException("uses TLS, and this server does not; start it with --pool");
        }
        int payload = ReplyHeader.payload(answer, 0);
        if (ReplyHeader.operation(answer, 0) != operation || payload < 0 || payload > Protocol.MAX_PAYLOAD) {
            throw new IOException("does not speak the donor protocol; is it a leap-nbd donor?");
        }
        read(answer, payload);
        if (with != null && payload > 0) {
            int end = answer.writerIndex();
            read(answer, FrameTags.LENGTH);
            with.fromDonor().checkBody(answer, ReplyHeader.LENGTH, payload, end);
            answer.writerIndex(end);
        }
        return answer;
    }

    private void read(ByteBuf into, int count) throws IOException {
        int missing = count;
        while (missing > 0) {
            int got = into.writeBytes(through.getInputStream(), missing);
            if (got < 0) {
                throw new EOFException("closed the connection");
            }
            missing -= got;
        }
    }

    private static int millis(long nanos) {
        return Math.clamp(TimeUnit.NANOSECONDS.toMillis(nanos), 1, Integer.MAX_VALUE);
    }

    @Override
    public void close() {
        try {
            through.close();
        } catch (IOException e) {
            // The connection is of no more use either way.
            return;
        }
    }
}
