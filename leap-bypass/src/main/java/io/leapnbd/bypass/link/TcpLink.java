package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Status;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetSocketAddress;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A link over TCP that stays: it connects, claims the export, and when the connection breaks it connects again, with backoff,
 * and sends again what had no reply. Sending twice is safe, because writes carry versions and reads change nothing.
 *
 * <p>Requests wait in one of three queues while they cannot be sent: demands, then bulk (writes and trims, of which no more
 * than a window of bytes is on the way at a time), then background reads. Demands never wait for the other two.
 *
 * <p>Every field belongs to the loop's thread.
 */
final class TcpLink implements DonorLink, PendingRequests.Sender {

    private static final Logger LOG = LoggerFactory.getLogger(TcpLink.class);

    private static final int RECEIVE_BUFFER = 256 << 10;
    private static final int MAX_BACKGROUND = 64;

    /** Bytes of writes that may be on the way over a link as long as one likes; the settings' window if that is more. */
    private static final int MAX_BULK = 4 << 20;

    /**
     * Bytes that wait in the channel and in the socket to be sent: what a demand read has ahead of it at most, be the network
     * slow. Bulk beyond it waits here, where demands overtake it.
     */
    private static final int UNSENT = 128 << 10;

    /** A link that has nothing else to say says so often that it is there; that of lane 0 is the server's heartbeat. */
    private static final long PING_AFTER_NANOS = TimeUnit.SECONDS.toNanos(10);

    private static final long HEARTBEAT_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final EventLoop loop;
    private final int lane;
    private final Donor donor;
    private final DonorResolver resolver;
    private final LinkSettings settings;
    private final long requestTimeoutNanos;
    private final ByteBufAllocator buffers;

    private final PendingRequests pending = new PendingRequests(this);
    private final Backoff backoff = new Backoff();
    private InFlight inFlight = new InFlight(1);
    private BulkWindow bulk;
    private int backgroundCount;

    private @Nullable Channel channel;
    private @Nullable RequestWriter writer;
    private @Nullable UUID incarnation;
    private @Nullable LinkGreeting greeting;
    private boolean ready;
    private boolean wasReady;

    /** How every further request ends, once the link is closed or fenced off for good. */
    private @Nullable Outcome over;

    private long connectDeadline;
    private long lastHeard;

    /**
     * A link that is not connected; {@link #connect()} starts it.
     *
     * @param address looked up for each connection
     * @param lane the loop's number, told to the donor for people to see
     * @param requestTimeoutNanos deadline of the pings that the link itself sends
     * @param buffers where it takes them from; direct ones
     */
    TcpLink(
            EventLoop loop,
            int lane,
            Donor donor,
            DonorAddress address,
            LinkSettings settings,
            long requestTimeoutNanos,
            ByteBufAllocator buffers) {
        this.loop = loop;
        this.lane = lane;
        this.donor = donor;
        resolver = new DonorResolver(address, loop);
        this.settings = settings;
        this.requestTimeoutNanos = requestTimeoutNanos;
        this.buffers = buffers;
        bulk = newBulkWindow();
    }

    private BulkWindow newBulkWindow() {
        return new BulkWindow(settings.bulkWindow(), Math.max(settings.bulkWindow(), MAX_BULK));
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public boolean ready() {
        return ready;
    }

    /** Starts to connect. On the loop. */
    void connect() {
        if (over != null) {
            return;
        }
        resolver.next((address, problem) -> {
            if (over != null) {
                return;
            }
            if (address == null) {
                donor.unreachable(String.valueOf(problem));
                reconnectLater();
            } else {
                connect(address);
            }
        });
    }

    private void connect(InetSocketAddress address) {
        int timeout = (int) settings.connectTimeout().toMillis();
        connectDeadline = System.nanoTime() + settings.connectTimeout().toNanos();
        Bootstrap bootstrap = new Bootstrap()
                .group(loop)
                .channel(EpollSocketChannel.class)
                .option(ChannelOption.ALLOCATOR, buffers)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.SO_KEEPALIVE, true)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, timeout)
                .option(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(RECEIVE_BUFFER))
                .option(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(UNSENT / 2, UNSENT))
                .option(EpollChannelOption.TCP_NOTSENT_LOWAT, (long) UNSENT)
                .handler(new ReplyReader(this));
        bootstrap.connect(address).addListener(done -> {
            if (!done.isSuccess() && over == null) {
                donor.unreachable(String.valueOf(done.cause().getMessage()));
                reconnectLater();
            }
        });
    }

    @Override
    public void post(LinkRequest request) {
        if (over != null) {
            request.finish(over, System.nanoTime());
        } else if (request.startNanos - request.deadlineNanos >= 0) {
            request.finish(Outcome.UNREACHABLE, request.startNanos);
        } else if (ready && pending.noneAhead(request) && admits(request)) {
            send(request, request.startNanos);
        } else {
            keep(request);
        }
    }

    /** Keeps a request until it can be sent; unless nobody has reached the donor for as long as a request may take. */
    private void keep(LinkRequest request) {
        long now = ready ? 0 : System.nanoTime();
        if (!ready && donor.down(now, requestTimeoutNanos)) {
            request.finish(Outcome.UNREACHABLE, now);
        } else {
            pending.add(request);
        }
    }

    @Override
    public void promote(LinkRequest request) {
        if (!request.background) {
            return;
        }
        if (pending.promote(request)) {
            pending.pumpIfFirst(request, System.nanoTime());
        } else {
            // On its way; should the connection break it is a demand when it is sent again.
            backgroundCount--;
        }
    }

    @Override
    public void flush() {
        if (writer != null) {
            writer.flush();
        }
    }

    @Override
    public void tick(long now) {
        if (ready && inFlight.anyExpired(now)) {
            donor.timedOut();
            breakConnection("a request had no reply in time");
        } else if (!ready && channel != null && now - connectDeadline >= 0) {
            breakConnection(
                    "connected, but no hello in " + settings.connectTimeout().toMillis() + " ms");
        } else if (ready && inFlight.isEmpty() && now - lastHeard > (lane == 0 ? HEARTBEAT_NANOS : PING_AFTER_NANOS)) {
            ping(now);
        }
        pending.expire(now);
        flush();
    }

    @Override
    public void stoodStill(long gapNanos) {
        inFlight.postpone(gapNanos);
        pending.postpone(gapNanos);
        connectDeadline += gapNanos;
        backoff.reset();
        if (ready) {
            breakConnection("this process stood still for " + TimeUnit.NANOSECONDS.toMillis(gapNanos) + " ms");
        }
    }

    @Override
    public void close() {
        end(Outcome.UNREACHABLE, "closed");
    }

    /** Ends the link for good. */
    private void end(Outcome how, String why) {
        if (over == null) {
            over = how;
            breakConnection(why);
            pending.end(how, System.nanoTime());
        }
    }

    // Called by the reader.

    void connected(Channel connected) {
        if (over != null) {
            connected.close();
            return;
        }
        channel = connected;
        RequestWriter fresh = new RequestWriter(connected);
        writer = fresh;
        LinkGreeting saying = new LinkGreeting(donor, settings, lane);
        greeting = saying;
        act(saying.begin());
    }

    void helloAnswered(byte status, @Nullable HelloReply reply) {
        LinkGreeting saying = greeting;
        if (saying != null) {
            act(saying.answered(status, reply));
        }
    }

    private void act(LinkGreeting.Step step) {
        RequestWriter to = writer;
        switch (step.kind()) {
            case SAY -> {
                Hello hello = step.hello();
                if (to != null && hello != null) {
                    to.hello(hello);
                    to.flush();
                }
            }
            case READY -> {
                HelloReply reply = step.reply();
                if (reply != null) {
                    greeted(reply);
                }
            }
            case FENCED -> fenced();
            case LATER -> breakConnection(step.why());
        }
    }

    private void greeted(HelloReply reply) {
        donor.met(reply.totalSlabs(), reply.freeSlabs());
        incarnation = reply.incarnation();
        inFlight = new InFlight(reply.maxInFlight());
        bulk = newBulkWindow();
        backgroundCount = 0;
        ready = true;
        backoff.reset();
        lastHeard = System.nanoTime();
        donor.linkUp(wasReady);
        wasReady = true;
        pending.pump();
        flush();
    }

    /** Whether the donor has accepted this link. */
    boolean accepted() {
        return ready;
    }

    /** The request that a reply's header answers; null if nobody asked for it. */
    @Nullable
    LinkRequest awaiting(int cookie) {
        return inFlight.get(cookie);
    }

    void answered(LinkRequest request, byte status, int freeSlabs, long now) {
        inFlight.remove(request);
        donor.freeSlabs(freeSlabs);
        lastHeard = now;
        discount(request, now);
        Outcome outcome = Outcome.of(status);
        UUID process = request.incarnation;
        if (outcome == Outcome.OK && process != null && !request.urgent() && !request.background) {
            donor.acknowledged(process, request.version);
        }
        if (outcome == Outcome.REFUSED) {
            LOG.error("donor {} refused operation {}: {}", donor, request.operation, Status.name(status));
        }
        request.finish(outcome, now);
        if (outcome == Outcome.FENCED) {
            fenced();
        }
    }

    private void fenced() {
        if (over != null) {
            return;
        }
        donor.listener().fenced(donor);
        end(Outcome.FENCED, "a newer server has claimed the export");
    }

    void endOfReplies() {
        pending.pump();
        flush();
    }

    void writabilityChanged() {
        pending.pump();
        flush();
    }

    void disconnected(@Nullable String why) {
        RequestWriter broken = writer;
        channel = null;
        writer = null;
        if (broken != null) {
            broken.release();
        }
        LinkGreeting said = greeting;
        greeting = null;
        if (said != null) {
            said.ended();
        }
        if (ready) {
            ready = false;
            donor.linkDown(why != null ? why : "closed the connection", over == null);
        } else if (over == null && why != null) {
            donor.unreachable(why);
        }
        long now = System.nanoTime();
        for (LinkRequest r = inFlight.removeAny(); r != null; r = inFlight.removeAny()) {
            pending.again(r, over, now);
        }
        reconnectLater();
    }

    private void reconnectLater() {
        if (over == null && !loop.isShuttingDown()) {
            loop.schedule(() -> connect(), backoff.next(), TimeUnit.MILLISECONDS);
        }
    }

    private void breakConnection(@Nullable String why) {
        Channel broken = channel;
        if (broken != null) {
            ((ReplyReader) broken.pipeline().last()).giveUp(broken, why);
        }
    }

    private void ping(long now) {
        LinkRequest ping = new LinkRequest();
        ping.operation = Operation.PING;
        ping.startNanos = now;
        ping.deadlineNanos = now + requestTimeoutNanos;
        post(ping);
    }

    /** Whether a request may be sent now. */
    private boolean admits(LinkRequest request) {
        Channel to = channel;
        if (inFlight.full() || to == null || forNewerProcess(request)) {
            return false;
        }
        if (request.urgent()) {
            return true;
        }
        if (request.background) {
            return backgroundCount < MAX_BACKGROUND && !pending.demandsWait();
        }
        return to.isWritable() && bulk.admits(request.bytesOnTheWay());
    }

    @Override
    public boolean advance(LinkRequest request, long now) {
        return ready && admits(request);
    }

    @Override
    public void left(LinkRequest request, long now) {
        send(request, now);
    }

    private void send(LinkRequest request, long now) {
        if (request.incarnation != null && !request.incarnation.equals(incarnation)) {
            request.finish(Outcome.LOST, now);
            return;
        }
        if (request.operation == Operation.GRANT) {
            request.incarnation = incarnation;
        }
        if (request.postNanos == 0) {
            request.postNanos = now;
        }
        request.sentNanos = now;
        if (!request.urgent()) {
            if (request.background) {
                backgroundCount++;
            } else {
                request.deliveredBefore = bulk.sent(request.bytesOnTheWay());
            }
        }
        int cookie = inFlight.add(request);
        RequestWriter to = writer;
        if (to != null) {
            to.request(request, cookie);
        }
    }

    /**
     * Whether a request is for the donor's new process, which another loop has met, while this connection is still to the old one.
     * Then it waits for the next connection, and this one ends.
     */
    private boolean forNewerProcess(LinkRequest request) {
        UUID process = request.incarnation;
        boolean newer = process != null
                && !process.equals(incarnation)
                && process.equals(donor.incarnation())
                && incarnation != null;
        if (newer) {
            loop.execute(() -> breakConnection("the donor has restarted"));
        }
        return newer;
    }

    private void discount(LinkRequest request, long now) {
        if (request.urgent()) {
            bulk.roundTrip(request.sentNanos, now);
        } else if (request.background) {
            backgroundCount--;
        } else {
            bulk.answered(request.bytesOnTheWay(), request.deliveredBefore, request.sentNanos, now);
        }
    }

    /** For the log. */
    @Override
    public String toString() {
        return "link " + lane + " to " + donor + (ready ? "" : " (down)");
    }
}
