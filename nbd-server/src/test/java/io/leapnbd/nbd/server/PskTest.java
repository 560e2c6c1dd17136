package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Negotiation.*;
import static io.leapnbd.nbd.protocol.Transmission.CMD_DISC;
import static io.leapnbd.nbd.protocol.Transmission.REQUEST_MAGIC;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.server.PskClient.Offer;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.testing.Await;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.TestCertificates;
import io.leapnbd.nbd.testing.TestServer;
import io.leapnbd.nbd.tls.PskFile;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.bouncycastle.tls.CipherSuite;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** TLS with shared keys: who has one gets in, nobody else does, and what a stranger sends ends his connection only. */
class PskTest {

    private static final int SIZE = 8 << 20;
    private static final String KEY = "00112233445566778899aabbccddeeff".repeat(2);
    private static final String OTHER_KEY = "ff112233445566778899aabbccddeeff".repeat(2);

    @TempDir
    private Path folder;

    private final MemoryDevice device = new MemoryDevice(SIZE);
    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private final Logger logger = (Logger) LoggerFactory.getLogger(Connection.class);
    private NbdTls required;

    @BeforeEach
    void keys() throws IOException {
        Path file = folder.resolve("keys.psk");
        TestCertificates.writeKey(file, "alice:" + KEY + "\nbob:" + OTHER_KEY + "\n");
        required = NbdTls.of(new PskFile(file).read(), true);
        log.start();
        logger.setLevel(Level.INFO);
        logger.addAppender(log);
    }

    @AfterEach
    void close() {
        logger.detachAppender(log);
        logger.setLevel(null);
        required.close();
    }

    private TestServer serve() {
        return TestServer.start(2, context -> context.tls(required).export("test", device));
    }

    private String lastDrop(TestServer server, long violations) {
        Await.until(
                "the connection is dropped",
                () -> server.server().statistics().protocolViolations.sum() == violations
                        && server.server().connections().isEmpty());
        return log.list.getLast().getFormattedMessage();
    }

    private static Offer offer(String version, String name, String key) {
        return switch (version) {
            case "1.3" -> Offer.tls13(name, key);
            case "1.2 ECDHE" -> Offer.tls12(CipherSuite.TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, name, key);
            case "1.2 DHE" -> Offer.tls12(CipherSuite.TLS_DHE_PSK_WITH_AES_128_GCM_SHA256, name, key);
            default -> throw new IllegalArgumentException(version);
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"1.3", "1.2 ECDHE", "1.2 DHE"})
    void what_was_written_with_a_key_is_read_with_it_in_every_size(String version) throws Exception {
        try (TestServer server = serve();
                PskClient client = PskClient.connect(server.tcp(), offer(version, "alice", KEY))) {
            assertThat(server.server().connections())
                    .singleElement()
                    .satisfies(it -> assertThat(it.security())
                            .isEqualTo("TLSv" + version.substring(0, 3) + " with the key of alice"));
            Random random = new Random(7);
            byte[] model = new byte[SIZE];
            for (int length : new int[] {1, 4096, 16_383, 16_384, 16_385, 49_152, 49_153, 1 << 20, 1_000_001}) {
                byte[] data = new byte[length];
                random.nextBytes(data);
                int offset = random.nextInt(SIZE - length);
                client.write(offset, data);
                System.arraycopy(data, 0, model, offset, length);
                assertThat(client.read(offset, length)).isEqualTo(data);
            }
            for (int offset = 0; offset < SIZE; offset += 1 << 20) {
                assertThat(client.read(offset, 1 << 20))
                        .isEqualTo(Arrays.copyOfRange(model, offset, offset + (1 << 20)));
            }
        }
    }

    @Test
    void sixteen_clients_at_a_time_with_two_keys_do_not_mix() throws Exception {
        try (TestServer server = serve()) {
            List<PskClient> clients = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                clients.add(PskClient.connect(
                        server.tcp(), i % 2 == 0 ? Offer.tls13("alice", KEY) : Offer.tls13("bob", OTHER_KEY)));
            }
            assertThat(server.server().connections())
                    .extracting(ConnectionInfo::security)
                    .containsOnly("TLSv1.3 with the key of alice", "TLSv1.3 with the key of bob");
            byte[] data = new byte[256 << 10];
            for (int i = 0; i < 16; i++) {
                Arrays.fill(data, (byte) i);
                clients.get(i).write((long) i * data.length, data);
            }
            for (int i = 0; i < 16; i++) {
                Arrays.fill(data, (byte) i);
                assertThat(clients.get(15 - i).read((long) i * data.length, data.length))
                        .isEqualTo(data);
            }
            for (PskClient client : clients) {
                client.close();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1.3, alice, it does not have the key of 'alice'",
        "1.3, carol, 'it names the key ''carol'', which is not known here'",
        "1.2 ECDHE, alice, it does not have the key of 'alice'",
        "1.2 ECDHE, carol, 'it names the key ''carol'', which is not known here'"
    })
    void a_wrong_key_and_an_unknown_name_do_not_get_in_and_the_log_says_which(
            String version, String name, String sentence) throws Exception {
        try (TestServer server = serve()) {
            assertThatThrownBy(() -> PskClient.connect(server.tcp(), offer(version, name, OTHER_KEY)))
                    .isInstanceOf(IOException.class);
            assertThat(lastDrop(server, 1)).contains("its TLS fails: " + sentence);
            PskClient.connect(server.tcp(), Offer.tls13("bob", OTHER_KEY)).close();
        }
    }

    @Test
    void a_name_that_is_long_or_has_control_characters_is_refused_and_shown_on_one_line() throws Exception {
        try (TestServer server = serve()) {
            assertThatThrownBy(() -> PskClient.connect(server.tcp(), Offer.tls13("a\nb\u001b[1m", KEY)))
                    .isInstanceOf(IOException.class);
            assertThat(lastDrop(server, 1)).contains("'a\\u000ab\\u001b[1m'");
        }
        for (String version : List.of("1.3", "1.2 ECDHE")) {
            for (int length : new int[] {128, 129, 5_000}) {
                try (TestServer server = serve()) {
                    assertThatThrownBy(() -> PskClient.connect(server.tcp(), offer(version, "x".repeat(length), KEY)))
                            .isInstanceOf(IOException.class);
                    assertThat(lastDrop(server, 1)).hasSizeLessThan(400);
                }
            }
        }
    }

    /** What was recorded is not to be read by who learns the key later. */
    @Test
    void a_cipher_without_a_key_exchange_is_refused() throws Exception {
        try (TestServer server = serve()) {
            assertThatThrownBy(() -> PskClient.connect(
                            server.tcp(), Offer.tls12(CipherSuite.TLS_PSK_WITH_AES_128_GCM_SHA256, "alice", KEY)))
                    .isInstanceOf(IOException.class);
            assertThat(lastDrop(server, 1)).contains("no shared cipher");
        }
    }

    @Test
    void a_client_with_a_certificate_or_with_nothing_does_not_get_in() throws Exception {
        TestCertificates authority = new TestCertificates();
        Path certificates = folder.resolve("pki");
        var _ = authority.folder(certificates);
        try (TestServer server = serve()) {
            assertThatThrownBy(
                            () -> NbdClient.connect(server.tcp().withTls(certificates.toString()), TestServer.PATIENCE))
                    .isInstanceOf(IOException.class);
            assertThat(lastDrop(server, 1)).contains("its TLS fails: it names no key");
            assertThatThrownBy(() -> NbdClient.connect(server.tcp(), TestServer.PATIENCE))
                    .hasMessageContaining("the server wants TLS");
            NbdClient.connect(server.unix(), TestServer.PATIENCE).disconnect();
        }
    }

    @Test
    void bytes_that_are_not_tls_end_one_connection_and_no_other() throws Exception {
        try (TestServer server = serve();
                PskClient other = PskClient.connect(server.tcp(), Offer.tls13("alice", KEY))) {
            Random random = new Random(3);
            for (int i = 0; i < 20; i++) {
                try (Socket socket = PskClient.startTls(server.tcp())) {
                    byte[] noise = new byte[random.nextInt(1, 40_000)];
                    random.nextBytes(noise);
                    socket.getOutputStream().write(noise);
                    socket.shutdownOutput();
                    long count = i;
                    Await.until(
                            "the connection is gone",
                            () -> server.server().connections().size() == 1 && count >= 0);
                }
            }
            other.write(0, new byte[4096]);
        }
    }

    @Test
    void half_a_handshake_ends_in_time() throws Exception {
        try (TestServer server = TestServer.start(
                1,
                context -> context.tls(required)
                        .handshakeTimeout(Duration.ofMillis(300))
                        .export("test", device))) {
            try (Socket socket = PskClient.startTls(server.tcp())) {
                // The header of a record of 512 bytes, and the first of them.
                socket.getOutputStream().write(new byte[] {0x16, 3, 1, 2, 0, 1, 0, 1, (byte) 0xfc, 3, 3});
                assertThat(lastDrop(server, 1)).contains("no end to the handshake");
            }
        }
    }

    @Test
    void a_record_that_was_changed_on_the_way_ends_the_connection() throws Exception {
        try (TestServer server = serve()) {
            PskClient client = PskClient.connect(server.tcp(), Offer.tls13("alice", KEY));
            // An encrypted record that nobody has encrypted.
            byte[] record = new byte[5 + 64];
            record[0] = 0x17;
            record[1] = 3;
            record[2] = 3;
            record[4] = 64;
            client.raw(record);
            assertThat(lastDrop(server, 1)).contains("its TLS fails: ");
            client.cut();
        }
    }

    @Test
    void clients_that_are_killed_leave_nothing_behind() throws Exception {
        try (TestServer server = serve()) {
            for (int i = 0; i < 8; i++) {
                PskClient client = PskClient.connect(server.tcp(), Offer.tls13("alice", KEY));
                client.request(Command.READ, 1, 0, 1 << 20);
                client.cut();
            }
            Await.until(
                    "no connection is left", () -> server.server().connections().isEmpty());
        }
    }

    @Test
    void a_client_that_does_not_take_its_replies_holds_no_more_memory_than_without_tls() throws Exception {
        try (TestServer server = serve();
                PskClient slow = PskClient.connect(server.tcp(), Offer.tls13("alice", KEY));
                PskClient other = PskClient.connect(server.tcp(), Offer.tls13("bob", OTHER_KEY))) {
            for (int i = 0; i < 200; i++) {
                slow.request(Command.READ, i, 0, 1 << 20);
            }
            for (int i = 0; i < 100; i++) {
                assertThat(other.read(0, 4096)).hasSize(4096);
            }
            assertThat(server.bufferBytes()).isLessThan(80L << 20);
            slow.cut();
        }
    }

    @Test
    void keys_may_be_changed_on_the_way() throws Exception {
        try (TestServer server = serve();
                PskClient client = PskClient.connect(server.tcp(), Offer.tls13("alice", KEY))) {
            byte[] page = new byte[4096];
            for (int i = 0; i < 20; i++) {
                page[i] = (byte) i;
                client.write(0, page);
                client.updateKey();
                assertThat(client.read(0, 4096)).isEqualTo(page);
            }
        }
    }

    /** Each change is answered, and the answers would pile up. */
    @Test
    void a_client_that_changes_keys_for_ever_and_takes_no_answer_is_dropped() throws Exception {
        try (TestServer server = serve()) {
            PskClient client = PskClient.connect(server.tcp(), Offer.tls13("alice", KEY));
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 5_000_000; i++) {
                            client.updateKey();
                            if (i % 10_000 == 0) {
                                assertThat(server.bufferBytes()).isLessThan(32L << 20);
                            }
                        }
                    })
                    .isInstanceOf(IOException.class);
            assertThat(lastDrop(server, 1)).contains("it changes its keys and does not take the answers");
            client.cut();
        }
    }

    @Test
    void an_end_of_tls_ends_the_connection_on_both_sides() throws Exception {
        try (TestServer server = serve();
                PskClient client = PskClient.connect(server.tcp(), Offer.tls13("alice", KEY))) {
            client.out.write(RawClient.requestBytes(REQUEST_MAGIC, CMD_DISC, 0, 0, 0, 0));
            assertThat(client.in.read())
                    .as("the server says that nothing more comes")
                    .isEqualTo(-1);
            Await.until(
                    "no connection is left", () -> server.server().connections().isEmpty());
            assertThat(server.server().statistics().protocolViolations.sum()).isZero();
        }
    }

    @Test
    void what_was_sent_behind_starttls_without_tls_ends_the_connection() throws Exception {
        try (TestServer server = serve();
                RawClient client = server.raw().greet()) {
            client.bytes(RawClient.optionBytes(OPT_STARTTLS)[0]);
            byte[] start = RawClient.optionBytes(OPT_STARTTLS);
            byte[] both = Arrays.copyOfRange(start, 1, start.length + 20);
            client.bytes(both);
            assertThat(client.closedByServer()).isTrue();
        }
    }
}
