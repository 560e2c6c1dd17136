package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A donor that is reached over TCP. */
public final class TcpConnector implements DonorConnector {

    private final Donor donor;
    private final InetSocketAddress address;
    private final Duration timeout;
    private final ByteBufAllocator buffers;

    /**
     * Connects nothing yet.
     *
     * @param buffers where links take them from
     * @param timeout how long a connection, and each answer of a conversation, may take
     */
    public TcpConnector(Donor donor, InetSocketAddress address, Duration timeout, ByteBufAllocator buffers) {
        this.donor = donor;
        this.address = address;
        this.timeout = timeout;
        this.buffers = buffers;
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos) {
        TcpLink link = new TcpLink(loop, lane, donor, address, settings, requestTimeoutNanos, buffers);
        link.connect();
        return link;
    }

    @Override
    public Conversation open(Hello hello) throws IOException {
        Socket socket = new Socket();
        try {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout((int) timeout.toMillis());
            socket.connect(address, (int) timeout.toMillis());
            return new SocketConversation(socket, hello);
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    /** A blocking connection that is used for a few requests at start. */
    private static final class SocketConversation implements Conversation {

        private final Socket socket;
        private final byte status;
        private final @Nullable HelloReply reply;

        SocketConversation(Socket socket, Hello hello) throws IOException {
            this.socket = socket;
            ByteBuf body = Unpooled.buffer();
            hello.encode(body);
            send(Operation.HELLO, 0, body);
            Answer answer = receive(Operation.HELLO);
            status = answer.status;
            try {
                reply = answer.body.isReadable() ? HelloReply.decode(answer.body) : null;
            } catch (ProtocolException e) {
                throw new IOException(e.getMessage(), e);
            }
            if (reply == null && status != Status.FENCED) {
                throw new IOException("refused the hello: " + Status.name(status));
            }
        }

        @Override
        public @Nullable HelloReply reply() {
            return reply;
        }

        @Override
        public byte status() {
            return status;
        }

        @Override
        public SlabList list(int from, HelloReply accepted) throws IOException, ProtocolException {
            send(Operation.LIST, from, Unpooled.EMPTY_BUFFER);
            Answer answer = receive(Operation.LIST);
            answer.check();
            return SlabList.decode(answer.body, accepted.slabSize());
        }

        @Override
        public void free(int handle) throws IOException {
            send(Operation.FREE, handle, Unpooled.EMPTY_BUFFER);
            receive(Operation.FREE).check();
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

        private void send(byte operation, int slab, ByteBuf body) throws IOException {
            ByteBuf frame = Unpooled.buffer(RequestHeader.LENGTH + body.readableBytes());
            RequestHeader.encode(frame, 0, operation, 0, slab, 0, 0, body.readableBytes(), 0);
            frame.writerIndex(RequestHeader.LENGTH).writeBytes(body);
            socket.getOutputStream().write(frame.array(), 0, frame.readableBytes());
        }

        private Answer receive(byte operation) throws IOException {
            ByteBuf header = Unpooled.wrappedBuffer(read(ReplyHeader.LENGTH));
            int payload = ReplyHeader.payload(header, 0);
            if (ReplyHeader.operation(header, 0) != operation || payload < 0 || payload > Protocol.MAX_PAYLOAD) {
                throw new IOException("does not speak the donor protocol; is it a leap-nbd donor?");
            }
            return new Answer(ReplyHeader.status(header, 0), Unpooled.wrappedBuffer(read(payload)));
        }

        private byte[] read(int count) throws IOException {
            byte[] bytes = socket.getInputStream().readNBytes(count);
            if (bytes.length < count) {
                throw new EOFException("closed the connection");
            }
            return bytes;
        }

        private record Answer(byte status, ByteBuf body) {

            void check() throws IOException {
                if (status != Status.OK) {
                    throw new IOException("refused: " + Status.name(status));
                }
            }
        }
    }
}
