package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.server.Listener;
import io.leapnbd.nbd.server.NbdServer;
import io.leapnbd.nbd.server.NbdServerContext;
import io.leapnbd.nbd.spi.BlockDevice;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/**
 * The one way to start a server in tests: event loops of its own, a TCP and a Unix listener, and an allocator that knows
 * to the byte what has not been given back, which {@link #close} checks.
 */
public final class TestServer implements AutoCloseable {

    /** For everything that must happen; long enough for a busy machine. */
    public static final Duration PATIENCE = Duration.ofSeconds(20);

    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private final EventLoopGroup group;
    private final Path folder;
    private final NbdServer server;
    private final Listener tcp;
    private final Listener unix;

    private TestServer(int loops, UnaryOperator<NbdServerContext> settings) {
        try {
            group = new MultiThreadIoEventLoopGroup(loops, EpollIoHandler.newFactory());
            folder = Files.createTempDirectory("nbd");
            server = NbdServer.start(
                    settings.apply(new NbdServerContext().group(group).allocator(allocator)));
            tcp = server.listenTcp(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            unix = server.listenUnix(folder.resolve("socket"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Serves one device as the export {@code test}, on two loops. */
    public static TestServer of(BlockDevice device) {
        return start(2, context -> context.export("test", device));
    }

    public static TestServer start(int loops, UnaryOperator<NbdServerContext> settings) {
        return new TestServer(loops, settings);
    }

    public NbdServer server() {
        return server;
    }

    public NbdUri tcp() {
        return tcp.uri();
    }

    public NbdUri unix() {
        return unix.uri();
    }

    public Path folder() {
        return folder;
    }

    /** Bytes of buffers that the server holds now. */
    public long bufferBytes() {
        return allocator.metric().usedDirectMemory();
    }

    /** A client of the default export, over the Unix socket. */
    public NbdClient client() throws IOException {
        return NbdClient.connect(unix(), PATIENCE);
    }

    /** A client that says what it likes, over TCP. */
    public RawClient raw() throws IOException {
        return new RawClient(tcp());
    }

    /** Stops everything. Fails when a buffer was not released. */
    @Override
    public void close() throws IOException {
        server.close();
        // Without a quiet period, however short, a loop may end before it has ended its channels and released their
        // buffers.
        group.shutdownGracefully(1, TimeUnit.SECONDS.toNanos(1), TimeUnit.NANOSECONDS)
                .awaitUninterruptibly(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Files.deleteIfExists(folder.resolve("socket"));
        Files.delete(folder);
        if (bufferBytes() != 0) {
            throw new AssertionError("the server has not released " + bufferBytes() + " bytes of buffers");
        }
    }
}
