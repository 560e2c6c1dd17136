package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.protocol.Claimant;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Reads never wait behind writes: what a link sends to a donor that answers no write, and in which order. */
class WriteFloodTest {

    private static final int WINDOW = 512 << 10;
    private static final int PIECE = 128 << 10;
    private static final int PIECES = 128;
    private static final int DEADLINE_SECONDS = 60;
    private static final LinkSettings SETTINGS = new LinkSettings(
            "flood",
            new UUID(1, 1),
            new UUID(2, 2),
            1,
            new UUID(4, 4),
            "test",
            () -> ByteBuffer.allocate(0),
            _ -> false,
            Protocol.MIN_SLAB_SIZE,
            Duration.ofSeconds(DEADLINE_SECONDS),
            WINDOW);

    private static final UUID PROCESS = new UUID(3, 3);

    private static final HelloReply HELLO = new HelloReply(
            Protocol.VERSION,
            PROCESS,
            new HelloReply.Limits(Protocol.MIN_SLAB_SIZE, 2 * PIECES, 60),
            1,
            HelloReply.NONE,
            Claimant.NOBODY,
            HelloReply.Activity.NONE,
            new HelloReply.Room(9, 8, 5, 0),
            0,
            0,
            ByteBuffer.allocate(0));

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final ByteBuf data = Unpooled.directBuffer(PIECE, PIECE).writeZero(PIECE);

    @AfterEach
    void stop() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        data.release();
    }

    @Test
    void aReadHasNoMoreThanTheWindowOfWritesAheadOfIt() throws Exception {
        try (DeafDonor donor = new DeafDonor()) {
            DonorLink link = link(donor);
            AtomicInteger written = new AtomicInteger();
            CompletableFuture<LinkRequest.Outcome> read = new CompletableFuture<>();
            loop.execute(() -> {
                for (int i = 0; i < PIECES; i++) {
                    post(link, Operation.WRITE, i * PIECE % Protocol.MIN_SLAB_SIZE, PIECE, (r, now) -> {
                        assertThat(r.outcome).isEqualTo(LinkRequest.Outcome.OK);
                        written.incrementAndGet();
                    });
                }
                link.flush();
                post(link, Operation.READ, 0, 4096, (r, now) -> read.complete(r.outcome));
                link.flush();
            });
            // Before a single write is answered.
            assertThat(donor.aheadOfRead.get(DEADLINE_SECONDS, TimeUnit.SECONDS))
                    .isBetween((long) PIECE, (long) WINDOW);
            assertThat(read.get(DEADLINE_SECONDS, TimeUnit.SECONDS)).isEqualTo(LinkRequest.Outcome.OK);
            assertThat(written).hasValue(0);
            donor.answerWrites();
            assertThat(donor.allWritten.get(DEADLINE_SECONDS, TimeUnit.SECONDS)).isEqualTo(PIECES);
            while (written.get() < PIECES) {
                loop.submit(() -> {}).get(DEADLINE_SECONDS, TimeUnit.SECONDS);
            }
            loop.submit(link::close).get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        }
    }

    private DonorLink link(DeafDonor donor) throws Exception {
        Donor known = new Donor("deaf", new IgnoringListener());
        known.stand(DonorStanding.claimed(PROCESS, 1));
        DonorConnector connector = new TcpConnector(
                known,
                new DonorAddress("127.0.0.1", donor.address().getPort()),
                SETTINGS.connectTimeout(),
                UnpooledByteBufAllocator.DEFAULT,
                null);
        DonorLink link = loop.submit(() -> connector.link(
                        loop, 0, SETTINGS, Duration.ofSeconds(DEADLINE_SECONDS).toNanos()))
                .get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        while (!loop.submit(link::ready).get(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
            Thread.onSpinWait();
        }
        return link;
    }

    private void post(DonorLink link, byte operation, int offset, int length, LinkCompletion completion) {
        LinkRequest request = new LinkRequest();
        request.operation = operation;
        request.offset = offset;
        request.length = length;
        request.buffer = data;
        request.startNanos = System.nanoTime();
        request.deadlineNanos = request.startNanos + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS);
        request.completion = completion;
        link.post(request);
    }

    /** A donor that receives everything, answers reads at once, and writes only when it is told to. */
    private static final class DeafDonor implements AutoCloseable {

        final CompletableFuture<Long> aheadOfRead = new CompletableFuture<>();
        final CompletableFuture<Integer> allWritten = new CompletableFuture<>();

        private final ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        private final Thread thread = Thread.ofPlatform().name("deaf donor").start(this::serve);
        private final int[] unanswered = new int[PIECES];
        private int writes;
        private int answered;
        private boolean answers;
        private OutputStream out = OutputStream.nullOutputStream();

        DeafDonor() throws IOException {}

        InetSocketAddress address() {
            return (InetSocketAddress) listener.getLocalSocketAddress();
        }

        void answerWrites() throws IOException {
            synchronized (unanswered) {
                answers = true;
                answerPending();
            }
        }

        private void serve() {
            try (Socket socket = listener.accept();
                    DataInputStream in = new DataInputStream(socket.getInputStream())) {
                synchronized (unanswered) {
                    out = socket.getOutputStream();
                }
                long bytes = 0;
                while (true) {
                    ByteBuf header = Unpooled.wrappedBuffer(in.readNBytes(RequestHeader.LENGTH));
                    if (header.readableBytes() < RequestHeader.LENGTH) {
                        return;
                    }
                    int payload = RequestHeader.payload(header, 0);
                    in.readFully(new byte[payload]);
                    byte operation = RequestHeader.operation(header, 0);
                    int cookie = RequestHeader.cookie(header, 0);
                    synchronized (unanswered) {
                        if (operation == Operation.HELLO) {
                            ByteBuf reply = Unpooled.buffer();
                            HELLO.encode(reply);
                            reply(operation, cookie, reply);
                        } else if (operation == Operation.READ) {
                            aheadOfRead.complete(bytes);
                            reply(operation, cookie, Unpooled.wrappedBuffer(new byte[4096]));
                        } else {
                            bytes += payload;
                            unanswered[writes++] = cookie;
                            answerPending();
                        }
                    }
                }
            } catch (EOFException e) {
                // The link was closed.
            } catch (IOException e) {
                aheadOfRead.completeExceptionally(e);
            }
        }

        private void answerPending() throws IOException {
            while (answers && answered < writes) {
                reply(Operation.WRITE, unanswered[answered++], Unpooled.EMPTY_BUFFER);
            }
            if (answered == PIECES) {
                allWritten.complete(answered);
            }
        }

        private void reply(byte operation, int cookie, ByteBuf body) throws IOException {
            ByteBuf reply = Unpooled.buffer();
            reply.writeZero(ReplyHeader.LENGTH);
            ReplyHeader.encode(reply, 0, operation, Status.OK, cookie, body.readableBytes(), 0);
            reply.writeBytes(body);
            out.write(reply.array(), 0, reply.writerIndex());
        }

        @Override
        public void close() throws IOException {
            listener.close();
            try {
                assertThat(thread.join(Duration.ofSeconds(DEADLINE_SECONDS))).isTrue();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
