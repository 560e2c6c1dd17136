package io.leapnbd.donor.net;

import io.leapnbd.donor.loop.EventLoops;
import io.leapnbd.donor.loop.LoopTurns;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.tls.HandshakeLimit;
import io.leapnbd.donor.tls.LinkTls;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves a {@link SlabStore} to links over TCP. The store stays its owner's: close the server first, then the store.
 *
 * <p>Not to be started or closed on an event loop of its own group: both wait.
 */
public final class DonorServer implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(DonorServer.class);

    /** A link is not read while more than this waits to be sent to it, until it is below a quarter of it. */
    private static final int REPLIES_HIGH_WATER = 1 << 20;

    private static final int BACKLOG = 1024;

    private final ServerCounters counters = new ServerCounters();
    private final Listener shared;
    private final ChannelGroup links = new DefaultChannelGroup("donor-links", GlobalEventExecutor.INSTANCE, true);
    private final Channel listener;
    private final @Nullable EventLoops ownLoops;

    private DonorServer(SlabStore store, ServerSettings settings, @Nullable LinkTls tls, @Nullable EventLoopGroup given)
            throws IOException {
        LinkMemory.requireRoom(settings, tls != null);
        LinkMemory memory = new LinkMemory(settings.memory());
        shared = new Listener(
                store, settings, counters, new LinkPlaces(settings.maxLinks()), memory, tls, new LimitedLog(LOG));
        EventLoops own = given != null ? null : EventLoops.open(settings.loops(), "donor-loop");
        ownLoops = own;
        EventLoopGroup group = own != null ? own.group() : Objects.requireNonNull(given);
        ChannelFuture bound = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.SO_KEEPALIVE, true)
                .childOption(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
                .childOption(
                        ChannelOption.WRITE_BUFFER_WATER_MARK,
                        new WriteBufferWaterMark(REPLIES_HIGH_WATER / 4, REPLIES_HIGH_WATER))
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        admit(channel);
                    }
                })
                .bind(settings.address())
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            stopOwnLoops();
            throw new IOException(
                    "cannot listen on " + settings.address() + ": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        listener = bound.channel();
    }

    /** Starts with event loops of its own. */
    public static DonorServer start(SlabStore store, ServerSettings settings) throws IOException {
        return new DonorServer(store, settings, null, null);
    }

    /**
     * Starts with event loops of its own.
     *
     * @param tls whom links have to show to be; null serves anybody who connects. The caller closes it after this
     */
    public static DonorServer start(SlabStore store, ServerSettings settings, @Nullable LinkTls tls)
            throws IOException {
        return new DonorServer(store, settings, tls, null);
    }

    /**
     * Starts on event loops of the caller's, which have to be epoll ones.
     *
     * @throws IOException if it cannot listen on the address
     * @throws IllegalArgumentException if its links may need more direct memory than there is
     */
    public static DonorServer start(SlabStore store, ServerSettings settings, EventLoopGroup group) throws IOException {
        return new DonorServer(store, settings, null, group);
    }

    /** What it listens on, with the port that it got. */
    public InetSocketAddress address() {
        return (InetSocketAddress) listener.localAddress();
    }

    /** How long its event loops' turns are; of a caller's loops it knows nothing. */
    public List<LoopTurns> turns() {
        EventLoops own = ownLoops;
        return own == null ? List.of() : own.turns();
    }

    /**
     * Has its event loops run a task each, and waits for that; a caller's loops are the caller's to ask. Not from one of them.
     *
     * @param nanos how long to wait at most
     * @return whether all of them did
     */
    public boolean respond(long nanos) throws InterruptedException {
        EventLoops own = ownLoops;
        return own == null || own.respond(nanos);
    }

    /** How things are now. */
    public ServerStatistics statistics() {
        return new ServerStatistics(
                counters.open.get(),
                counters.accepted.sum(),
                counters.turnedAway.sum(),
                counters.badRequests.sum(),
                counters.timeouts.sum(),
                counters.fencedOff.sum(),
                counters.pauses.sum(),
                counters.evicted.sum());
    }

    /**
     * Stops listening and closes every link; their exports' leases begin. To servers it is the end of the process: as the store may outlive
     * this, it {@linkplain SlabStore#admitNobody admits nobody} before, or ends with the process.
     */
    @Override
    public void close() {
        listener.close().awaitUninterruptibly();
        // A close would reset the connections on which requests lie unread. A server that reads a FIN closes its end.
        for (Channel channel : links) {
            LinkHandler link = channel.pipeline().get(LinkHandler.class);
            if (link != null) {
                link.parting();
            }
        }
        links.newCloseFuture()
                .awaitUninterruptibly(shared.settings().lingerTimeout().toMillis());
        links.close().awaitUninterruptibly();
        stopOwnLoops();
    }

    private void admit(Channel channel) {
        LinkHandler link = new LinkHandler(shared, channel);
        if (!shared.places().enter(link.conversation())) {
            counters.turnedAway.increment();
            shared.log()
                    .info(
                            "{} turned away: {} links are open",
                            PeerText.of(channel.remoteAddress()),
                            shared.settings().maxLinks());
            ChannelFuture _ = channel.close();
            return;
        }
        int _ = counters.open.incrementAndGet();
        counters.accepted.increment();
        links.add(channel);
        channel.closeFuture().addListener(closed -> {
            int _ = counters.open.decrementAndGet();
            shared.places().leave(link.conversation());
        });
        LinkTls tls = shared.tls();
        if (tls != null) {
            boolean _ = shared.handshakes().enter(link.conversation());
            channel.pipeline()
                    .addLast(new HandshakeLimit())
                    .addLast(new CloseByTls(shared.settings().lingerTimeout()))
                    .addLast(tls.handler(channel.alloc(), shared.settings().helloTimeout()))
                    .addLast(new Authentication(shared, link));
        }
        channel.pipeline().addLast(link);
    }

    private void stopOwnLoops() {
        EventLoops own = ownLoops;
        if (own != null) {
            own.close();
        }
    }
}
