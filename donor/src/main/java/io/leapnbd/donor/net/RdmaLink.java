package io.leapnbd.donor.net;

import com.ibm.disni.verbs.RdmaCmId;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.QueuePair;
import io.leapnbd.donor.rdma.Rdma;
import io.leapnbd.donor.rdma.Watched;
import io.leapnbd.donor.store.SlabStore;
import io.netty.buffer.ByteBuf;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.util.UUID;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The donor's end of one RDMA link. Requests and replies are messages; page reads are the device's affair, and nothing of them
 * is seen here.
 *
 * <p>Everything happens on the loop, except {@link #fencedOff}.
 */
final class RdmaLink implements QueuePair.Completions, Replies {

    private static final Logger LOG = LoggerFactory.getLogger(RdmaLink.class);

    /** A reply may be asked for before the message that made room for its request is known to be sent. */
    private static final int SENDS = 2 * Protocol.RDMA_MESSAGES;

    private static final int RECEIVES = Protocol.RDMA_MESSAGES + 2;
    static final int FRAME = RequestHeader.LENGTH + Protocol.MAX_RDMA_PAYLOAD;

    private final RdmaServer server;
    private final IoEventLoop loop;
    private final RdmaCmId id;
    private final String peer;
    private final ExportMemory memory;
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

    private long lastHeard = System.nanoTime();
    private boolean ended;
    private boolean closed;

    RdmaLink(RdmaServer server, IoEventLoop loop, RdmaCmId id, UUID announced, ExportMemory memory, SlabStore store)
            throws IOException {
        this.server = server;
        this.loop = loop;
        this.id = id;
        this.memory = memory;
        peer = String.valueOf(id.getDestination());
        for (int i = 0; i < SENDS; i++) {
            freeSends[i] = i;
        }
        requests = new LinkRequests(
                store,
                this,
                this::fencedOff,
                () -> server.settings().maxLinks() - server.counters().open.get(),
                Protocol.MAX_RDMA_PAYLOAD,
                memory,
                Rdma.seesAnnouncements() ? announced : null);
        pair = new QueuePair(id, memory.domain, 0, SENDS, RECEIVES, FRAME, this);
        watched = Watched.on(loop, pair.descriptor(), this::completions);
        pair.arm();
        memory.links++;
        after(server.settings().helloTimeout().toNanos(), this::checkHello);
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
        if (ended && freeCount == SENDS) {
            close();
            return;
        }
        while (waitingCount > 0 && freeCount > 0 && !ended) {
            int received = waiting[waitingFrom];
            int length = waiting[waitingFrom + 1];
            waitingFrom = (waitingFrom + 2) % waiting.length;
            waitingCount--;
            answer(received, length);
        }
    }

    @Override
    public void received(int slot, int length) {
        lastHeard = System.nanoTime();
        requests.heard();
        if (ended) {
            return;
        }
        if (freeCount > 0 && waitingCount == 0) {
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
        if (LinkRequests.ends(status, operation)) {
            LOG.info("link from {} refused: {}", peer, Status.name(status));
            if (status == Status.BAD_REQUEST) {
                server.counters().badRequests.increment();
            }
            ended = true;
            requests.close();
        }
        try {
            pair.receive(slot);
            pair.send(current, out.writerIndex());
        } catch (IOException e) {
            LOG.debug("link from {}: {}", peer, e.getMessage());
            close();
        }
    }

    private byte status(ByteBuf in, int length) {
        if (length < RequestHeader.LENGTH) {
            in.setZero(length, RequestHeader.LENGTH - length);
            requests.refuse(in, 0, Status.BAD_REQUEST);
            return Status.BAD_REQUEST;
        }
        boolean first = !requests.greeted();
        int payload = requests.payload(in, 0);
        if (payload == LinkRequests.BAD || length != RequestHeader.LENGTH + payload) {
            requests.refuse(in, 0, Status.BAD_REQUEST);
            return Status.BAD_REQUEST;
        }
        byte status = requests.answer(in, 0);
        if (first && requests.greeted()) {
            checkIdle();
        }
        return status;
    }

    /**
     * A newer server has claimed the export. On whichever thread serves its hello, before that is answered: from here on the
     * older server reads nothing any more.
     */
    private void fencedOff() {
        pair.stop();
        server.counters().fencedOff.increment();
        LOG.info("link from {} closed: a newer server owns the export", peer);
        try {
            loop.execute(this::close);
        } catch (RejectedExecutionException e) {
            LOG.debug("the event loop of a fenced link is gone already");
        }
    }

    private void checkHello() {
        if (!requests.greeted()) {
            timeout("no hello");
        }
    }

    private void checkIdle() {
        if (closed) {
            return;
        }
        long left = server.settings().idleTimeout().toNanos() - (System.nanoTime() - lastHeard);
        if (left <= 0) {
            timeout("silent");
        } else {
            after(left, this::checkIdle);
        }
    }

    private void timeout(String why) {
        if (!closed) {
            server.counters().timeouts.increment();
            LOG.info("link from {} closed: {} for too long", peer, why);
            close();
        }
    }

    private void after(long nanos, Runnable task) {
        ScheduledFuture<?> _ = loop.schedule(task, nanos, TimeUnit.NANOSECONDS);
    }

    /** Ends it; the lease of its export begins if it was the last. */
    void close() {
        if (closed) {
            return;
        }
        closed = true;
        ended = true;
        requests.close();
        watched.cancel();
        try {
            pair.close();
            int _ = id.destroyId();
        } catch (IOException e) {
            LOG.warn("link from {} does not end as it should: {}", peer, e.getMessage());
        }
        server.gone(this, id, memory);
    }
}
