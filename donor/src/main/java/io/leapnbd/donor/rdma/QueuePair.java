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
import io.leapnbd.donor.memory.MappedMemory;
import io.leapnbd.donor.verbs.DeviceVerbs;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One end of a reliable connection: buffers for messages in both directions, work requests that are built once and then only
 * changed, and completions.
 *
 * <p>Messages and reads are known by the number of their slot. Posting and reaping allocate nothing. Every method but {@link
 * #stop} is called by one thread.
 *
 * <pre>
 *   memory   | send frame 0 | … | send frame n-1 | receive frame 0 | … | receive frame m-1 |
 * </pre>
 */
public final class QueuePair implements Transfers, AutoCloseable {

    private static final int BATCH = 32;

    /** Events are acknowledged so many at a time: it is a call that takes a lock. */
    private static final int ACKNOWLEDGE_AFTER = 1 << 20;

    private final RdmaCmId id;
    private final Completions completions;
    private final int frameBytes;
    private final int sends;
    private final MappedMemory memory;
    private final MemoryDomain.Region region;
    private final IbvCompChannel channel;
    private final IbvCQ queue;
    private final IbvWC[] done = new IbvWC[BATCH];
    private final SVCPollCq poll;
    private final SVCReqNotify notify;
    private final WorkRequests requests;
    private final ByteBuf[] frames;
    private final Deque<Undo> undo = new ArrayDeque<>();
    private int unacknowledged;

    /** Guards the life of {@link #id} against {@link #stop}. */
    private final ReentrantLock life = new ReentrantLock();

    private boolean closed;

    /**
     * Makes everything but the connection, with all receive buffers posted. It is not {@linkplain #arm armed}.
     *
     * @param id bound to the domain's device, without a queue pair
     * @param reads slots of reads
     * @param sends slots of messages to send
     * @param receives buffers for messages that arrive
     * @param frameBytes of the longest message
     */
    public QueuePair(
            RdmaCmId id,
            MemoryDomain domain,
            int reads,
            int sends,
            int receives,
            int frameBytes,
            Completions completions)
            throws IOException {
        this.id = id;
        this.completions = completions;
        this.sends = sends;
        this.frameBytes = (frameBytes + 63) & -64;
        long bytes = ((long) (sends + receives) * this.frameBytes + 4095) & -4096L;
        boolean whole = false;
        try {
            memory = MappedMemory.reserve(bytes, false);
            undo.push(memory::close);
            memory.populate(0, bytes);
            region = domain.register(memory.address(), Math.toIntExact(bytes), MemoryDomain.Right.LOCAL);
            undo.push(region::close);
            frames = new ByteBuf[sends + receives];
            for (int i = 0; i < frames.length; i++) {
                frames[i] = window(frame(i), this.frameBytes);
            }
            channel = domain.context().createCompChannel();
            undo.push(channel::destroyCompChannel);
            queue = domain.context().createCQ(channel, reads + sends + receives, 0);
            undo.push(this::destroyQueue);
            IbvQPInitAttr attributes = new IbvQPInitAttr();
            attributes.setSend_cq(queue);
            attributes.setRecv_cq(queue);
            attributes.setQp_type(IbvQP.IBV_QPT_RC);
            attributes.cap().setMax_send_wr(reads + sends);
            attributes.cap().setMax_recv_wr(receives);
            IbvQP pair = id.createQP(domain.domain(), attributes);
            undo.push(id::destroyQP);
            for (int i = 0; i < BATCH; i++) {
                done[i] = new IbvWC();
            }
            poll = keep(queue.poll(done, BATCH));
            notify = keep(queue.reqNotification(false));
            long[] addresses = new long[frames.length];
            for (int i = 0; i < frames.length; i++) {
                addresses[i] = frame(i);
            }
            requests = new WorkRequests(pair, addresses, this.frameBytes, region.localKey(), reads, sends);
            undo.push(requests::close);
            for (int i = 0; i < receives; i++) {
                requests.receive(i);
            }
            whole = true;
        } finally {
            if (!whole) {
                undo();
            }
        }
    }

    private <T extends StatefulVerbCall<?>> T keep(T call) {
        undo.push(call::free);
        return call;
    }

    @SuppressWarnings("restricted")
    private static ByteBuf window(long address, int length) {
        return Unpooled.wrappedBuffer(
                MemorySegment.ofAddress(address).reinterpret(length).asByteBuffer());
    }

    private long frame(int number) {
        return memory.address() + (long) number * frameBytes;
    }

    @Override
    public int descriptor() {
        return DeviceVerbs.descriptor(((NatIbvCompChannel) channel).getObjId());
    }

    @Override
    public void read(int slot, long to, int localKey, int length, long from, int remoteKey) throws IOException {
        requests.read(slot, to, localKey, length, from, remoteKey);
    }

    @Override
    public ByteBuf sendFrame(int slot) {
        return frames[slot];
    }

    @Override
    public void send(int slot, int length) throws IOException {
        requests.send(slot, length);
    }

    @Override
    public ByteBuf receiveFrame(int slot) {
        return frames[sends + slot];
    }

    @Override
    public void receive(int slot) throws IOException {
        requests.receive(slot);
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

    /** Ends the connection at once: when this returns the peer cannot read or send anything any more. Any thread. */
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

    /** Gives everything back but the id; when this returns the device does not touch any memory for this pair any more. */
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
