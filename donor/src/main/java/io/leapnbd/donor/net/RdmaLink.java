package io.leapnbd.donor.net;

import com.ibm.disni.verbs.RdmaCmId;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.QueuePair;
import io.leapnbd.donor.rdma.Rdma;
import io.leapnbd.donor.rdma.Watched;
import io.netty.buffer.ByteBuf;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.net.SocketAddress;
import java.util.UUID;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The donor's end of one RDMA link. Requests and replies are messages; page reads are the device's affair, and nothing of them
 * is seen here.
 *
 * <p>Everything happens on the loop, except {@link #stop} and {@link #execute}.
 */
final class RdmaLink implements QueuePair.Completions, Replies, Conversation.Connection {

    private static final Logger LOG = LoggerFactory.getLogger(RdmaLink.class);

    /** A reply may be asked for before the message that made room for its request is known to be sent. */
    private static final int SENDS = 2 * Protocol.RDMA_MESSAGES;

    private static final int RECEIVES = Protocol.RDMA_MESSAGES + 2;
    static final int FRAME = RequestHeader.LENGTH + Protocol.MAX_RDMA_PAYLOAD;

    private final RdmaServer server;
    private final IoEventLoop loop;
    private final RdmaCmId id;
    private final String peer;
    private final String address;
    private final ExportMemory memory;
    private final Conversation conversation;
    private final LinkRequests requests;
    private final QueuePair pair;
    private final Watched watched;

    private final int[] freeSends = new int[SENDS];
    private int freeCount = SENDS;

    /** Messages that wait for a frame to be answered in: a ring of slots and lengths. */
    private final int[] waiting = new int[2 * RECEIVES];

    private int waitingFrom;
    private int waitingCount;

    /** The slot whose frame {@link #room} hands out. */
    private int current;

    private boolean closed;

    RdmaLink(RdmaServer server, Listener listener, IoEventLoop loop, RdmaCmId id, UUID announced, ExportMemory memory)
            throws IOException {
        this.server = server;
        this.loop = loop;
        this.id = id;
        this.memory = memory;
        SocketAddress destination = id.getDestination();
        peer = String.valueOf(destination);
        address = PlainOwner.of(destination);
        for (int i = 0; i < SENDS; i++) {
            freeSends[i] = i;
        }
        conversation = new Conversation(
                listener, this, this, Protocol.MAX_RDMA_PAYLOAD, memory, Rdma.seesAnnouncements() ? announced : null);
        requests = conversation.requests;
        pair = new QueuePair(id, memory.domain, 0, SENDS, RECEIVES, FRAME, this);
        watched = Watched.on(loop, pair.descriptor(), this::completions);
        pair.arm();
        memory.links++;
    }

    Conversation conversation() {
        return conversation;
    }

    /** The connection has its place; its deadlines begin. */
    void opened() {
        conversation.opened();
    }

    private void completions() {
        if (closed) {
            return;
        }
        try {
            pair.reapAfterEvent();
        } catch (IOException | RuntimeException e) {
            LOG.error("link from {} failed", peer, e);
            close();
        }
    }

    @Override
    public void readDone(int slot) {
        throw new IllegalStateException("a donor reads nothing");
    }

    @Override
    public void sent(int slot) {
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
        LOG.debug("link from {}: completion with status {}", peer, status);
        close();
    }

    /** The frame of the reply under way. */
    @Override
    public ByteBuf room(int bytes) {
        return pair.sendFrame(current);
    }

    private void answer(int slot, int length) {
        current = freeSends[--freeCount];
        proceed(slot, length);
    }

    /** Does the request, or the next part of it; what comes meanwhile waits. */
    private void proceed(int slot, int length) {
        ByteBuf out = pair.sendFrame(current);
        out.clear();
        ByteBuf in = pair.receiveFrame(slot);
        in.setIndex(0, length);
        byte operation = length < RequestHeader.LENGTH ? 0 : RequestHeader.operation(in, 0);
        byte status = status(in, length);
        memory.releaseTakenBack();
        if (closed) {
            return;
        }
        if (status == LinkRequests.UNFINISHED) {
            after(1, () -> goOn(slot, length));
            return;
        }
        if (conversation.answered(operation, status)) {
            conversation.end();
        }
        try {
            pair.receive(slot);
            pair.send(current, out.writerIndex());
        } catch (IOException e) {
            LOG.debug("link from {}: {}", peer, e.getMessage());
            close();
        }
    }

    private void goOn(int slot, int length) {
        if (closed) {
            return;
        }
        try {
            proceed(slot, length);
            if (!closed) {
                answerWaiting();
            }
        } catch (RuntimeException e) {
            LOG.error("link from {} failed", peer, e);
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
        return peer;
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
        watched.cancel();
        try {
            pair.close();
            int _ = id.destroyId();
        } catch (IOException e) {
            LOG.warn("link from {} does not end as it should: {}", peer, e.getMessage());
        }
        conversation.closed();
        server.gone(this, id, memory);
    }
}
