package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.client.RemoteErrorException;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.nbd.spi.RequestObserver;
import io.leapnbd.nbd.testing.Await;
import io.leapnbd.nbd.testing.GatedDevice;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.TestServer;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class NbdServerTest {

    private static final int SIZE = 1 << 20;

    @Test
    void servesTheSameDeviceOverTcpAndUnixSockets() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE));
                NbdClient unix = NbdClient.connect(server.unix(), TestServer.PATIENCE);
                NbdClient tcp = NbdClient.connect(server.tcp(), TestServer.PATIENCE)) {
            unix.write(5000, ByteBuffer.wrap(new byte[] {1, 2, 3}));
            ByteBuffer found = ByteBuffer.allocate(5);
            tcp.read(4999, found);
            assertThat(found.array()).containsExactly(0, 1, 2, 3, 0);
        }
    }

    /** A device that tells on which loop each connection opens it. */
    private static BlockDevice openedOn(Consumer<EventLoop> loops, BlockDevice device) {
        return new BlockDevice() {
            @Override
            public long size() {
                return device.size();
            }

            @Override
            public DeviceQueue open(EventLoop loop) {
                loops.accept(loop);
                return device.open(loop);
            }
        };
    }

    @Test
    void greetsNobodyBeforeItHasReceivedWhatEarlierConnectionsSent() throws Exception {
        MemoryDevice memory = new MemoryDevice(SIZE);
        AtomicReference<@Nullable EventLoop> busy = new AtomicReference<>();
        BlockDevice device = openedOn(loop -> busy.compareAndSet(null, loop), memory);
        Executor onAThreadOfItsOwn = Thread::startVirtualThread;
        CountDownLatch stopped = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        try (TestServer server = TestServer.start(2, context -> context.export("", device));
                RawClient old = server.raw()) {
            old.open(false);
            InetAddress loopback = InetAddress.getLoopbackAddress();
            NbdUri second = server.server()
                    .listenTcp(new InetSocketAddress(loopback, 0))
                    .uri();
            Objects.requireNonNull(busy.get()).execute(() -> {
                stopped.countDown();
                awaitUninterruptibly(goOn);
            });
            stopped.await();
            List<CompletableFuture<Byte>> found = new ArrayList<>();
            try {
                old.request(Command.WRITE, 0, 1, 0, 1).bytes((byte) 7);
                for (int i = 0; i < 8; i++) {
                    // Each listener accepts on a loop of its own, one of which is busy.
                    NbdUri uri = i % 2 == 0 ? server.tcp() : second;
                    found.add(
                            CompletableFuture.supplyAsync(() -> firstByteWhenGreeted(uri, memory), onAThreadOfItsOwn));
                }
                // Time enough for a server that does not wait to greet those on its other loop.
                CompletableFuture.anyOf(found.toArray(CompletableFuture[]::new))
                        .completeOnTimeout((byte) 0, 500, TimeUnit.MILLISECONDS)
                        .join();
            } finally {
                goOn.countDown();
            }
            for (CompletableFuture<Byte> one : found) {
                assertThat(one.get(TestServer.PATIENCE.toSeconds(), TimeUnit.SECONDS))
                        .isEqualTo((byte) 7);
            }
        }
    }

    @Test
    void givesANewConnectionToTheLoopThatHasTheFewest() throws IOException {
        MemoryDevice memory = new MemoryDevice(SIZE);
        List<EventLoop> loops = new CopyOnWriteArrayList<>();
        BlockDevice device = openedOn(loops::add, memory);
        try (TestServer server = TestServer.of(device);
                NbdClient _ = server.client()) {
            try (NbdClient second = server.client()) {
                second.disconnect();
            }
            Await.until(
                    "the second has gone", () -> server.server().statistics().connectionsClosed() == 1);
            // Loops that merely take turns would have the third beside the first, and the fifth there too.
            try (NbdClient _ = server.client();
                    NbdClient _ = server.client();
                    NbdClient _ = server.client()) {
                EventLoop first = loops.get(0);
                assertThat(loops.get(1)).isNotEqualTo(first);
                assertThat(loops.get(2)).isNotEqualTo(first);
                loops.remove(1);
                assertThat(loops).filteredOn(first::equals).hasSize(2);
            }
        }
    }

    @Test
    void replacesTheSocketFileOfAServerThatWasKilled() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE))) {
            Path path = server.folder().resolve("stale");
            try (ServerSocketChannel killed = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                killed.bind(UnixDomainSocketAddress.of(path));
            }
            assertThat(path).exists();
            try (Listener listener = server.server().listenUnix(path);
                    NbdClient client = NbdClient.connect(listener.uri(), TestServer.PATIENCE)) {
                client.flush();
            }
            assertThat(Files.exists(path, LinkOption.NOFOLLOW_LINKS)).isFalse();
        }
    }

    @Test
    void leavesTheSocketOfAServerThatLives() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE))) {
            String path = Objects.requireNonNull(server.unix().socket());
            assertThatThrownBy(() -> server.server().listenUnix(Path.of(path)))
                    .isInstanceOf(IOException.class)
                    .hasMessage("a server is listening on " + path + " already; stop it or choose another path");
            try (NbdClient client = server.client()) {
                client.flush();
            }
        }
    }

    @Test
    void refusesToReplaceAFileThatIsNoSocket() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE))) {
            Path file = Files.createFile(server.folder().resolve("precious"));
            assertThatThrownBy(() -> server.server().listenUnix(file))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("is not a socket");
            assertThat(file).exists();
            Files.delete(file);
        }
    }

    @Test
    void refusesASocketPathThatIsTooLong() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE))) {
            assertThatThrownBy(() -> server.server().listenUnix(server.folder().resolve("x".repeat(107))))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("a Unix socket's may have 107");
        }
    }

    @Test
    void saysWhatItCannotListenOn() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE))) {
            InetSocketAddress taken = (InetSocketAddress) server.tcp().address();
            assertThatThrownBy(() -> server.server().listenTcp(taken))
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("cannot listen on localhost:" + taken.getPort());
        }
    }

    @Test
    void dropsConnectionsWhenItClosesWithoutAnsweringWhatIsInFlight() throws IOException {
        GatedDevice device = new GatedDevice(new MemoryDevice(SIZE));
        try (TestServer server = TestServer.of(device);
                RawClient client = server.raw().open(false)) {
            client.request(Command.READ, 0, 1, 0, 4096);
            Await.until("it is in the device", () -> device.waiting() == 1);
            Thread closing = Thread.ofVirtual().start(server.server()::close);
            assertThat(client.closedByServer()).isTrue();
            assertThat(closing.isAlive()).isTrue();
            device.openGate();
            Await.until("the server is closed", () -> !closing.isAlive());
        }
    }

    @Test
    void keepsConnectionsWhenAListenerCloses() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE))) {
            NbdUri uri;
            NbdClient client;
            try (Listener second = server.server().listenUnix(server.folder().resolve("second"))) {
                assertThat(server.server().listeners()).hasSize(3);
                uri = second.uri();
                client = NbdClient.connect(uri, TestServer.PATIENCE);
            }
            assertThat(server.server().listeners()).hasSize(2);
            try (client) {
                client.flush();
                assertThatThrownBy(() -> NbdClient.connect(uri, TestServer.PATIENCE))
                        .isInstanceOf(IOException.class);
            }
        }
    }

    @Test
    void tellsOfItsConnections() throws IOException {
        GatedDevice device = new GatedDevice(new MemoryDevice(SIZE));
        try (TestServer server = TestServer.of(device);
                RawClient negotiating = server.raw()) {
            // Connections are numbered as they are accepted, and the two come by different sockets.
            negotiating.greeting();
            try (NbdClient busy = server.client()) {
                busy.submitRead(0, ByteBuffer.allocate(4096));
                busy.send();
                Await.until("it is in the device", () -> device.waiting() == 1);
                List<ConnectionInfo> connections = server.server().connections().stream()
                        .sorted((a, b) -> Long.compare(a.id(), b.id()))
                        .toList();
                assertThat(connections).hasSize(2);
                assertThat(connections.getFirst().transmitting()).isFalse();
                assertThat(connections.getFirst().peer()).startsWith("127.0.0.1:");
                ConnectionInfo second = connections.getLast();
                assertThat(second.peer())
                        .startsWith("process " + ProcessHandle.current().pid() + " of user ");
                assertThat(second.export()).isEqualTo("test");
                assertThat(second.requestsInFlight()).isEqualTo(1);
                assertThat(second.bytesInFlight()).isEqualTo(4096);
                device.openGate();
                assertThat(busy.await().error()).isZero();
            }
        }
    }

    private record Seen(Command command, long offset, long length, int error, boolean inOrder) {}

    @Test
    void showsEveryRequestToTheObserverOfItsLoopAndCountsIt() throws IOException {
        List<Seen> seen = new CopyOnWriteArrayList<>();
        AtomicInteger opened = new AtomicInteger();
        RequestObserver.Factory observers = loop -> {
            opened.incrementAndGet();
            return (command, offset, length, error, start, end) -> {
                assertThat(loop.inEventLoop()).isTrue();
                seen.add(new Seen(command, offset, length, error, start <= end));
            };
        };
        try (TestServer server = TestServer.start(
                1, context -> context.export("test", new MemoryDevice(SIZE)).observer(observers))) {
            try (NbdClient client = server.client()) {
                client.write(100, ByteBuffer.wrap(new byte[50]));
                client.read(0, ByteBuffer.allocate(4096));
                client.trim(0, 4096);
                assertThatThrownBy(() -> client.write(SIZE, ByteBuffer.allocate(1)))
                        .isInstanceOfSatisfying(
                                RemoteErrorException.class,
                                e -> assertThat(e.error()).isEqualTo(28));
                client.disconnect();
            }
            try (NbdClient client = server.client()) {
                client.disconnect();
            }
            assertThat(seen)
                    .containsExactly(
                            new Seen(Command.WRITE, 100, 50, 0, true),
                            new Seen(Command.READ, 0, 4096, 0, true),
                            new Seen(Command.TRIM, 0, 4096, 0, true),
                            new Seen(Command.WRITE, SIZE, 1, 28, true));
            assertThat(opened).hasValue(1);
            ServerStatistics statistics = server.server().statistics();
            Await.until("both connections have ended", () -> statistics.connectionsClosed() == 2);
            assertThat(statistics.connectionsOpened()).isEqualTo(2);
            assertThat(statistics.requests(Command.WRITE)).isEqualTo(2);
            assertThat(statistics.errors(NbdError.ENOSPC)).isEqualTo(1);
            assertThat(statistics.bytesRead()).isEqualTo(4096);
            assertThat(statistics.bytesWritten()).isEqualTo(50);
        }
    }

    @Test
    void refusesSettingsThatCannotBe() {
        NbdServerContext context = new NbdServerContext();
        assertThatThrownBy(() -> NbdServer.start(context)).hasMessageContaining("no export");
        context.export("a", new MemoryDevice(SIZE));
        assertThatThrownBy(() -> NbdServer.start(context)).hasMessageContaining("no event loops");
        assertThatThrownBy(() -> context.export("a", new MemoryDevice(SIZE))).hasMessageContaining("names must differ");
        assertThatThrownBy(() -> context.export("x".repeat(4097), new MemoryDevice(SIZE)))
                .hasMessageContaining("at most 4096 bytes");
        assertThatThrownBy(() -> context.maxRequestsInFlight(0)).hasMessageContaining("at least 1");
        assertThatThrownBy(() -> context.maxBytesInFlight(1)).hasMessageContaining("at least 33554432");
    }

    private static byte firstByteWhenGreeted(NbdUri uri, MemoryDevice memory) {
        try (RawClient next = new RawClient(uri)) {
            next.greeting();
            return memory.bytes().get(ValueLayout.JAVA_BYTE, 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
