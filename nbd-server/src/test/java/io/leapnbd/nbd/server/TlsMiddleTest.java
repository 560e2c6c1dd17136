package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Negotiation.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.testing.Await;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.Middle;
import io.leapnbd.nbd.testing.Middle.Way;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.TestCertificates;
import io.leapnbd.nbd.testing.TestServer;
import io.leapnbd.nbd.tls.TlsFolder;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Somebody on the wire of NBD over TLS. Until TLS begins he may change all that is said: he can end the connection by that, and neither have the client go on
 * without TLS, nor have either end take what he says for the other's.
 */
class TlsMiddleTest {

    private static final int PAGE = 4096;

    /** Of an export that nobody but its clients is to know. */
    private static final String NAME = "payroll";

    /** TLS: "ContentType", of what follows a handshake. */
    private static final byte APPLICATION_DATA = 23;

    /** Of a record of TLS, in bytes. */
    private static final int RECORD_HEADER = 5;

    @TempDir
    private Path folder;

    private final MemoryDevice device = new MemoryDevice(1 << 20);
    private NbdTls required;
    private TestServer server;

    @BeforeEach
    void serve() throws IOException {
        TlsFolder own = new TestCertificates().folder(folder);
        required = NbdTls.of(own, true);
        server = TestServer.start(1, context -> context.tls(required).export(NAME, device));
    }

    @AfterEach
    void close() throws IOException {
        server.close();
        required.close();
    }

    private Middle middle(Way toServer, Way toClient) throws IOException {
        return new Middle(server.tcp().withExport(NAME), toServer, toClient);
    }

    private NbdClient connect(Middle middle) throws IOException {
        return NbdClient.connect(middle.uri().withTls(folder.toString()), TestServer.PATIENCE);
    }

    /** The client ends, and has told nobody what it came for. */
    private void assertRefused(Middle middle, String why) {
        assertThatThrownBy(() -> connect(middle).close())
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(why);
        assertThat(new String(middle.fromClient(), StandardCharsets.ISO_8859_1)).doesNotContain(NAME);
    }

    /** Whether it is the client's STARTTLS. Its flags may have come with it; behind it comes nothing before the server's answer. */
    private static boolean isStartTls(byte[] bytes) {
        int at = bytes.length - OPTION_HEADER_SIZE;
        return (at == 0 || at == Integer.BYTES)
                && ByteBuffer.wrap(bytes).getLong(at) == OPTION_MAGIC
                && ByteBuffer.wrap(bytes).getInt(at + 8) == OPT_STARTTLS;
    }

    /** The server has seen that something is wrong, and said so. */
    private void awaitDropped() {
        Await.until(
                "the connection is dropped",
                () -> server.server().statistics().protocolViolations.sum() == 1);
    }

    private static byte[] reply(int option, int type) {
        return ByteBuffer.allocate(OPTION_REPLY_HEADER_SIZE)
                .putLong(OPTION_REPLY_MAGIC)
                .putInt(option)
                .putInt(type)
                .array();
    }

    private static byte[] both(byte[] first, byte[] second) {
        return ByteBuffer.allocate(first.length + second.length)
                .put(first)
                .put(second)
                .array();
    }

    private static boolean isReply(byte[] bytes) {
        return bytes.length >= OPTION_REPLY_HEADER_SIZE
                && ByteBuffer.wrap(bytes).getLong() == OPTION_REPLY_MAGIC;
    }

    @Test
    void who_changes_nothing_sees_nothing() throws Exception {
        byte[] secret = "4929-1234-5678-9012".getBytes(StandardCharsets.US_ASCII);
        try (Middle middle = middle(Way.AS_IT_IS, Way.AS_IT_IS);
                NbdClient client = connect(middle)) {
            ByteBuffer page = ByteBuffer.allocate(PAGE);
            client.write(0, page.put(secret).rewind());
            ByteBuffer read = ByteBuffer.allocate(PAGE);
            client.read(0, read);
            assertThat(read.array()).startsWith(secret);
            assertThat(new String(middle.fromClient(), StandardCharsets.ISO_8859_1))
                    .doesNotContain(NAME)
                    .doesNotContain(new String(secret, StandardCharsets.US_ASCII));
        }
    }

    /** As who wants the client to go on without it says, in the server's place. */
    @ParameterizedTest
    @ValueSource(ints = {REP_ERR_UNSUP, REP_ERR_POLICY, REP_ERR_INVALID, REP_INFO})
    void a_client_whose_starttls_is_answered_with_no_does_not_go_on_without(int type) throws Exception {
        Way stripping = (bytes, onward, back) -> {
            if (isStartTls(bytes)) {
                back.write(reply(OPT_STARTTLS, type));
            } else {
                onward.write(bytes);
            }
        };
        try (Middle middle = middle(stripping, Way.AS_IT_IS)) {
            assertRefused(middle, "the server does not speak TLS");
        }
    }

    @Test
    void a_client_whose_server_seems_too_old_for_tls_does_not_go_on_without() throws Exception {
        AtomicBoolean greeted = new AtomicBoolean();
        Way older = (bytes, onward, back) -> {
            if (greeted.compareAndSet(false, true)) {
                bytes[GREETING_SIZE - 1] &= ~FLAG_FIXED_NEWSTYLE;
            }
            onward.write(bytes);
        };
        try (Middle middle = middle(Way.AS_IT_IS, older)) {
            assertRefused(middle, "the server is too old for TLS");
        }
    }

    @Test
    void a_client_that_is_told_yes_by_who_then_speaks_no_tls_says_nothing() throws Exception {
        Way pretending = (bytes, onward, back) -> {
            if (isStartTls(bytes)) {
                back.write(reply(OPT_STARTTLS, REP_ACK));
            } else if (bytes.length > Integer.BYTES) {
                back.write(both(reply(OPT_GO, REP_ACK), new byte[64]));
            } else {
                onward.write(bytes);
            }
        };
        try (Middle middle = middle(pretending, Way.AS_IT_IS)) {
            assertRefused(middle, "TLS with the server fails: ");
        }
    }

    /** What is behind the server's yes would be taken for the answer to what the client asks in TLS. */
    @Test
    void a_client_takes_no_reply_that_was_put_behind_the_servers_yes() throws Exception {
        Way injecting =
                (bytes, onward, back) -> onward.write(isReply(bytes) ? both(bytes, reply(OPT_GO, REP_ACK)) : bytes);
        try (Middle middle = middle(Way.AS_IT_IS, injecting)) {
            assertRefused(middle, "TLS with the server fails: ");
        }
    }

    /** In the same piece as STARTTLS, and in one of its own before the client's first of TLS. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_server_takes_no_option_that_was_put_behind_starttls(boolean together) throws Exception {
        AtomicBoolean asked = new AtomicBoolean();
        byte[] foreign = RawClient.optionBytes(OPT_GO, RawClient.goData(NAME));
        Way injecting = (bytes, onward, back) -> {
            boolean starttls = isStartTls(bytes);
            if (starttls && together) {
                onward.write(both(bytes, foreign));
            } else if (!starttls && asked.get() && !together) {
                onward.write(foreign);
                onward.write(bytes);
            } else {
                onward.write(bytes);
            }
            asked.compareAndSet(false, starttls);
        };
        try (Middle middle = middle(injecting, Way.AS_IT_IS)) {
            assertThatThrownBy(() -> connect(middle).close()).isInstanceOf(IOException.class);
        }
        awaitDropped();
        assertThat(device.opened()).isZero();
    }

    /** He asks for structured replies, of which the client knows nothing, and keeps the server's answer. */
    @Test
    void a_server_forgets_what_was_negotiated_for_a_client_before_tls() throws Exception {
        AtomicBoolean asked = new AtomicBoolean();
        Way asking = (bytes, onward, back) -> {
            if (isStartTls(bytes)) {
                int at = bytes.length - OPTION_HEADER_SIZE;
                onward.write(bytes, 0, at);
                asked.set(true);
                onward.write(RawClient.optionBytes(OPT_STRUCTURED_REPLY));
                onward.write(bytes, at, OPTION_HEADER_SIZE);
            } else {
                onward.write(bytes);
            }
        };
        Way keeping = (bytes, onward, back) -> {
            if (isReply(bytes) && asked.compareAndSet(true, false)) {
                int length = OPTION_REPLY_HEADER_SIZE + ByteBuffer.wrap(bytes).getInt(16);
                onward.write(bytes, length, bytes.length - length);
            } else {
                onward.write(bytes);
            }
        };
        try (NbdTls offered = NbdTls.of(new TlsFolder(folder), false);
                TestServer offering =
                        TestServer.start(1, context -> context.tls(offered).export(NAME, device));
                Middle middle = new Middle(offering.tcp().withExport(NAME), asking, keeping);
                NbdClient client = connect(middle)) {
            client.write(0, ByteBuffer.allocate(PAGE));
            client.read(0, ByteBuffer.allocate(PAGE));
        }
    }

    /** A record that was changed, left out, or sent twice. */
    @ParameterizedTest
    @ValueSource(strings = {"changed", "left out", "twice"})
    void a_record_that_is_not_as_it_was_sent_changes_no_page(String how) throws Exception {
        AtomicBoolean now = new AtomicBoolean();
        AtomicInteger done = new AtomicInteger();
        Way meddling = (bytes, onward, back) -> {
            if (now.get() && bytes[0] == APPLICATION_DATA && done.getAndIncrement() == 0) {
                switch (how) {
                    case "changed" -> {
                        bytes[RECORD_HEADER] ^= 1;
                        onward.write(bytes);
                    }
                    case "twice" -> onward.write(both(bytes, bytes));
                    default -> {
                        // The next one may have come with it.
                        int record = RECORD_HEADER
                                + Short.toUnsignedInt(ByteBuffer.wrap(bytes).getShort(3));
                        int end = Math.min(record, bytes.length);
                        onward.write(bytes, end, bytes.length - end);
                    }
                }
            } else {
                onward.write(bytes);
            }
        };
        try (Middle middle = middle(meddling, Way.AS_IT_IS);
                NbdClient client = connect(middle)) {
            client.write(0, page(1));
            now.set(true);
            assertThatThrownBy(() -> {
                        long _ = client.submitWrite(0, page(2), false);
                        client.send();
                        if (how.equals("twice")) {
                            // The first is as it was sent.
                            var _ = client.await();
                        }
                        long _ = client.submitWrite(0, page(3), false);
                        var _ = client.await();
                        var _ = client.await();
                    })
                    .isInstanceOf(IOException.class);
        }
        awaitDropped();
        assertThat(device.bytes().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) (how.equals("twice") ? 2 : 1));
    }

    private static ByteBuffer page(int value) {
        byte[] bytes = new byte[PAGE];
        Arrays.fill(bytes, (byte) value);
        return ByteBuffer.wrap(bytes);
    }

    /** The first half of a reply, and then the end. */
    @Test
    void a_reply_that_is_cut_is_an_error_and_not_a_short_page() throws Exception {
        AtomicBoolean now = new AtomicBoolean();
        Way cutting = (bytes, onward, back) -> {
            if (now.get()) {
                onward.write(bytes, 0, bytes.length / 2);
                throw new IOException("cut");
            }
            onward.write(bytes);
        };
        try (Middle middle = middle(Way.AS_IT_IS, cutting);
                NbdClient client = connect(middle)) {
            now.set(true);
            assertThatThrownBy(() -> client.read(0, ByteBuffer.allocate(PAGE))).isInstanceOf(IOException.class);
        }
    }
}
