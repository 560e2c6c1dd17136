package io.leapnbd.tools.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.tools.linux.Endpoint;
import io.leapnbd.tools.linux.FdChannel;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a server of swap is told of pushed pages, over a real socket: a hint that nobody waits for. */
class SwapServerTest {

    private static final int LIMIT_SECONDS = 60;

    @TempDir
    private Path folder;

    @SuppressWarnings("NullAway.Init")
    private ServerSocketChannel listening;

    @SuppressWarnings("NullAway.Init")
    private SocketChannel peer;

    @SuppressWarnings("NullAway.Init")
    private SwapServer server;

    @BeforeEach
    void connect() throws IOException {
        Path socket = folder.resolve("nbd");
        listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
        FdChannel channel = FdChannel.connect(
                new Endpoint.Unix(socket), System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS));
        server = new SwapServer(channel, "nbd+unix:///?socket=" + socket, 0);
        peer = listening.accept();
    }

    @AfterEach
    void close() throws IOException {
        server.close();
        peer.close();
        listening.close();
    }

    @Test
    void neighboursAreOneRequestAndPagesThatAreNotThereNone() throws IOException {
        assertThat(server.announce(new long[] {7, 8, 9, -1, 20, 19, 3}, 7)).isEqualTo(6);
        assertThat(ranges(4)).containsExactly("7+3", "20+1", "19+1", "3+1");
    }

    @Test
    void aServerThatDoesNotAnswerIsToldOfSoMuchAndNoMore() throws IOException {
        long[] apart = new long[64];
        for (int i = 0; i < apart.length; i++) {
            apart[i] = 2L * i;
        }
        int told = 0;
        for (int i = 0; i < 100; i++) {
            told += server.announce(apart, apart.length);
        }
        assertThat(told).isEqualTo(1024);
        ranges(1024);
        answer(100, 0);
        // An error is an answer too.
        answer(28, 5);
        assertThat(untilTold(apart)).isEqualTo(64);
    }

    @Test
    void aServerThatHasHungUpIsOfNoUse() throws IOException {
        server.announce(new long[] {1}, 1);
        peer.close();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        int told = 0;
        while (told >= 0 && System.nanoTime() - end < 0) {
            told = server.announce(new long[] {1}, 1);
        }
        assertThat(told).isEqualTo(-1);
    }

    @Test
    void anAnswerThatIsNoneEndsTheConnection() throws IOException {
        server.announce(new long[] {1}, 1);
        peer.write(ByteBuffer.allocate(16).putInt(0x12345678).rewind());
        assertThat(server.announce(new long[] {2}, 1)).isEqualTo(-1);
    }

    @Test
    void moreAnswersThanRequestsEndTheConnection() throws IOException {
        server.announce(new long[] {1}, 1);
        answer(3, 0);
        assertThat(server.announce(new long[] {2}, 1)).isEqualTo(-1);
    }

    private int untilTold(long[] places) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        int told = 0;
        while (told == 0 && System.nanoTime() - end < 0) {
            told = server.announce(places, places.length);
        }
        return told;
    }

    private void answer(int count, int error) throws IOException {
        ByteBuffer replies = ByteBuffer.allocate(count * Transmission.SIMPLE_REPLY_SIZE);
        while (replies.hasRemaining()) {
            replies.putInt(Transmission.SIMPLE_REPLY_MAGIC).putInt(error).putLong(0);
        }
        replies.flip();
        while (replies.hasRemaining()) {
            peer.write(replies);
        }
    }

    private List<String> ranges(int count) throws IOException {
        ByteBuffer requests = ByteBuffer.allocate(count * Transmission.REQUEST_SIZE);
        while (requests.hasRemaining() && peer.read(requests) >= 0) {
            // until all are there
        }
        requests.flip();
        List<String> ranges = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            assertThat(requests.getInt()).isEqualTo(Transmission.REQUEST_MAGIC);
            assertThat(requests.getInt()).as("CACHE").isEqualTo(5);
            requests.getLong();
            ranges.add(requests.getLong() / 4096 + "+" + requests.getInt() / 4096);
        }
        return ranges;
    }
}
