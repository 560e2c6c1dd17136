package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
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

/** A blocking TCP connection. The deadline is for a whole answer: a donor that trickles gets no more time than one that is silent. */
final class SocketExchange implements Exchange {

    private final Socket socket;
    private final long timeoutNanos;

    private SocketExchange(Socket socket, long timeoutNanos) {
        this.socket = socket;
        this.timeoutNanos = timeoutNanos;
    }

    /**
     * Connects to the first address that accepts.
     *
     * @param addresses of one donor, resolved
     * @param timeout for the connection, and for each answer
     */
    static SocketExchange connect(List<InetSocketAddress> addresses, Duration timeout) throws IOException {
        long deadline = System.nanoTime() + timeout.toNanos();
        IOException problem = new IOException("has no address");
        for (int i = 0; i < addresses.size(); i++) {
            // Each of the addresses that are left gets its share of the time.
            long share = (deadline - System.nanoTime()) / (addresses.size() - i);
            Socket socket = new Socket();
            boolean connected = false;
            try {
                socket.setTcpNoDelay(true);
                socket.connect(addresses.get(i), millis(share));
                connected = true;
                return new SocketExchange(socket, timeout.toNanos());
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

    @Override
    public ByteBuf ask(byte operation, ByteBuf frame) throws IOException {
        long deadline = System.nanoTime() + timeoutNanos;
        socket.getOutputStream().write(frame.array(), frame.arrayOffset(), frame.readableBytes());
        ByteBuf answer = Unpooled.buffer(ReplyHeader.LENGTH);
        read(answer, ReplyHeader.LENGTH, deadline);
        if (ReplyHeader.operation(answer, 0) == Operation.LAST_WORD) {
            throw new IOException("closed the connection: " + Status.name(ReplyHeader.status(answer, 0)));
        }
        int payload = ReplyHeader.payload(answer, 0);
        if (ReplyHeader.operation(answer, 0) != operation || payload < 0 || payload > Protocol.MAX_PAYLOAD) {
            throw new IOException("does not speak the donor protocol; is it a leap-nbd donor?");
        }
        read(answer, payload, deadline);
        return answer;
    }

    private void read(ByteBuf into, int count, long deadline) throws IOException {
        int missing = count;
        while (missing > 0) {
            long left = deadline - System.nanoTime();
            try {
                if (left <= 0) {
                    throw new SocketTimeoutException();
                }
                socket.setSoTimeout(millis(left));
                int got = into.writeBytes(socket.getInputStream(), missing);
                if (got < 0) {
                    throw new EOFException("closed the connection");
                }
                missing -= got;
            } catch (SocketTimeoutException e) {
                throw new IOException(
                        "no answer in " + TimeUnit.NANOSECONDS.toSeconds(timeoutNanos) + " s; is it overloaded?", e);
            }
        }
    }

    private static int millis(long nanos) {
        return Math.clamp(TimeUnit.NANOSECONDS.toMillis(nanos), 1, Integer.MAX_VALUE);
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            // The connection is of no more use either way.
            return;
        }
    }
}
