package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.AcceptedPair;
import io.leapnbd.donor.rdma.FrameCounts;
import io.leapnbd.donor.rdma.QueuePair;
import io.leapnbd.donor.rdma.Watched;
import io.leapnbd.donor.store.Identity;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.MessageTls;
import io.leapnbd.donor.tls.PoolName;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.net.SocketAddress;
import java.util.UUID;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The donor's end of one RDMA link. Requests and replies are messages; page reads are the device's affair, and nothing of them
 * is seen here.
 *
 * <p>Of a pool, it begins with a {@link RdmaHandshake}, and every message after it is encrypted.
 *
 * <p>Everything happens on the loop, except {@link #stop} and {@link #execute}.
 */
final class RdmaLink implements QueuePair.Completions, Replies, Conversation.Connection {

    private static final Logger LOG = LoggerFactory.getLogger(RdmaLink.class);

    /** A reply may be asked for before the message that made room for its request is known to be sent. */
    private static final int SENDS = 2 * Protocol.RDMA_MESSAGES;

    private static final int RECEIVES = Protocol.RDMA_MESSAGES + 2;
    static final int FRAME = RequestHeader.LENGTH + Protocol.MAX_RDMA_PAYLOAD;

    /** What the link is made of. */
    private final Listener listener;

    private final IoEventLoop loop;
    private final String peer;
    private final String address;
    private final ExportMemory memory;
    private final Conversation conversation;
    private final LinkRequests requests;
    private final AcceptedPair pair;
    private final Watched watched;
    private final Consumer<RdmaLink> gone;

    /** Encrypts and decrypts every message; null without a pool. */
    private final @Nullable MessageTls tls;

    /** What messages are for until the peer is known; null if it is, or need not be. */
    private @Nullable RdmaHandshake handshake;

    /** Told at the end to whoever ends links of peers that are not believed any more. */
    private Runnable unwatch = () -> {};

    private final int[] freeSends = new int[SENDS];
    private int freeCount = SENDS;

    /** Messages that wait for a frame to be answered in: a ring of slots and lengths. */
    private final int[] waiting = new int[2 * RECEIVES];

    private int waitingFrom;
    private int waitingCount;

    /** The slot that the reply under way is sent from. */
    private int current;

    private boolean closed;

    /**
     * Of a connection that is about to be accepted.
     *
     * @param from who connects
     * @param announced digest of the only export that it may name; null if it may name any
     * @param memory the slabs that it may read by itself
     * @param gone told at the end, when the queue pair is gone
     */
    RdmaLink(
            Listener listener,
            IoEventLoop loop,
            SocketAddress from,
            @Nullable UUID announced,
            ExportMemory memory,
            PairMaker maker,
            Consumer<RdmaLink> gone)
            throws IOException {
        this.listener = listener;
        this.loop = loop;
        this.memory = memory;
        this.gone = gone;
        peer = String.valueOf(from);
        address = PlainOwner.of(from);
        for (int i = 0; i < SENDS; i++) {
            freeSends[i] = i;
        }
        conversation = new Conversation(listener, this, this, Protocol.MAX_RDMA_PAYLOAD, memory, announced);
        requests = conversation.requests;
        LinkTls shared = listener.tls();
        MessageTls own = shared == null ? null : shared.messages(FRAME);
        boolean whole = false;
        @Nullable AcceptedPair made = null;
        @Nullable Watched watches = null;
        try {
            FrameCounts all = counts();
            made = maker.make(all, own == null ? all : RdmaHandshake.COUNTS, this);
            watches = Watched.on(loop, made.descriptor(), this::completions);
            made.arm();
            whole = true;
        } finally {
            if (!whole) {
                undo(made, watches, own);
            }
        }
        pair = made;
        watched = watches;
        tls = own;
        handshake = own == null ? null : new RdmaHandshake(listener, this, pair, own);
        memory.links++;
    }

    /** Of a link that did not come to be: nobody else closes these. */
    private static void undo(@Nullable AcceptedPair made, @Nullable Watched watches, @Nullable MessageTls own) {
        if (watches != null) {
            watches.cancel();
        }
        if (made != null) {
            try {
                made.close();
            } catch (IOException e) {
                LOG.warn("a link that did not come to be does not end as it should: {}", e.getMessage());
            }
        }
        if (own != null) {
            own.close();
        }
    }

    private FrameCounts counts() {
        return new FrameCounts(0, SENDS, RECEIVES, listener.tls() == null ? FRAME : MessageTls.sealedLength(FRAME));
    }

    Conversation conversation() {
        return conversation;
    }

    /** Takes a place among the listener's links; false if there is none. */
    boolean enter() {
        if (tls != null) {
            boolean _ = listener.handshakes().enter(conversation);
        }
        return listener.places().enter(conversation);
    }

    /** The connection has its place; its deadlines begin. */
    void opened() {
        conversation.opened();
    }

    /** The peer has shown who it is: from here on it may ask, and is told so. Nothing of the handshake is on its way. */
    void authenticated(PoolName name) {
        MessageTls its = tls;
        LinkTls shared = listener.tls();
        if (its == null || shared == null) {
            return;
        }
        handshake = null;
        unwatch = shared.watch(its.session(), () -> execute(this::close));
        requests.identified(name.identity());
        try {
            pair.resize(counts());
            current = freeSends[--freeCount];
            ByteBuf out = its.plain();
            ReplyHeader.encode(out, 0, Operation.READY, Status.OK, 0, 0, 0);
            pair.send(current, its.seal(ReplyHeader.LENGTH, pair.sendFrame(current)));
        } catch (IOException e) {
            listener.log().info("link from {} closed: {}", peer(), String.valueOf(e.getMessage()));
            close();
            return;
        }
        listener.handshakes().leave(conversation);
    }

    private void completions() {
        if (closed) {
            return;
        }
        try {
            pair.reapAfterEvent();
        } catch (IOException | RuntimeException e) {
            LOG.error("link from {} failed", peer(), e);
            close();
        }
    }

    @Override
    public void readDone(int slot) {
        throw new IllegalStateException("a donor reads nothing");
    }

    @Override
    public void sent(int slot) {
        RdmaHandshake before = handshake;
        if (before != null) {
            before.sent(slot);
            return;
        }
        freeSends[freeCount++] = slot;
        if (conversation.ended() && freeCount == SENDS) {
            close();
            return;
        }
        answerWaiting();
    }

    private void answerWaiting() {
        while (waitingCount > 0 && freeCount > 0 && !conversation.ended() && !requests.unfinished()) {
            int received = waiting[waitingFrom];
            int length = waiting[waitingFrom + 1];
            waitingFrom = (waitingFrom + 2) % waiting.length;
            waitingCount--;
            answer(received, length);
        }
    }

    @Override
    public void received(int slot, int length) {
        conversation.heard();
        if (conversation.ended()) {
            return;
        }
        RdmaHandshake before = handshake;
        if (before != null) {
            before.received(slot, length);
            return;
        }
        if (freeCount > 0 && waitingCount == 0 && !requests.unfinished()) {
            answer(slot, length);
        } else {
            int at = (waitingFrom + 2 * waitingCount) % waiting.length;
            waiting[at] = slot;
            waiting[at + 1] = length;
            waitingCount++;
        }
    }

    @Override
    public void failed(int status) {
        LOG.debug("link from {}: completion with status {}", peer(), status);
        close();
    }

    /** Where the reply under way is written. */
    @Override
    public ByteBuf room(int bytes) {
        return out();
    }

    private ByteBuf out() {
        MessageTls its = tls;
        return its == null ? pair.sendFrame(current) : its.plain();
    }

    private void answer(int slot, int length) {
        current = freeSends[--freeCount];
        MessageTls its = tls;
        if (its == null) {
            proceed(slot, pair.receiveFrame(slot), length);
            return;
        }
        int bytes;
        try {
            bytes = its.open(pair.receiveFrame(slot), length);
        } catch (SSLException e) {
            listener.log().info("link from {} closed: it {}", peer(), TlsProblem.sentence(e, Role.SERVER));
            close();
            return;
        }
        proceed(slot, its.opened(), bytes);
    }

    /** Does the request, or the next part of it; what comes meanwhile waits. */
    private void proceed(int slot, ByteBuf in, int length) {
        ByteBuf out = out();
        out.clear();
        in.setIndex(0, length);
        byte operation = length < RequestHeader.LENGTH ? 0 : RequestHeader.operation(in, 0);
        byte status = status(in, length);
        memory.releaseTakenBack();
        if (closed) {
            return;
        }
        if (status == LinkRequests.UNFINISHED) {
            after(1, () -> goOn(slot, in, length));
            return;
        }
        if (status == Status.BAD_REQUEST && !requests.greeted()) {
            conversation.refused(operation);
            conversation.end();
        } else if (conversation.answered(operation, status)) {
            conversation.end();
        }
        try {
            pair.receive(slot);
            MessageTls its = tls;
            int bytes = out.writerIndex();
            pair.send(current, its == null ? bytes : its.seal(bytes, pair.sendFrame(current)));
        } catch (IOException e) {
            LOG.debug("link from {}: {}", peer(), e.getMessage());
            close();
        }
    }

    private void goOn(int slot, ByteBuf in, int length) {
        if (closed) {
            return;
        }
        try {
            proceed(slot, in, length);
            if (!closed) {
                answerWaiting();
            }
        } catch (RuntimeException e) {
            LOG.error("link from {} failed", peer(), e);
            close();
        }
    }

    private byte status(ByteBuf in, int length) {
        if (length < RequestHeader.LENGTH) {
            in.setZero(length, RequestHeader.LENGTH - length);
            requests.refuse(in, 0, Status.BAD_REQUEST);
            return Status.BAD_REQUEST;
        }
        int payload = requests.payload(in, 0);
        if (payload == LinkRequests.BAD || length != RequestHeader.LENGTH + payload) {
            requests.refuse(in, 0, Status.BAD_REQUEST);
            return Status.BAD_REQUEST;
        }
        return requests.answer(in, 0);
    }

    @Override
    public String peer() {
        Identity identity = requests.identity();
        return identity.isAnonymous() ? peer : identity + " at " + peer;
    }

    @Override
    public String address() {
        return address;
    }

    @Override
    public boolean isOpen() {
        return !closed;
    }

    @Override
    public void stop() {
        pair.stop();
    }

    /** The queue pair is in error before the newer claim is answered. */
    @Override
    public boolean lastWord(byte status) {
        return false;
    }

    @Override
    public void execute(Runnable task) {
        loop.execute(task);
    }

    @Override
    public void after(long nanos, Runnable task) {
        ScheduledFuture<?> _ = loop.schedule(task, nanos, TimeUnit.NANOSECONDS);
    }

    /**
     * Ends it; the lease of its export begins if it was the last. The peer may read slabs until its queue pair is gone, so the claim is
     * closed after that.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        unwatch.run();
        watched.cancel();
        try {
            pair.close();
        } catch (IOException e) {
            LOG.warn("link from {} does not end as it should: {}", peer(), e.getMessage());
        }
        conversation.closed();
        listener.handshakes().leave(conversation);
        MessageTls its = tls;
        if (its != null) {
            its.close();
        }
        memory.links--;
        gone.accept(this);
    }
}
