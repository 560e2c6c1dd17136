package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.rdma.LocalMemory;
import io.leapnbd.donor.rdma.MemoryKeys;
import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.RdmaConnection;
import io.leapnbd.donor.rdma.Transfers;
import io.leapnbd.donor.tls.PoolName;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A connection over RDMA on which one request after the other is answered. For one thread. */
final class RdmaExchange implements Exchange, RdmaPeerEvents {

    private static final RdmaClient.Shape SHAPE =
            new RdmaClient.Shape(1, 1, 2, RequestHeader.LENGTH + Protocol.MAX_RDMA_PAYLOAD);

    private static final int STEP_MILLIS = 50;

    private final long timeoutNanos;
    private final LocalMemory memory;
    private final RdmaConnection connection;
    private @Nullable Transfers transfers;
    private boolean connected;

    /** Whether both ends are about to show who they are. */
    private boolean authenticating;

    private @Nullable String broken;

    /** Whether that is for a reason which waiting does not mend. */
    private boolean refused;

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
                Transfers on = transfers;
                if (authenticating && on != null) {
                    boolean _ = on.awaitCompletions(STEP_MILLIS);
                }
                connection.takeEvents(authenticating ? 0 : STEP_MILLIS);
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
            throw refused ? new RefusedException(why) : new IOException(why);
        }
        if (System.nanoTime() - deadline >= 0) {
            if (authenticating) {
                throw new IOException("took too long for the TLS handshake; is it overloaded?");
            }
            throw new IOException("no answer in " + timeoutNanos / 1_000_000 + " ms");
        }
    }

    @Override
    public void made(Transfers fresh, MemoryKeys memoryHere, int reads) {
        transfers = fresh;
    }

    @Override
    public void authenticating() {
        authenticating = true;
    }

    @Override
    public void authenticated(PoolName donor) {
        // What it may be asked does not depend on its name.
    }

    @Override
    public void refused(String why) {
        if (broken == null) {
            refused = true;
            broken = why;
        }
    }

    @Override
    public void connected() {
        authenticating = false;
        connected = true;
    }

    /** What the donor has said before, such as why, is looked at first. */
    @Override
    public void disconnected(String why) {
        Transfers on = transfers;
        try {
            if (on != null) {
                int _ = on.reap();
            }
        } catch (IOException e) {
            broken(String.valueOf(e.getMessage()));
        }
        broken(why);
    }

    /** The first that is wrong says most. */
    private void broken(String why) {
        if (broken == null) {
            broken = why;
        }
    }

    @Override
    public void readDone(int slot) {
        broken("a read ended that nobody has begun");
    }

    @Override
    public void sent(int slot) {
        // Its frame is used again when it has been answered.
    }

    @Override
    public void received(int slot, int length) {
        Transfers from = transfers;
        if (from == null || length < ReplyHeader.LENGTH) {
            broken("broke the protocol");
            return;
        }
        answer = Unpooled.copiedBuffer(from.receiveFrame(slot).setIndex(0, length));
        try {
            from.receive(slot);
        } catch (IOException e) {
            broken(String.valueOf(e.getMessage()));
        }
    }

    @Override
    public void failed(int why) {
        broken("a work request failed with status " + why);
    }

    @Override
    public void close() {
        connection.close();
        memory.close();
    }
}
