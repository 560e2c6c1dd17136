package io.leapnbd.donor.rdma;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvQPInitAttr;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCReqNotify;
import com.ibm.disni.verbs.StatefulVerbCall;
import com.ibm.disni.verbs.impl.NatIbvCompChannel;
import io.leapnbd.donor.verbs.DeviceVerbs;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One end of a reliable connection: buffers for messages in both directions, work requests that are built once and then only
 * changed, and completions.
 *
 * <p>Messages and reads are known by the number of their slot. Posting and reaping allocate nothing. Every method but {@link
 * #stop} is called by one thread.
 */
public final class QueuePair implements AcceptedPair {

    private static final int BATCH = 32;

    /** Events are acknowledged so many at a time: it is a call that takes a lock. */
    private static final int ACKNOWLEDGE_AFTER = 1 << 20;

    private final RdmaCmId id;
    private final Completions completions;
    private final MemoryDomain domain;
    private final IbvQP pair;
    private MessageFrames frames;
    private final IbvCompChannel channel;
    private final IbvCQ queue;
    private final IbvWC[] done = new IbvWC[BATCH];
    private final SVCPollCq poll;
    private final SVCReqNotify notify;
    private final Deque<Undo> undo = new ArrayDeque<>();
    private int unacknowledged;

    /** Guards the life of {@link #id} against {@link #stop}. */
    private final ReentrantLock life = new ReentrantLock();

    private boolean closed;

    /**
     * Makes everything but the connection, with all receive buffers posted. It is not {@linkplain #arm armed}.
     *
     * @param id bound to the domain's device, without a queue pair
     * @param most what it may have at a time, of each; also after {@link #resize}
     * @param first what it begins with
     */
    public QueuePair(RdmaCmId id, MemoryDomain domain, FrameCounts most, FrameCounts first, Completions completions)
            throws IOException {
        this.id = id;
        this.domain = domain;
        this.completions = completions;
        boolean whole = false;
        // They are in use until the queue pair is gone.
        undo.push(this::closeFrames);
        try {
            channel = domain.context().createCompChannel();
            undo.push(channel::destroyCompChannel);
            queue = domain.context().createCQ(channel, most.reads() + most.sends() + most.receives(), 0);
            undo.push(this::destroyQueue);
            IbvQPInitAttr attributes = new IbvQPInitAttr();
            attributes.setSend_cq(queue);
            attributes.setRecv_cq(queue);
            attributes.setQp_type(IbvQP.IBV_QPT_RC);
            attributes.cap().setMax_send_wr(most.reads() + most.sends());
            attributes.cap().setMax_recv_wr(most.receives());
            pair = id.createQP(domain.domain(), attributes);
            undo.push(id::destroyQP);
            for (int i = 0; i < BATCH; i++) {
                done[i] = new IbvWC();
            }
            poll = keep(queue.poll(done, BATCH));
            notify = keep(queue.reqNotification(false));
            frames = new MessageFrames(domain, pair, first);
            frames.receiveAll();
            whole = true;
        } finally {
            if (!whole) {
                undo();
            }
        }
    }

    @Override
    public void resize(FrameCounts counts) throws IOException {
        MessageFrames before = frames;
        MessageFrames fresh = new MessageFrames(domain, pair, counts);
        frames = fresh;
        before.close();
        fresh.receiveAll();
    }

    private <T extends StatefulVerbCall<?>> T keep(T call) {
        undo.push(call::free);
        return call;
    }

    @Override
    public int descriptor() {
        return DeviceVerbs.descriptor(((NatIbvCompChannel) channel).getObjId());
    }

    @Override
    public void read(int slot, long to, int localKey, int length, long from, int remoteKey) throws IOException {
        frames.requests().read(slot, to, localKey, length, from, remoteKey);
    }

    @Override
    public ByteBuf sendFrame(int slot) {
        return frames.toSend(slot);
    }

    @Override
    public void send(int slot, int length) throws IOException {
        frames.requests().send(slot, length);
    }

    @Override
    public ByteBuf receiveFrame(int slot) {
        return frames.received(slot);
    }

    @Override
    public void receive(int slot) throws IOException {
        frames.requests().receive(slot);
    }

    @Override
    public void arm() throws IOException {
        SVCReqNotify _ = notify.execute();
    }

    @Override
    public void reapAfterEvent() throws IOException {
        // One a time is enough: whoever waits on the descriptor is told again.
        if (channel.getCqEvent(queue, 0)) {
            unacknowledged++;
        }
        if (unacknowledged >= ACKNOWLEDGE_AFTER) {
            int _ = queue.ackEvents(unacknowledged);
            unacknowledged = 0;
        }
        arm();
        int _ = reap();
    }

    @Override
    public boolean awaitCompletions(int millis) throws IOException {
        if (reap() > 0) {
            return true;
        }
        if (channel.getCqEvent(queue, millis)) {
            unacknowledged++;
        }
        arm();
        return reap() > 0;
    }

    @Override
    public int reap() throws IOException {
        int all = 0;
        int count;
        do {
            if (closed) {
                return all;
            }
            count = poll.execute().getPolls();
            for (int i = 0; i < count && !closed; i++) {
                tell(done[i]);
            }
            all += count;
        } while (count == BATCH);
        return all;
    }

    private void tell(IbvWC one) {
        int slot = WorkRequests.slot(one.getWr_id());
        if (one.getStatus() != 0) {
            completions.failed(one.getStatus());
            return;
        }
        long kind = WorkRequests.kind(one.getWr_id());
        if (kind == WorkRequests.READ) {
            completions.readDone(slot);
        } else if (kind == WorkRequests.SEND) {
            completions.sent(slot);
        } else {
            completions.received(slot, one.getByte_len());
        }
    }

    @Override
    public void stop() {
        life.lock();
        try {
            if (!closed) {
                int _ = id.disconnect();
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        } finally {
            life.unlock();
        }
    }

    @Override
    public void close() throws IOException {
        life.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            int _ = id.disconnect();
            undo();
        } finally {
            life.unlock();
        }
    }

    private void closeFrames() throws IOException {
        if (frames != null) {
            frames.close();
        }
    }

    private void destroyQueue() throws IOException {
        if (unacknowledged > 0) {
            int _ = queue.ackEvents(unacknowledged);
        }
        int _ = queue.destroyCQ();
    }

    /** Gives back what there is, the last first. */
    private void undo() throws IOException {
        for (Undo step = undo.poll(); step != null; step = undo.poll()) {
            step.run();
        }
    }

    /** Gives one thing back. */
    @FunctionalInterface
    private interface Undo {
        void run() throws IOException;
    }

    /** What is told of a queue pair, on its thread. */
    public interface Completions {

        /** The memory holds what was read. */
        void readDone(int slot);

        /** The frame may be written again. */
        void sent(int slot);

        /** A message has arrived; {@link #receive} has to be called for the slot some time. */
        void received(int slot, int length);

        /**
         * A work request has failed, and all others will: the connection is over.
         *
         * @param status one of {@code enum ibv_wc_status}
         */
        void failed(int status);
    }
}
