package io.leapnbd.nbd.server;

import io.leapnbd.nbd.NbdUri;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ServerChannel;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.UnixChannelOption;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An NBD server: exports {@link io.leapnbd.nbd.spi.BlockDevice}s to clients that speak the fixed newstyle protocol, over
 * any number of TCP and Unix sockets.
 *
 * <pre>{@code
 * NbdServer server = NbdServer.start(new NbdServerContext().group(loops).export("leap", device));
 * Listener tcp = server.listenTcp(new InetSocketAddress("127.0.0.1", 0));
 * Listener unix = server.listenUnix(Path.of("/run/leap.sock"));
 * }</pre>
 *
 * Each accepted connection belongs to one event loop of the group for its life. All methods may be called by any thread
 * that is not one of those loops.
 */
public final class NbdServer implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(NbdServer.class);

    /** Replies that a client lets pile up, in bytes, before it is not read any more, and until it is read again. */
    private static final WriteBufferWaterMark REPLIES_WAITING = new WriteBufferWaterMark(512 << 10, 2 << 20);

    private static final int BACKLOG = 128;
    private static final int KEEP_ALIVE_IDLE_SECONDS = 60;
    private static final int KEEP_ALIVE_INTERVAL_SECONDS = 10;
    private static final int KEEP_ALIVE_PROBES = 6;

    /** How long a client's machine may leave what was sent to it unacknowledged; keep-alive is for those that were sent nothing. */
    private static final int UNACKNOWLEDGED_MILLIS = 120_000;

    /** How long {@link #close} waits for devices to complete what is in flight. */
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    private final ServerCore core;
    private final List<Listener> listeners = new CopyOnWriteArrayList<>();

    private NbdServer(ServerCore core) {
        this.core = core;
    }

    /**
     * Starts a server that does not listen yet.
     *
     * @throws IllegalArgumentException when a setting is missing
     */
    public static NbdServer start(NbdServerContext context) {
        context.conclude();
        return new NbdServer(new ServerCore(context));
    }

    /**
     * Accepts clients over TCP.
     *
     * @param address where; port 0 picks a free one, which {@link Listener#uri} tells
     * @throws IOException when the address cannot be bound
     */
    public Listener listenTcp(InetSocketAddress address) throws IOException {
        if (address.isUnresolved()) {
            throw new IOException(
                    "the host " + address.getHostString() + " is not known; give an address to listen on");
        }
        ServerBootstrap bootstrap = bootstrap(EpollServerSocketChannel.class)
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.SO_KEEPALIVE, true)
                .childOption(EpollChannelOption.TCP_KEEPIDLE, KEEP_ALIVE_IDLE_SECONDS)
                .childOption(EpollChannelOption.TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL_SECONDS)
                .childOption(EpollChannelOption.TCP_KEEPCNT, KEEP_ALIVE_PROBES)
                .childOption(EpollChannelOption.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MILLIS);
        Channel channel = bind(bootstrap, address, address.getHostString() + ":" + address.getPort());
        InetSocketAddress bound = (InetSocketAddress) channel.localAddress();
        return add(new Listener(channel, NbdUri.tcp(address.getHostString(), bound.getPort(), ""), null));
    }

    /**
     * Accepts clients over a Unix stream socket that only this process's user may connect to. A socket file that a killed server
     * has left behind is replaced. It is removed when the listener closes, unless another one has taken its place.
     *
     * @throws IOException when somebody listens there already, something else is there, or the path cannot be bound
     */
    public Listener listenUnix(Path path) throws IOException {
        return listenUnix(path, UnixAccess.OWNER);
    }

    /**
     * Likewise, for those who may connect by the mode and the group of its file.
     *
     * @throws IOException also when the file cannot be given to the group
     */
    public Listener listenUnix(Path path, UnixAccess access) throws IOException {
        AtomicReference<@Nullable Channel> bound = new AtomicReference<>();
        UnixSocketFile file = null;
        try {
            file = UnixSocketFile.create(
                    path,
                    access,
                    at -> bound.set(bind(
                            bootstrap(EpollServerDomainSocketChannel.class),
                            new DomainSocketAddress(at.toString()),
                            path.toString())));
        } finally {
            Channel channel = bound.get();
            if (file == null && channel != null) {
                channel.close().awaitUninterruptibly();
            }
        }
        return add(new Listener(Objects.requireNonNull(bound.get()), NbdUri.unix(path.toString(), ""), file));
    }

    /** The open listeners, in the order in which they were opened. */
    public List<Listener> listeners() {
        listeners.removeIf(listener -> !listener.isOpen());
        return List.copyOf(listeners);
    }

    /** What the server has done so far. */
    public ServerStatistics statistics() {
        return core.statistics();
    }

    /** The connections at this moment. The numbers in them are read without stopping anything. */
    public List<ConnectionInfo> connections() {
        return core.connections();
    }

    /**
     * Stops listening and drops all connections, without answering what is in flight ("Terminating the transmission
     * phase": a hard disconnect, and no ESHUTDOWN). Waits up to 5 s for the devices to complete that, after which they
     * may be closed.
     */
    @Override
    public void close() {
        listeners.forEach(Listener::close);
        core.close();
        long end = System.nanoTime() + CLOSE_TIMEOUT.toNanos();
        while (!core.drained()) {
            if (System.nanoTime() - end > 0) {
                LOG.warn(
                        "{} connections still have requests in their devices after {} s",
                        core.connections().size(),
                        CLOSE_TIMEOUT.toSeconds());
                return;
            }
            LockSupport.parkNanos(1_000_000);
        }
    }

    private ServerBootstrap bootstrap(Class<? extends ServerChannel> type) {
        return new ServerBootstrap()
                .group(core.context().group(), core.loops())
                .channel(type)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .childOption(ChannelOption.ALLOCATOR, core.context().allocator())
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, REPLIES_WAITING)
                .childOption(UnixChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        accept(channel);
                    }
                });
    }

    private void accept(Channel channel) {
        Connection connection = new Connection(core.nextId(), channel, core, Peer.of(channel));
        if (!core.admit(connection)) {
            core.statistics().connectionsRefused.increment();
            if (core.refusals().allows()) {
                LOG.info(
                        "refused {}: there are {} connections already{}",
                        connection.peer().name(),
                        core.maxConnections(),
                        core.refusals().leftOut());
            }
            Future<?> _ = channel.close();
            return;
        }
        channel.config().setRecvByteBufAllocator(connection.receive);
        channel.pipeline().addLast(connection);
    }

    private static Channel bind(ServerBootstrap bootstrap, SocketAddress address, String name) throws IOException {
        ChannelFuture bound = bootstrap.bind(address).awaitUninterruptibly();
        Throwable cause = bound.cause();
        if (cause != null) {
            throw new IOException("cannot listen on " + name + ": " + cause.getMessage(), cause);
        }
        return bound.channel();
    }

    private Listener add(Listener listener) {
        listeners.add(listener);
        return listener;
    }
}
