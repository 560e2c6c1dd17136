package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.MemoryKeys;
import io.leapnbd.donor.rdma.RdmaConnection;
import io.leapnbd.donor.rdma.Transfers;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.MessageTls;
import io.leapnbd.donor.tls.PoolName;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Stands between one connection to a donor of a pool and its owner, who sees a connection that is there when the donor has shown who it is and
 * has said that it knows this server; and whose messages are plain. Reads by the device go past. For one thread.
 *
 * <pre>
 *   handshake ----> waiting for READY ----> open
 *        \                 |                 /
 *         +----------> refused <------------+
 * </pre>
 */
final class TlsOverRdma implements RdmaConnection, RdmaPeerEvents {

    /** Messages of the handshake are sent from it, one after the other. */
    private static final int SLOT = 0;

    private enum Stage {
        HANDSHAKE,
        AWAITS_READY,
        OPEN,
        REFUSED
    }

    private final LinkTls pool;
    private final MessageTls tls;
    private final @Nullable Executor loop;
    private final RdmaPeerEvents owner;

    private @Nullable RdmaConnection connection;
    private @Nullable Transfers transfers;
    private Stage stage = Stage.HANDSHAKE;

    /** Whether the donor has said anything. */
    private boolean answered;

    /** Whether the frame of {@link #SLOT} is on its way. */
    private boolean sending;

    /** The rest of a message, which has to wait for that. */
    private @Nullable Runnable afterSending;

    /** Whether a certificate is being looked at. */
    private boolean looking;

    /** Messages that arrived meanwhile, of a connection that is not open. Frames are received into again only when they were read, so there are few. */
    private final Queue<Runnable> waiting = new ArrayDeque<>();

    /** Why one end refuses the other, until that is told. */
    private @Nullable String refusal;

    /** Told at the end to whoever ends links of peers that are not believed any more. */
    private Runnable unwatch = () -> {};

    private boolean closed;

    TlsOverRdma(LinkTls pool, MessageTls tls, @Nullable Executor loop, RdmaPeerEvents owner) {
        this.pool = pool;
        this.tls = tls;
        this.loop = loop;
        this.owner = owner;
    }

    /** The connection is dialled. */
    void over(RdmaConnection dialled) {
        connection = dialled;
    }

    // What the connection tells.

    @Override
    public void made(Transfers fresh, MemoryKeys memory, int readSlots) throws IOException {
        transfers = fresh;
        owner.made(new EncryptedTransfers(tls, fresh), memory, readSlots);
    }

    @Override
    public void connected() {
        owner.authenticating();
        goOn(Unpooled.EMPTY_BUFFER, -1);
    }

    /**
     * Goes on with the handshake.
     *
     * @param in what the donor has said
     * @param slot where that is; -1 if it is nowhere
     */
    private void goOn(ByteBuf in, int slot) {
        if (sending) {
            afterSending = () -> goOn(in, slot);
            return;
        }
        ByteBuf out = connected(transfers).sendFrame(SLOT).clear();
        MessageTls.Step step;
        try {
            step = tls.handshake(in, out);
        } catch (SSLException e) {
            refuse(TlsProblem.sentence(e, Role.DONOR));
            tls.lastWords(out);
            boolean _ = send(out);
            return;
        }
        if (!send(out)) {
            return;
        }
        if (step == MessageTls.Step.TASK) {
            look(in, slot);
            return;
        }
        if (step == MessageTls.Step.DONE && stage == Stage.HANDSHAKE) {
            stage = Stage.AWAITS_READY;
        }
        if (slot >= 0) {
            again(slot);
        }
    }

    private void look(ByteBuf in, int slot) {
        Executor others = loop;
        if (others == null) {
            tls.runTask();
            goOn(in, slot);
            return;
        }
        looking = true;
        try {
            tls.runTask(others, () -> {
                looking = false;
                goOn(in, slot);
                takeWaiting();
            });
        } catch (RejectedExecutionException e) {
            owner.disconnected("too many certificates wait to be looked at");
        }
    }

    /** Sends a message of the handshake, if it is any. False if the connection has ended of it. */
    private boolean send(ByteBuf out) {
        if (!out.isReadable()) {
            tellRefusal();
            return true;
        }
        sending = true;
        try {
            connected(transfers).send(SLOT, out.readableBytes());
            return true;
        } catch (IOException e) {
            sending = false;
            broken(e);
            return false;
        }
    }

    private void again(int slot) {
        try {
            connected(transfers).receive(slot);
        } catch (IOException e) {
            broken(e);
        }
    }

    private void broken(IOException e) {
        disconnected(String.valueOf(e.getMessage()));
    }

    /** The donor is to hear of it first, as far as it is told anything. */
    private void refuse(String why) {
        stage = Stage.REFUSED;
        refusal = why;
    }

    private void tellRefusal() {
        String why = refusal;
        if (why != null) {
            refusal = null;
            owner.refused(why);
        }
    }

    @Override
    public void sent(int slot) {
        if (!sending || slot != SLOT) {
            owner.sent(slot);
            return;
        }
        sending = false;
        Runnable next = afterSending;
        afterSending = null;
        if (next != null) {
            next.run();
        }
        tellRefusal();
        takeWaiting();
    }

    private boolean isBusy() {
        return sending || looking || afterSending != null;
    }

    private void takeWaiting() {
        while (!isBusy()) {
            Runnable next = waiting.poll();
            if (next == null) {
                return;
            }
            next.run();
        }
    }

    @Override
    public void received(int slot, int length) {
        if (stage != Stage.OPEN && (isBusy() || !waiting.isEmpty())) {
            // One message after the other: each is read when what came of the one before has left.
            waiting.add(() -> take(slot, length));
        } else {
            take(slot, length);
        }
    }

    private void take(int slot, int length) {
        ByteBuf frame = connected(transfers).receiveFrame(slot);
        switch (stage) {
            case HANDSHAKE -> {
                if (!answered
                        && (length < 2 || !TlsProblem.beginsTls(frame.getUnsignedByte(0), frame.getUnsignedByte(1)))) {
                    refuse(TlsProblem.notTls(Role.DONOR));
                    tellRefusal();
                    return;
                }
                answered = true;
                goOn(frame.setIndex(0, length), slot);
            }
            case AWAITS_READY, OPEN -> {
                int bytes = open(frame, length);
                if (bytes > 0 && stage == Stage.OPEN) {
                    owner.received(slot, bytes);
                } else if (bytes == 0) {
                    again(slot);
                } else if (bytes > 0) {
                    ready(slot, bytes);
                }
            }
            case REFUSED -> {
                // It is over, and why is known.
            }
        }
    }

    /** Decrypts a message; -1 if that is not possible. */
    private int open(ByteBuf frame, int length) {
        try {
            return tls.open(frame, length);
        } catch (SSLException e) {
            refuse(TlsProblem.sentence(e, Role.DONOR));
            tellRefusal();
            return -1;
        }
    }

    private void ready(int slot, int bytes) {
        ByteBuf said = tls.opened();
        if (bytes != ReplyHeader.LENGTH
                || ReplyHeader.operation(said, 0) != Operation.READY
                || ReplyHeader.status(said, 0) != Status.OK) {
            disconnected("broke the protocol: no word of who this server is");
            return;
        }
        again(slot);
        stage = Stage.OPEN;
        opens();
    }

    /** Every frame is the owner's from here on. */
    private void opens() {
        PoolName donor;
        try {
            donor = tls.peer();
        } catch (SSLException e) {
            refuse(TlsProblem.sentence(e, Role.DONOR));
            tellRefusal();
            return;
        }
        Executor its = loop;
        if (its != null) {
            unwatch = pool.watch(tls.session(), () -> its.execute(this::cut));
        }
        owner.authenticated(donor);
        owner.connected();
    }

    private void cut() {
        if (!closed) {
            disconnected("its certificate is not believed any more");
        }
    }

    @Override
    public void disconnected(String why) {
        if (refusal != null) {
            tellRefusal();
        } else {
            owner.disconnected(why);
        }
    }

    @Override
    public void failed(int status) {
        if (refusal != null) {
            tellRefusal();
        } else {
            owner.failed(status);
        }
    }

    @Override
    public void readDone(int slot) {
        owner.readDone(slot);
    }

    @Override
    public void authenticating() {
        throw new IllegalStateException("the connection below shows nobody");
    }

    @Override
    public void authenticated(PoolName donor) {
        throw new IllegalStateException("the connection below shows nobody");
    }

    @Override
    public void refused(String why) {
        throw new IllegalStateException("the connection below refuses nobody");
    }

    private static <T> T connected(@Nullable T what) {
        if (what == null) {
            throw new IllegalStateException("not connected");
        }
        return what;
    }

    // What the owner asks for.

    @Override
    public int descriptor() {
        return connected(connection).descriptor();
    }

    @Override
    public void takeEvents(int millis) {
        connected(connection).takeEvents(millis);
    }

    @Override
    public void close() {
        closed = true;
        unwatch.run();
        waiting.clear();
        RdmaConnection ended = connection;
        if (ended != null) {
            ended.close();
        }
        tls.close();
    }
}
