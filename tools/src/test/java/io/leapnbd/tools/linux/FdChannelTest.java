package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FdChannelTest {
    private static final long LIMIT = TimeUnit.SECONDS.toNanos(20);

    private static long soon() {
        return System.nanoTime() + LIMIT;
    }

    private static ServerSocketChannel listen() throws IOException {
        return ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    }

    private static Endpoint inet(ServerSocketChannel server) throws IOException {
        InetSocketAddress address = (InetSocketAddress) server.getLocalAddress();
        return new Endpoint.Inet(address.getAddress(), address.getPort());
    }

    @Test
    void bytes_go_both_ways_over_tcp() throws Exception {
        try (ServerSocketChannel server = listen()) {
            echoes(server, inet(server));
        }
    }

    @Test
    void bytes_go_both_ways_over_a_unix_socket(@TempDir Path directory) throws Exception {
        Path path = directory.resolve("socket");
        try (ServerSocketChannel server =
                ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path))) {
            echoes(server, new Endpoint.Unix(path));
        }
    }

    private static void echoes(ServerSocketChannel server, Endpoint endpoint) throws Exception {
        byte[] sent = new byte[300_000];
        new Random(1).nextBytes(sent);
        try (FdChannel channel = FdChannel.connect(endpoint, soon());
                SocketChannel peer = server.accept()) {
            CompletableFuture<Void> echo = CompletableFuture.runAsync(() -> echo(peer, sent.length));
            assertThat(channel.sendTimeoutMillis()).isZero();
            ByteBuffer received = ByteBuffer.allocate(sent.length);
            ByteBuffer toSend = ByteBuffer.wrap(sent);
            while (received.hasRemaining()) { // in turns, so that neither side's buffer fills up for good
                if (toSend.hasRemaining()) {
                    int length = Math.min(20_000, toSend.remaining());
                    toSend.position(toSend.position() + channel.write(toSend.slice(toSend.position(), length)));
                }
                channel.read(received);
            }
            echo.get(20, TimeUnit.SECONDS);
            assertThat(received.array()).isEqualTo(sent);
            peer.shutdownOutput();
            assertThat(channel.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    private static void echo(SocketChannel peer, int bytes) {
        try {
            ByteBuffer buffer = ByteBuffer.allocate(8192);
            for (int left = bytes; left > 0; ) {
                left -= peer.read(buffer.clear());
                buffer.flip();
                while (buffer.hasRemaining()) {
                    peer.write(buffer);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void an_ipv6_address_is_written_as_the_kernel_wants_it() throws Exception {
        Endpoint endpoint = new Endpoint.Inet(InetAddress.ofLiteral("fe80::1"), 0x1234);
        try (Arena arena = Arena.ofConfined()) {
            byte[] bytes = endpoint.encode(arena).toArray(ValueLayout.JAVA_BYTE);
            assertThat(bytes).hasSize(28);
            assertThat(bytes[2]).isEqualTo((byte) 0x12);
            assertThat(bytes[3]).isEqualTo((byte) 0x34);
            assertThat(bytes[8]).isEqualTo((byte) 0xfe);
            assertThat(bytes[23]).isEqualTo((byte) 1);
        }
    }

    @Test
    void a_read_ends_at_the_deadline() throws Exception {
        try (ServerSocketChannel server = listen();
                FdChannel channel = FdChannel.connect(inet(server), soon())) {
            channel.deadline(System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(20));
            assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1))).isInstanceOf(SocketTimeoutException.class);
        }
    }

    @Test
    void nobody_there_is_said_with_the_address(@TempDir Path directory) throws Exception {
        Endpoint gone;
        try (ServerSocketChannel server = listen()) {
            gone = inet(server);
        }
        assertThatThrownBy(() -> FdChannel.connect(gone, soon()))
                .isInstanceOf(LinuxException.class)
                .hasMessage("connect to " + gone + ": connection refused");
        assertThatThrownBy(() -> FdChannel.connect(new Endpoint.Unix(directory.resolve("none")), soon()))
                .hasMessageContaining("no such file");
    }

    @Test
    void poll_wakes_for_a_signal_and_says_when_the_peer_hangs_up() throws Exception {
        try (ServerSocketChannel server = listen();
                FdChannel channel = FdChannel.connect(inet(server), soon());
                SocketChannel peer = server.accept();
                EventFd wake = new EventFd();
                Poll poll = new Poll(2)) {
            wake.signal();
            int wakePlace = poll.add(wake.fd(), Poll.IN);
            int peerPlace = poll.add(channel.fd(), Poll.RDHUP);
            assertThat(poll.await(LIMIT)).isEqualTo(1);
            assertThat(poll.ready(wakePlace)).isEqualTo(Poll.IN);
            assertThat(poll.ready(peerPlace)).isZero();

            wake.drain();
            peer.shutdownOutput();
            poll.clear();
            poll.add(wake.fd(), Poll.IN);
            poll.add(channel.fd(), Poll.RDHUP);
            assertThat(poll.await(LIMIT)).isEqualTo(1);
            assertThat(poll.ready(peerPlace) & Poll.RDHUP).isEqualTo(Poll.RDHUP);
        }
    }
}
