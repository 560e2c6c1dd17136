package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.MemoryKeys;
import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.RdmaConnection;
import io.leapnbd.donor.rdma.Transfers;
import io.leapnbd.donor.rdma.Watched;
import io.netty.buffer.ByteBuf;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One connection of an {@link RdmaLink}, from the first attempt to the end: it says hello, has {@link DeviceReads} and {@link
 * Messages} under way, and takes what comes back, woken by descriptors or by looking in every turn of the loop.
 *
 * <p>What breaks it is only noted; the link is told at the end of the turn, outside of the queue pair's own calls. Every field
 * belongs to the loop's thread.
 */
final class RdmaSession implements RdmaClient.Events {

    private static final int MOST_READS = 64;

    private static final RdmaClient.Shape SHAPE = new RdmaClient.Shape(
            MOST_READS,
            Protocol.RDMA_MESSAGES,
            Protocol.RDMA_MESSAGES,
            RequestHeader.LENGTH + Protocol.MAX_RDMA_PAYLOAD);

    private static final long PING_AFTER_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final long HEARTBEAT_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final IoEventLoop loop;
    private final RdmaLink link;
    private final LinkGreeting greeting;
    private final int slabSize;
    private final WriteWatch watch;
    private final boolean busyPoll;

    private @Nullable RdmaConnection connection;
    private @Nullable Watched connectionEvents;
    private @Nullable Transfers transfers;
    private @Nullable DeviceReads reads;
    private @Nullable Messages messages;
    private @Nullable Reaper reaper;
    private boolean greeted;
    private @Nullable String broken;
    private boolean closed;

    private long lastSent;

    /** Not begun: {@link #open} does that. */
    RdmaSession(
            IoEventLoop loop, RdmaLink link, LinkGreeting greeting, int slabSize, WriteWatch watch, boolean busyPoll) {
        this.loop = loop;
        this.link = link;
        this.greeting = greeting;
        this.slabSize = slabSize;
        this.watch = watch;
        this.busyPoll = busyPoll;
    }

    /** Begins to connect. */
    void open(RdmaDialer dialer) throws IOException {
        RdmaConnection dialled = dialer.dial(SHAPE, this);
        connection = dialled;
        connectionEvents = Watched.on(loop, dialled.descriptor(), this::takeConnectionEvents);
    }

    /** Whether requests can be sent: it is greeted, and not known to be broken. */
    boolean usable() {
        return greeted && broken == null && !closed;
    }

    // What the connection tells.

    private void takeConnectionEvents() {
        RdmaConnection from = connection;
        if (from != null && !closed) {
            from.takeEvents(0);
            endOfTurn();
        }
    }

    /** Does what must not be done from inside the queue pair's own calls. */
    void endOfTurn() {
        if (!closed) {
            link.turnEnded(broken);
        }
    }

    /** Notes that the connection is of no use any more; why, in a few words. */
    void broken(String why) {
        if (broken == null) {
            broken = why;
        }
    }

    void broken(IOException e) {
        broken(String.valueOf(e.getMessage()));
    }

    /** A request could not be posted: that ends the connection, but not from within whatever is posting. */
    private void brokenByPosting(IOException e) {
        broken(e);
        loop.execute(this::endOfTurn);
    }

    @Override
    public void made(Transfers fresh, MemoryKeys memory, int readSlots) throws IOException {
        transfers = fresh;
        reads = new DeviceReads(fresh, memory, readSlots, watch, slabSize);
        messages = new Messages(fresh);
        Reaper taking = new Reaper(loop, this, fresh, busyPoll);
        reaper = taking;
        taking.start();
    }

    @Override
    public void connected() {
        Messages to = messages;
        if (to == null || closed) {
            return;
        }
        act(to, greeting.begin());
        if (broken != null) {
            loop.execute(this::endOfTurn);
        }
        posted();
    }

    @Override
    public void disconnected(String why) {
        broken(why);
    }

    @Override
    public void failed(int status) {
        broken("a work request failed with status " + status);
    }

    @Override
    public void readDone(int slot) {
        DeviceReads from = reads;
        LinkRequest request = from == null ? null : from.done(slot);
        if (from == null || request == null) {
            broken("a read ended that nobody has begun");
        } else {
            link.readDone(request, from.undisturbed(request, slot));
        }
    }

    @Override
    public void sent(int slot) {
        if (messages != null) {
            messages.sent(slot);
        }
    }

    @Override
    public void received(int slot, int length) {
        Transfers from = transfers;
        Messages waiting = messages;
        if (from == null || waiting == null || broken != null || closed) {
            return;
        }
        ByteBuf frame = from.receiveFrame(slot);
        frame.setIndex(0, length);
        if (length < ReplyHeader.LENGTH || length != ReplyHeader.LENGTH + ReplyHeader.payload(frame, 0)) {
            broken("broke the protocol: a message of " + length + " bytes");
        } else if (!greeted) {
            helloAnswered(waiting, frame);
        } else {
            answered(waiting, frame, length - ReplyHeader.LENGTH);
        }
        if (broken != null || closed) {
            return;
        }
        try {
            from.receive(slot);
        } catch (IOException e) {
            broken(e);
        }
    }

    private void helloAnswered(Messages waiting, ByteBuf frame) {
        byte status = ReplyHeader.status(frame, 0);
        HelloReply reply = null;
        int payload = frame.readableBytes() - ReplyHeader.LENGTH;
        if (payload > 0) {
            try {
                reply = HelloReply.decode(frame.slice(ReplyHeader.LENGTH, payload));
            } catch (ProtocolException e) {
                broken("broke the protocol: " + e.getMessage());
                return;
            }
        }
        waiting.helloAnswered();
        act(waiting, greeting.answered(status, reply));
    }

    private void act(Messages to, LinkGreeting.Step step) {
        switch (step.kind()) {
            case SAY -> {
                Hello hello = step.hello();
                if (hello != null) {
                    try {
                        to.hello(hello);
                    } catch (IOException e) {
                        broken(e);
                    }
                }
            }
            case READY -> {
                HelloReply reply = step.reply();
                if (reply != null) {
                    greeted = true;
                    lastSent = System.nanoTime();
                    link.greeted(reply);
                }
            }
            case FENCED -> link.fenced();
            case LATER -> broken(step.why() == null ? "another loop is about to claim there" : step.why());
        }
    }

    private void answered(Messages waiting, ByteBuf frame, int payload) {
        LinkRequest request = waiting.answered(frame, payload);
        if (request == null) {
            broken("broke the protocol: a reply that nobody waits for");
            return;
        }
        byte status = ReplyHeader.status(frame, 0);
        if (request.operation == Operation.EXPOSE && status == Status.OK && reads != null) {
            reads.exposed(request.slab, SlabKey.decode(frame, ReplyHeader.LENGTH));
        }
        link.answered(request, status, ReplyHeader.freeSlabs(frame, 0));
    }

    // What the link asks for.

    /** Has the device read, if that is right; see {@link DeviceReads#start}. Only if {@link #usable}. */
    DeviceReads.Start read(LinkRequest request, boolean demandsWait) {
        DeviceReads with = reads;
        if (with == null) {
            return DeviceReads.Start.NO_SLOT;
        }
        DeviceReads.Start start;
        try {
            start = with.start(request, demandsWait);
        } catch (IOException e) {
            brokenByPosting(e);
            return DeviceReads.Start.BEGUN;
        }
        if (start == DeviceReads.Start.BEGUN && reaper != null) {
            reaper.posted();
        }
        return start;
    }

    /** Sends as much of a request as can be sent, by message; whether that was the rest of it. Only if {@link #usable}. */
    boolean send(LinkRequest request) {
        Messages to = messages;
        if (to == null) {
            return false;
        }
        int before = request.sent;
        boolean all = false;
        try {
            all = to.send(request);
        } catch (IOException e) {
            brokenByPosting(e);
        }
        if (request.sent != before) {
            posted();
        }
        return all;
    }

    private void posted() {
        lastSent = System.nanoTime();
        if (reaper != null) {
            reaper.posted();
        }
    }

    boolean holds(LinkRequest request) {
        return reads != null && reads.holds(request);
    }

    /** A background read that is not in a queue has become a demand. */
    void promoted(LinkRequest request) {
        if (reads != null) {
            reads.promoted(request);
        }
    }

    /** Moves the deadlines of what is under way by so many nanoseconds. What also stands in a queue is moved there. */
    void postpone(long nanos) {
        if (reads != null) {
            reads.postpone(nanos);
        }
        if (messages != null) {
            messages.postpone(nanos);
        }
    }

    boolean anyExpired(long now) {
        return (reads != null && reads.anyExpired(now)) || (messages != null && messages.anyExpired(now));
    }

    /** Whether nothing was sent for so long that the donor should hear something; then not again for as long. */
    boolean pingDue(long now, boolean heartbeat) {
        boolean due = now - lastSent > (heartbeat ? HEARTBEAT_NANOS : PING_AFTER_NANOS);
        if (due) {
            lastSent = now;
        }
        return due;
    }

    /** Everything is posted as it comes. What has come back by the end of the turn need not wait for its event. */
    void flush() {
        if (reaper != null) {
            reaper.reap();
        }
    }

    boolean readsUnderWay() {
        return reads != null && !reads.isEmpty();
    }

    boolean somethingUnderWay() {
        return readsUnderWay() || (messages != null && !messages.isEmpty());
    }

    /** Ends the connection: the device touches nothing any more, and nothing is told any more. */
    void close() {
        closed = true;
        if (connectionEvents != null) {
            connectionEvents.cancel();
        }
        if (reaper != null) {
            reaper.stop();
        }
        if (connection != null) {
            connection.close();
        }
    }

    /** Takes out any one request that was under way when the connection was closed; null when there is none left. */
    @Nullable
    LinkRequest removeAny() {
        LinkRequest read = reads == null ? null : reads.removeAny();
        return read != null || messages == null ? read : messages.removeAny();
    }
}
