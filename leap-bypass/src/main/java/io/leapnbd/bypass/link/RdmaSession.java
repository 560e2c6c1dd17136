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
import io.leapnbd.donor.tls.PoolName;
import io.netty.buffer.ByteBuf;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One connection over RDMA: it has {@link DeviceReads} and {@link Messages} under way, and takes what comes back, woken by descriptors or
 * by looking in every turn of the loop.
 *
 * <p><b>Reads</b> are the device's: it fetches the pages out of the donor's memory and puts them where the client's reply is sent
 * from, and the donor's processors take no part. That is only done where it is known to be right ({@link DeviceReads}), and
 * counts only if no write to the pages began meanwhile. Otherwise the donor is asked, by message. <b>Everything else</b> is a
 * message: the donor has to look at the version of a write and at the claim behind it, and a write that arrives by half must
 * have no effect, which no one-sided write can promise.
 *
 * <p>Every field belongs to the loop's thread.
 */
final class RdmaSession implements LinkSession, RdmaPeerEvents {

    private static final int MOST_READS = 64;

    private static final RdmaClient.Shape SHAPE = new RdmaClient.Shape(
            MOST_READS,
            Protocol.RDMA_MESSAGES,
            Protocol.RDMA_MESSAGES,
            RequestHeader.LENGTH + Protocol.MAX_RDMA_PAYLOAD);

    private final ReconnectingLink link;
    private final IoEventLoop loop;
    private final DonorResolver resolver;
    private final RdmaDialer dialer;
    private final Duration connectTimeout;
    private final int slabSize;
    private final WriteWatch watch;
    private final boolean busyPoll;
    private final @Nullable LandingFrames landing;

    private @Nullable RdmaConnection connection;
    private @Nullable Watched connectionEvents;
    private @Nullable Transfers transfers;
    private @Nullable DeviceReads reads;
    private @Nullable Messages messages;
    private @Nullable Reaper reaper;
    private boolean greeted;

    /** Whether both ends are about to show who they are. */
    private boolean authenticating;

    private long lastAsked;

    /**
     * Not begun: {@link #open} does that.
     *
     * @param connectTimeout how long the connection and its hello may take, once the donor's name is looked up
     * @param slabSize bytes of a slab
     * @param busyPoll see {@link RdmaConnector}
     * @param landing the loop's; null if it has none
     */
    RdmaSession(
            ReconnectingLink link,
            IoEventLoop loop,
            DonorResolver resolver,
            RdmaDialer dialer,
            Duration connectTimeout,
            int slabSize,
            WriteWatch watch,
            boolean busyPoll,
            @Nullable LandingFrames landing) {
        this.link = link;
        this.loop = loop;
        this.resolver = resolver;
        this.dialer = dialer;
        this.connectTimeout = connectTimeout;
        this.slabSize = slabSize;
        this.watch = watch;
        this.busyPoll = busyPoll;
        this.landing = landing;
    }

    @Override
    public void open() {
        link.expectWithin(DonorResolver.LIMIT);
        resolver.next((address, problem) -> {
            if (address == null) {
                broken(String.valueOf(problem));
            } else if (live()) {
                connect(address);
            }
        });
    }

    private void connect(InetSocketAddress address) {
        link.expectWithin(connectTimeout);
        try {
            RdmaConnection dialled = dialer.dial(address, SHAPE, this);
            connection = dialled;
            connectionEvents = Watched.on(loop, dialled.descriptor(), this::takeConnectionEvents);
        } catch (IOException | RuntimeException e) {
            broken(String.valueOf(e.getMessage()));
        }
    }

    // What the connection tells.

    private boolean live() {
        return link.has(this);
    }

    private void takeConnectionEvents() {
        RdmaConnection from = connection;
        if (from != null && live()) {
            from.takeEvents(0);
            endOfTurn();
        }
    }

    /** Does what must not be done from inside the queue pair's own calls. */
    void endOfTurn() {
        if (live()) {
            link.requests().pump();
        }
    }

    /** The connection is of no use any more; why, in a few words. */
    void broken(String why) {
        if (live()) {
            link.fail(why);
        }
    }

    void broken(IOException e) {
        broken(String.valueOf(e.getMessage()));
    }

    @Override
    public void made(Transfers fresh, MemoryKeys memory, int readSlots) throws IOException {
        transfers = fresh;
        reads = new DeviceReads(fresh, memory, readSlots, watch, slabSize, landing);
        messages = new Messages(fresh);
        Reaper taking = new Reaper(loop, this, fresh, busyPoll);
        reaper = taking;
        taking.start();
    }

    @Override
    public void authenticating() {
        authenticating = true;
        if (reaper != null) {
            reaper.posted();
        }
    }

    @Override
    public void authenticated(PoolName peer) {
        if (live()) {
            link.donor().showedItself(peer);
        }
    }

    /** Before the donor has accepted the link that is for a reason, and later it is the wire. */
    @Override
    public void refused(String why) {
        if (live()) {
            if (!greeted) {
                link.donor().unfit(Donor.Unfit.REFUSES);
            }
            link.fail(why);
        }
    }

    @Override
    public void connected() {
        authenticating = false;
        if (live()) {
            link.connected();
        }
    }

    /** What the donor has said before, such as why, is looked at first. */
    @Override
    public void disconnected(String why) {
        if (reaper != null && live()) {
            reaper.reapLast();
        }
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
            return;
        }
        long now = System.nanoTime();
        link.requests().proven(request, now);
        if (from.undisturbed(request, slot)) {
            link.donor().readByDevice();
            request.finish(LinkRequest.Outcome.OK, now);
        } else {
            link.donor().readDisturbed();
            request.asked = true;
            link.post(request);
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
        if (from == null || waiting == null || !live()) {
            return;
        }
        ByteBuf frame = from.receiveFrame(slot);
        frame.setIndex(0, length);
        if (length < ReplyHeader.LENGTH || length != ReplyHeader.LENGTH + ReplyHeader.payload(frame, 0)) {
            broken("broke the protocol: a message of " + length + " bytes");
        } else if (!greeted && !waiting.awaitsHello()) {
            broken("broke the protocol: an answer before the hello");
        } else if (!greeted) {
            helloAnswered(waiting, frame);
        } else {
            answered(waiting, frame, length - ReplyHeader.LENGTH);
        }
        if (!live()) {
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
        link.helloAnswered(status, reply);
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
        boolean last = request.queue == null && complete(request);
        link.requests()
                .answered(
                        request,
                        status,
                        ReplyHeader.freeSlabs(frame, 0),
                        ReplyHeader.wantedBack(frame, 0),
                        last,
                        System.nanoTime());
    }

    /** Whether nothing of a request is left to be sent, to be answered or to be read by the device. */
    private boolean complete(LinkRequest request) {
        return Messages.complete(request) && (reads == null || !reads.holds(request));
    }

    // What the link asks for.

    @Override
    public void hello(Hello hello) {
        Messages to = messages;
        if (to == null) {
            return;
        }
        try {
            to.hello(hello);
        } catch (IOException e) {
            broken(e);
        }
        posted();
    }

    @Override
    public void greeted(HelloReply reply) {
        greeted = true;
    }

    @Override
    public boolean advance(LinkRequest request) {
        Messages to = messages;
        DeviceReads device = reads;
        if (to == null || device == null) {
            return false;
        }
        if (request.operation == Operation.READ && !request.asked) {
            DeviceReads.Start start = read(device, request);
            if (start == DeviceReads.Start.BEGUN || start == DeviceReads.Start.NO_SLOT) {
                return start == DeviceReads.Start.BEGUN;
            }
            if (start == DeviceReads.Start.ASK_ALSO_FOR_KEY) {
                askForKey(request.slab);
            }
            request.asked = true;
            link.donor().readAsked();
        }
        return sendPieces(to, request);
    }

    /** Has the device read, if that is right; see {@link DeviceReads#start}. */
    private DeviceReads.Start read(DeviceReads device, LinkRequest request) {
        DeviceReads.Start start;
        try {
            start = device.start(request, link.requests().demandsWait());
        } catch (IOException e) {
            broken(e);
            return DeviceReads.Start.BEGUN;
        }
        if (start == DeviceReads.Start.BEGUN && reaper != null) {
            reaper.posted();
        }
        return start;
    }

    /** Once a slab and connection, after the read that lacks the key. */
    private void askForKey(int slab) {
        loop.execute(() -> {
            if (live()) {
                link.requests().ask(Operation.EXPOSE, slab, System.nanoTime());
            }
        });
    }

    private boolean sendPieces(Messages to, LinkRequest request) {
        int before = request.sent;
        boolean all = false;
        try {
            all = to.send(request);
        } catch (IOException e) {
            broken(e);
        }
        if (request.sent != before) {
            posted();
        }
        return all;
    }

    private void posted() {
        lastAsked = System.nanoTime();
        if (reaper != null) {
            reaper.posted();
        }
    }

    /** {@link #advance} has sent or begun all of it. */
    @Override
    public void send(LinkRequest request, long now) {
        if (complete(request)) {
            request.finish(request.worst, now);
        }
    }

    @Override
    public boolean deviceWrites(LinkRequest request) {
        return reads != null && reads.writesInto(request);
    }

    @Override
    public void promoted(LinkRequest request) {
        if (reads != null) {
            reads.promoted(request);
        }
    }

    @Override
    public void eachUnderWay(Consumer<LinkRequest> to) {
        if (reads != null) {
            reads.each(to);
        }
        if (messages != null) {
            messages.each(to);
        }
    }

    @Override
    public boolean anyOverdue(Patience patience, long now, long heardNanos) {
        return (reads != null && reads.anyOverdue(patience, now, heardNanos))
                || (messages != null && messages.anyOverdue(patience, now, heardNanos));
    }

    /** What the device reads does not count: the donor hears nothing of it. */
    @Override
    public boolean awaitsReply() {
        return messages != null && !messages.isEmpty();
    }

    @Override
    public long lastAskedNanos() {
        return lastAsked;
    }

    /** Everything is posted as it comes. What has come back by the end of the turn need not wait for its event. */
    @Override
    public void flush() {
        if (reaper != null) {
            reaper.reap();
        }
    }

    boolean readsUnderWay() {
        return reads != null && !reads.isEmpty();
    }

    boolean somethingUnderWay() {
        return authenticating || readsUnderWay() || awaitsReply();
    }

    /** The device touches nothing any more when this returns. */
    @Override
    public void close() {
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

    @Override
    public @Nullable LinkRequest removeAny() {
        LinkRequest read = reads == null ? null : reads.removeAny();
        return read != null || messages == null ? read : messages.removeAny();
    }
}
