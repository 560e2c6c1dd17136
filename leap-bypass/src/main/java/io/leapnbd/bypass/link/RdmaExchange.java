package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.rdma.LocalMemory;
import io.leapnbd.donor.rdma.MemoryKeys;
import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.RdmaConnection;
import io.leapnbd.donor.rdma.Transfers;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A connection over RDMA on which one request after the other is answered. For one thread. */
final class RdmaExchange implements Exchange, RdmaClient.Events {

    private static final RdmaClient.Shape SHAPE =
            new RdmaClient.Shape(1, 1, 2, RequestHeader.LENGTH + Protocol.MAX_RDMA_PAYLOAD);

    private static final int STEP_MILLIS = 50;

    private final long timeoutNanos;
    private final LocalMemory memory;
    private final RdmaConnection connection;
    private @Nullable Transfers transfers;
    private boolean connected;
    private @Nullable String broken;
    private @Nullable ByteBuf answer;

    /**
     * Connects.
     *
     * @param to an IPv4 address
     * @param timeout how long the connection, and each answer, may take
     * @param memory what the connections dialled have reads land in; closed at the end
     */
    RdmaExchange(RdmaDialer dialer, InetSocketAddress to, Duration timeout, LocalMemory memory) throws IOException {
        timeoutNanos = timeout.toNanos();
        this.memory = memory;
        connection = dialer.dial(to, SHAPE, this);
        boolean open = false;
        try {
            long deadline = System.nanoTime() + timeoutNanos;
            while (!connected) {
                connection.takeEvents(STEP_MILLIS);
                check(deadline);
            }
            open = true;
        } finally {
            if (!open) {
                close();
            }
        }
    }

    @Override
    public ByteBuf ask(byte operation, ByteBuf request) throws IOException {
        Transfers on = transfers;
        if (on == null) {
            throw new IOException("is not connected");
        }
        ByteBuf frame = on.sendFrame(0);
        frame.setIndex(0, 0).writeBytes(request, request.readerIndex(), request.readableBytes());
        answer = null;
        on.send(0, frame.readableBytes());
        long deadline = System.nanoTime() + timeoutNanos;
        while (answer == null) {
            boolean _ = on.awaitCompletions(STEP_MILLIS);
            connection.takeEvents(0);
            check(deadline);
        }
        ByteBuf answered = answer;
        if (ReplyHeader.operation(answered, 0) != operation
                || ReplyHeader.payload(answered, 0) != answered.readableBytes() - ReplyHeader.LENGTH) {
            throw new IOException("does not speak the donor protocol; is it a leap-nbd donor?");
        }
        return answered;
    }

    private void check(long deadline) throws IOException {
        String why = broken;
        if (why != null && answer == null) {
            throw new IOException(why);
        }
        if (System.nanoTime() - deadline >= 0) {
            throw new IOException("no answer in " + timeoutNanos / 1_000_000 + " ms");
        }
    }

    @Override
    public void made(Transfers fresh, MemoryKeys memoryHere, int reads) {
        transfers = fresh;
    }

    @Override
    public void connected() {
        connected = true;
    }

    @Override
    public void disconnected(String why) {
        broken = why;
    }

    @Override
    public void readDone(int slot) {
        broken = "a read ended that nobody has begun";
    }

    @Override
    public void sent(int slot) {
        // Its frame is used again when it has been answered.
    }

    @Override
    public void received(int slot, int length) {
        Transfers from = transfers;
        if (from == null || length < ReplyHeader.LENGTH) {
            broken = "broke the protocol";
            return;
        }
        answer = Unpooled.copiedBuffer(from.receiveFrame(slot).setIndex(0, length));
        try {
            from.receive(slot);
        } catch (IOException e) {
            broken = String.valueOf(e.getMessage());
        }
    }

    @Override
    public void failed(int why) {
        broken = "a work request failed with status " + why;
    }

    @Override
    public void close() {
        connection.close();
        memory.close();
    }
}
