package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.tls.FrameTags;
import io.leapnbd.donor.tls.HandshakeLimit;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.PoolName;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One connection over TCP: a {@link RequestWriter}, a {@link ReplyReader}, and between them what is {@link InFlight}. Of bulk (writes and
 * trims) no more than a {@link BulkWindow} is on the way at a time, so that demands have little ahead of them.
 */
final class TcpSession implements LinkSession {

    private static final int RECEIVE_BUFFER = 256 << 10;

    private static final int MAX_BACKGROUND = 64;

    /** Bytes of writes that may be on the way over a link as long as one likes; the settings' window if that is more. */
    private static final int MAX_BULK = 4 << 20;

    private final ReconnectingLink link;
    private final EventLoop loop;
    private final DonorResolver resolver;
    private final Duration connectTimeout;
    private final ByteBufAllocator buffers;
    private final @Nullable LinkTls tls;
    private final BulkWindow bulk;
    private final UnsentLimit unsent = new UnsentLimit();

    private @Nullable Channel channel;
    private @Nullable RequestWriter writer;

    /** Of requests, if they go in clear; null otherwise. */
    private @Nullable FrameTags requestTags;

    private InFlight inFlight = new InFlight(1);
    private int backgroundCount;
    private boolean accepted;

    /** Whether the donor has said why it is about to end the connection. */
    private boolean toldWhy;

    private long lastAsked;

    /**
     * Not begun: {@link #open} does that.
     *
     * @param connectTimeout how long the connection and its hello may take, once the donor's name is looked up
     * @param bulkWindow bytes of writes that may always be on the way
     * @param buffers where it takes them from; direct ones
     * @param tls who both ends have to show to be; null if they need not
     */
    TcpSession(
            ReconnectingLink link,
            EventLoop loop,
            DonorResolver resolver,
            Duration connectTimeout,
            int bulkWindow,
            ByteBufAllocator buffers,
            @Nullable LinkTls tls) {
        this.link = link;
        this.loop = loop;
        this.resolver = resolver;
        this.connectTimeout = connectTimeout;
        this.buffers = buffers;
        this.tls = tls;
        bulk = new BulkWindow(bulkWindow, Math.max(bulkWindow, MAX_BULK));
    }

    @Override
    public void open() {
        link.expectWithin(DonorResolver.LIMIT);
        resolver.next((address, problem) -> {
            if (!link.has(this)) {
                return;
            }
            if (address == null) {
                link.fail(String.valueOf(problem));
            } else {
                connect(address);
            }
        });
    }

    private void connect(InetSocketAddress address) {
        link.expectWithin(connectTimeout);
        ChannelFuture connecting = new Bootstrap()
                .group(loop)
                .channel(EpollSocketChannel.class)
                .option(ChannelOption.ALLOCATOR, buffers)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.SO_KEEPALIVE, true)
                // The end of what the donor sends is told apart from a reset: see lastByteRead.
                .option(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) connectTimeout.toMillis())
                .option(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(RECEIVE_BUFFER))
                .option(ChannelOption.WRITE_BUFFER_WATER_MARK, waterMark())
                .option(EpollChannelOption.TCP_NOTSENT_LOWAT, (long) unsent.bytes())
                .handler(handlers())
                .connect(address);
        channel = connecting.channel();
        connecting.addListener(done -> {
            if (!done.isSuccess()) {
                ended(String.valueOf(done.cause().getMessage()));
            }
        });
    }

    /** They are made when the channel has its loop: one that ends before that makes none, which nobody would release. */
    private ChannelHandler handlers() {
        LinkTls both = tls;
        return new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel fresh) {
                ReplyReader reader = new ReplyReader(TcpSession.this);
                if (both != null) {
                    fresh.pipeline()
                            .addLast(new HandshakeLimit())
                            .addLast(both.handler(fresh.alloc(), connectTimeout))
                            .addLast(new DonorAuthentication(TcpSession.this, both, reader));
                }
                fresh.pipeline().addLast(reader);
            }
        };
    }

    private WriteBufferWaterMark waterMark() {
        return new WriteBufferWaterMark(unsent.bytes() / 2, unsent.bytes());
    }

    private void limitUnsent() {
        Channel to = channel;
        if (to != null && to.isOpen()) {
            boolean _ = to.config().setOption(EpollChannelOption.TCP_NOTSENT_LOWAT, (long) unsent.bytes());
            to.config().setWriteBufferWaterMark(waterMark());
        }
    }

    /** Called when the donor has shown who it is. */
    void authenticated(PoolName peer) {
        link.donor().showedItself(peer);
    }

    /** The connection goes in clear from here on. */
    void inClear(FrameTags requests) {
        requestTags = requests;
    }

    /** TLS fails, or a frame in clear was changed. Before the donor has accepted the link that is for a reason, and later it is the wire. */
    void refused(String why) {
        if (live()) {
            if (!accepted) {
                link.donor().unfit(Donor.Unfit.REFUSES);
            }
            link.fail(why);
        }
    }

    // Called by the reader.

    void connected(Channel connected) {
        if (live()) {
            writer = new RequestWriter(connected, requestTags);
            link.connected();
        }
    }

    /** Whether replies are of any use. */
    boolean live() {
        return link.has(this);
    }

    void helloAnswered(byte status, @Nullable HelloReply reply) {
        link.helloAnswered(status, reply);
    }

    /** Whether the donor has accepted the link. */
    boolean accepted() {
        return accepted;
    }

    /** The request that a reply's header answers; null if nobody asked for it. */
    @Nullable
    LinkRequest awaiting(int cookie) {
        return inFlight.get(cookie);
    }

    void answered(LinkRequest request, byte status, int freeSlabs, int wantedBack, long now) {
        inFlight.remove(request);
        toldWhy |= status == Status.BAD_REQUEST;
        if (request.urgent()) {
            bulk.roundTrip(request.sentNanos, now);
        } else if (request.background) {
            backgroundCount--;
        } else {
            bulk.answered(request.bytesOnTheWay(), request.deliveredBefore, request.sentNanos, now);
        }
        link.requests().answered(request, status, freeSlabs, wantedBack, true, now);
    }

    /** Replies have come, or the socket has taken what was sent: there is room. */
    void mayGoOn() {
        if (live()) {
            link.requests().pump();
            flush();
        }
    }

    /** The donor says, without being asked, why it ends the connection. */
    void lastWord(byte status) {
        if (live()) {
            link.lastWord(status);
        }
    }

    /** The donor has ended its half in good order: all that it has ever sent was read. A reset, or a failed write, is not that. */
    void lastByteRead() {
        if (live()) {
            if (accepted && !toldWhy) {
                link.processEnded();
            }
            link.fail("closed the connection");
        }
    }

    /** The connection is of no use any more. */
    void ended(String why) {
        if (live()) {
            link.fail(why);
        }
    }

    /** The donor does not keep to the protocol: nothing that follows can be understood. */
    void brokeProtocol(String how) {
        if (live()) {
            link.distrust("broke the protocol: " + how);
        }
    }

    // Called by the link.

    @Override
    public void hello(Hello hello) {
        RequestWriter to = writer;
        if (to != null) {
            lastAsked = System.nanoTime();
            to.hello(hello);
            to.flush();
        }
    }

    @Override
    public void greeted(HelloReply reply) {
        inFlight = new InFlight(reply.maxInFlight());
        accepted = true;
    }

    @Override
    public boolean advance(LinkRequest request) {
        Channel to = channel;
        if (inFlight.full() || to == null) {
            return false;
        }
        if (request.urgent()) {
            return true;
        }
        if (request.background) {
            return backgroundCount < MAX_BACKGROUND && !link.requests().demandsWait();
        }
        return to.isWritable() && bulk.admits(request.bytesOnTheWay());
    }

    @Override
    public void send(LinkRequest request, long now) {
        boolean other;
        if (request.urgent()) {
            other = unsent.demand(now);
        } else if (request.background) {
            backgroundCount++;
            other = false;
        } else {
            request.deliveredBefore = bulk.sent(request.bytesOnTheWay());
            other = unsent.bulk(bulk.rate(), now);
        }
        if (other) {
            limitUnsent();
        }
        lastAsked = request.sentNanos;
        int cookie = inFlight.add(request);
        RequestWriter to = writer;
        if (to != null) {
            to.request(request, cookie);
        }
    }

    @Override
    public void promoted(LinkRequest request) {
        // Should the connection break, it is a demand when it is sent again.
        backgroundCount--;
    }

    @Override
    public void flush() {
        RequestWriter to = writer;
        if (to != null) {
            to.flush();
        }
    }

    @Override
    public boolean anyOverdue(Patience patience, long now, long heardNanos) {
        return inFlight.anyOverdue(patience, now, heardNanos);
    }

    @Override
    public boolean awaitsReply() {
        return !inFlight.isEmpty();
    }

    @Override
    public long lastAskedNanos() {
        return lastAsked;
    }

    @Override
    public void eachUnderWay(Consumer<LinkRequest> to) {
        inFlight.each(to);
    }

    @Override
    public void close() {
        Channel open = channel;
        if (open != null) {
            // At the socket, and at once: TLS would send a last record first, and with it what is queued from buffers
            // that are not ours any more.
            ChannelHandlerContext first = open.pipeline().firstContext();
            ChannelFuture _ = first == null ? open.close() : first.close();
        }
        RequestWriter to = writer;
        writer = null;
        if (to != null) {
            to.release();
        }
    }

    @Override
    public @Nullable LinkRequest removeAny() {
        return inFlight.removeAny();
    }
}
