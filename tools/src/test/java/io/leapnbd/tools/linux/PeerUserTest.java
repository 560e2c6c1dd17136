package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PeerUserTest {

    private static final String V4 =
            "  4: 0100007F:C350 0100007F:2508 01 00000000:00000000 02:00000000 00000000  1000        0 77 2 0 20 4 29 10 -1";
    private static final String MAPPED =
            "  5: 0000000000000000FFFF00000100007F:C351 0000000000000000FFFF00000100007F:2508 01 00000000:00000000 00:00000000 00000000 65534        0 78 1";
    private static final String V6 =
            "  6: 00000000000000000000000001000000:C352 00000000000000000000000001000000:2508 01 00000000:00000000 00:00000000 00000000     7        0 79 1";
    private static final String CLOSED =
            "  8: 0100007F:C353 0100007F:2508 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 29 10 -1";
    private static final String OUR_END =
            "  7: 0100007F:2508 0100007F:C350 01 00000000:00000000 02:00000000 00000000     0        0 80 2 0 20 4 29 10 -1";

    @Test
    void theUserIsThatOfTheOtherEnd() throws Exception {
        assertThat(user("127.0.0.1", 0xC350)).contains("1000");
        assertThat(user("127.0.0.1", 0xC351)).contains("65534");
        assertThat(user("::1", 0xC352)).contains("7");
    }

    /** Whoever asks and closes at once is not taken for root. */
    @Test
    void aConnectionThatItsProcessHasClosedIsNobodys() throws Exception {
        assertThat(user("127.0.0.1", 0xC353)).isEmpty();
    }

    @Test
    void whoIsNotInTheTableIsNobody() throws Exception {
        assertThat(user("127.0.0.1", 0xC352)).isEmpty();
        assertThat(user("127.0.0.2", 0xC350)).isEmpty();
    }

    @Test
    void aConnectionOfThisProcessIsTrustedAndAnotherOneIsNot() throws Exception {
        InetAddress loopback = InetAddress.getLoopbackAddress();
        try (ServerSocket listener = new ServerSocket(0, 1, loopback);
                Socket client = new Socket(loopback, listener.getLocalPort());
                Socket accepted = listener.accept()) {
            InetSocketAddress theirs = (InetSocketAddress) accepted.getRemoteSocketAddress();
            InetSocketAddress ours = (InetSocketAddress) accepted.getLocalSocketAddress();
            assertThat(client.isConnected()).isTrue();
            assertThat(PeerUser.isTrusted(theirs, ours)).isTrue();
            assertThat(PeerUser.isTrusted(theirs, new InetSocketAddress(loopback, 1)))
                    .isFalse();
        }
    }

    private static java.util.Optional<String> user(String host, int port) throws Exception {
        InetAddress address = InetAddress.getByName(host);
        return PeerUser.user(
                Stream.of("  sl  local_address rem_address   st tx_queue", OUR_END, V4, MAPPED, V6, CLOSED),
                new InetSocketAddress(address, port),
                new InetSocketAddress(address, 0x2508));
    }
}
