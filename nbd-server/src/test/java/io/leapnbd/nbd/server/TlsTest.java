package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Negotiation.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.testing.Await;
import io.leapnbd.nbd.testing.CountingKey;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.TestCertificates;
import io.leapnbd.nbd.testing.TestServer;
import io.leapnbd.nbd.tls.TlsFolder;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** "NBD_OPT_STARTTLS" and the modes of "TLS": who gets in, who does not, and that nothing is taken from outside it. */
class TlsTest {

    private static final int SIZE = 8 << 20;

    @TempDir
    private Path folder;

    private final TestCertificates authority = new TestCertificates();
    private final MemoryDevice device = new MemoryDevice(SIZE);
    private NbdTls required;
    private NbdTls offered;

    @BeforeEach
    void certificates() throws IOException {
        TlsFolder own = authority.folder(folder.resolve("own"));
        required = NbdTls.of(own, true);
        offered = NbdTls.of(own, false);
    }

    @AfterEach
    void close() {
        required.close();
        offered.close();
    }

    private TestServer serve(NbdTls tls) {
        return TestServer.start(2, context -> context.tls(tls).export("test", device));
    }

    private NbdUri withTls(NbdUri uri) {
        return uri.withTls(folder.resolve("own").toString());
    }

    @Test
    void what_was_written_through_tls_is_read_through_it() throws Exception {
        try (TestServer server = serve(required)) {
            for (NbdUri uri : List.of(server.tcp(), server.unix())) {
                try (NbdClient client = NbdClient.connect(withTls(uri), TestServer.PATIENCE)) {
                    checkRandomly(client, uri.hashCode());
                    assertThat(server.server().connections())
                            .singleElement()
                            .satisfies(it -> assertThat(it.security()).isEqualTo("TLSv1.3 with CN=a client"));
                }
                Await.until(
                        "no connection is left",
                        () -> server.server().connections().isEmpty());
            }
        }
    }

    /** Many requests at a time, of all sizes up to 1 MiB, against a model. */
    private static void checkRandomly(NbdClient client, long seed) throws IOException {
        Random random = new Random(seed);
        byte[] model = new byte[SIZE];
        client.zero(0, SIZE);
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < 8; i++) {
                int length = random.nextInt(1, random.nextInt(2, 1 << 20));
                int offset = random.nextInt(SIZE - length);
                byte[] data = new byte[length];
                random.nextBytes(data);
                client.write(offset, ByteBuffer.wrap(data));
                System.arraycopy(data, 0, model, offset, length);
            }
            List<ByteBuffer> reads = new ArrayList<>();
            List<Integer> offsets = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                int length = random.nextInt(1, random.nextInt(2, 1 << 20));
                offsets.add(random.nextInt(SIZE - length));
                reads.add(ByteBuffer.allocate(length));
                long _ = client.submitRead(offsets.getLast(), reads.getLast());
            }
            for (int i = 0; i < reads.size(); i++) {
                assertThat(client.await().error()).isZero();
            }
            for (int i = 0; i < reads.size(); i++) {
                byte[] read = reads.get(i).array();
                assertThat(Arrays.equals(read, 0, read.length, model, offsets.get(i), offsets.get(i) + read.length))
                        .isTrue();
            }
        }
    }

    @Test
    void a_client_that_does_not_take_its_replies_holds_no_more_memory_than_without_tls() throws Exception {
        try (TestServer server = serve(required);
                NbdClient slow = NbdClient.connect(withTls(server.tcp()), TestServer.PATIENCE);
                NbdClient other = NbdClient.connect(withTls(server.tcp()), TestServer.PATIENCE)) {
            ByteBuffer never = ByteBuffer.allocate(1 << 20);
            for (int i = 0; i < 200; i++) {
                long _ = slow.submitRead(0, never.duplicate());
            }
            slow.send();
            ByteBuffer page = ByteBuffer.allocate(4096);
            for (int i = 0; i < 100; i++) {
                other.read(0, page.clear());
            }
            assertThat(server.bufferBytes()).isLessThan(80L << 20);
        }
    }

    @Test
    void over_tcp_nothing_is_said_of_exports_before_tls_where_it_is_required() throws Exception {
        try (TestServer server = serve(required)) {
            try (RawClient client = server.raw().greet()) {
                for (int option : List.of(OPT_LIST, OPT_STRUCTURED_REPLY, OPT_LIST_META_CONTEXT, 77)) {
                    client.option(option);
                    assertThat(client.optionReply().type()).isEqualTo(REP_ERR_TLS_REQD);
                }
                for (int option : List.of(OPT_INFO, OPT_GO)) {
                    client.option(option, RawClient.goData("test"));
                    assertThat(client.optionReply().type()).isEqualTo(REP_ERR_TLS_REQD);
                }
                client.option(OPT_ABORT);
                assertThat(client.optionReply().type()).isEqualTo(REP_ACK);
            }
            try (RawClient client = server.raw().greet()) {
                client.option(OPT_EXPORT_NAME, (byte) 't');
                assertThat(client.closedByServer()).isTrue();
            }
            assertThatThrownBy(() -> NbdClient.connect(server.tcp(), TestServer.PATIENCE))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("the server wants TLS");
            NbdClient.connect(server.unix(), TestServer.PATIENCE).disconnect();
        }
    }

    @Test
    void where_tls_is_offered_a_client_may_do_without() throws Exception {
        try (TestServer server = serve(offered)) {
            NbdClient.connect(server.tcp(), TestServer.PATIENCE).disconnect();
            NbdClient.connect(withTls(server.tcp()), TestServer.PATIENCE).disconnect();
        }
    }

    @Test
    void a_client_that_wants_tls_of_a_server_without_it_ends() {
        try (TestServer server = TestServer.of(device)) {
            assertThatThrownBy(() -> NbdClient.connect(withTls(server.tcp()), TestServer.PATIENCE))
                    .hasMessage("the server does not speak TLS: this server does not offer TLS");
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void what_was_sent_behind_starttls_without_tls_ends_the_connection() throws Exception {
        try (TestServer server = serve(required);
                RawClient client = server.raw().greet()) {
            ByteBuffer both = ByteBuffer.allocate(2 * OPTION_HEADER_SIZE);
            both.put(RawClient.optionBytes(OPT_STARTTLS)).put(RawClient.optionBytes(OPT_LIST));
            client.bytes(both.array());
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @Test
    void what_was_negotiated_before_tls_is_forgotten() throws Exception {
        try (TestServer server = serve(offered);
                RawClient plain = server.raw().greet()) {
            plain.option(OPT_STRUCTURED_REPLY);
            assertThat(plain.optionReply().type()).isEqualTo(REP_ACK);
            plain.option(OPT_STARTTLS);
            assertThat(plain.optionReply().type()).isEqualTo(REP_ACK);
            try (SSLSocket secured = plain.secure(new TlsFolder(folder.resolve("own")))) {
                ByteBuffer option = ByteBuffer.wrap(
                        RawClient.optionBytes(OPT_SET_META_CONTEXT, RawClient.contextData("test", BASE_ALLOCATION)));
                secured.getOutputStream().write(option.array());
                ByteBuffer reply = ByteBuffer.wrap(secured.getInputStream().readNBytes(OPTION_REPLY_HEADER_SIZE));
                // Structured replies must be negotiated first.
                assertThat(reply.getInt(12)).isEqualTo(REP_ERR_INVALID);
            }
        }
    }

    @Test
    void starttls_with_data_or_again_is_an_error_and_the_handshake_goes_on() throws Exception {
        try (TestServer server = serve(offered);
                RawClient plain = server.raw().greet()) {
            plain.option(OPT_STARTTLS, (byte) 1);
            assertThat(plain.optionReply().type()).isEqualTo(REP_ERR_INVALID);
            plain.option(OPT_STARTTLS);
            assertThat(plain.optionReply().type()).isEqualTo(REP_ACK);
            try (SSLSocket secured = plain.secure(new TlsFolder(folder.resolve("own")))) {
                secured.getOutputStream().write(RawClient.optionBytes(OPT_STARTTLS));
                ByteBuffer reply = ByteBuffer.wrap(secured.getInputStream().readNBytes(OPTION_REPLY_HEADER_SIZE));
                assertThat(reply.getInt(12)).isEqualTo(REP_ERR_INVALID);
            }
        }
    }

    @Test
    void a_client_of_another_authority_or_without_a_certificate_does_not_get_in() throws Exception {
        Path foreign = folder.resolve("foreign");
        TlsFolder _ = new TestCertificates().folder(foreign);
        Files.copy(
                folder.resolve("own/ca-cert.pem"),
                foreign.resolve("ca-cert.pem"),
                java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        try (TestServer server = serve(required)) {
            NbdUri uri = server.tcp().withTls(foreign.toString());
            assertThatThrownBy(() -> NbdClient.connect(uri, TestServer.PATIENCE))
                    .isInstanceOf(IOException.class);
            try (RawClient plain = server.raw().greet()) {
                plain.option(OPT_STARTTLS);
                assertThat(plain.optionReply().type()).isEqualTo(REP_ACK);
                assertThatThrownBy(() -> {
                            try (SSLSocket secured = plain.secure(withoutCertificate())) {
                                secured.getOutputStream().write(RawClient.optionBytes(OPT_LIST));
                                if (secured.getInputStream().read() < 0) {
                                    throw new IOException("closed");
                                }
                            }
                        })
                        .isInstanceOf(IOException.class);
            }
            // Others are served as before.
            NbdClient.connect(withTls(server.tcp()), TestServer.PATIENCE).disconnect();
            assertThat(server.server().statistics().protocolViolations.sum()).isEqualTo(2);
        }
    }

    /** Who has a ticket of an earlier connection, or its number, would come in without key and certificate, also past its end. */
    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.2", "TLSv1.3"})
    void every_connection_shows_its_certificate_anew(String version) throws Exception {
        AtomicInteger asked = new AtomicInteger();
        SSLContext one = SSLContext.getInstance("TLS");
        one.init(
                new KeyManager[] {new CountingKey(new TlsFolder(folder.resolve("own")).credentials("client"), asked)},
                new TrustManager[] {new Trusting()},
                null);
        try (TestServer server = serve(required)) {
            for (int connection = 1; connection <= 3; connection++) {
                try (RawClient plain = server.raw().greet()) {
                    plain.option(OPT_STARTTLS);
                    assertThat(plain.optionReply().type()).isEqualTo(REP_ACK);
                    try (SSLSocket secured = plain.secure(one, version)) {
                        // Tickets of TLS 1.3 come behind the handshake, with the first reply.
                        secured.getOutputStream().write(RawClient.optionBytes(OPT_LIST));
                        assertThat(secured.getInputStream().readNBytes(OPTION_REPLY_HEADER_SIZE))
                                .hasSize(OPTION_REPLY_HEADER_SIZE);
                        assertThat(secured.getSession().getProtocol()).isEqualTo(version);
                    }
                }
                assertThat(asked).hasValue(connection);
            }
        }
    }

    /** The key of another server of the pool, or of a donor, opens no device: a device is plaintext. */
    @Test
    void a_certificate_of_a_pool_has_to_be_a_clients() throws Exception {
        try (TestServer server = serve(required)) {
            for (String role : List.of("server", "donor", "client")) {
                Path its = authority.clientOfPool(folder.resolve(role), "leap-nbd://pool/" + role + "/h1");
                NbdUri uri = server.tcp().withTls(its.toString());
                if (role.equals("client")) {
                    NbdClient.connect(uri, TestServer.PATIENCE).close();
                } else {
                    assertThatThrownBy(() -> NbdClient.connect(uri, TestServer.PATIENCE))
                            .isInstanceOf(IOException.class);
                }
            }
        }
    }

    @Test
    void a_client_refuses_a_server_of_another_authority_or_name() throws Exception {
        try (TestServer server = serve(required)) {
            Path other = folder.resolve("other");
            TlsFolder _ = new TestCertificates().folder(other);
            assertThatThrownBy(() -> NbdClient.connect(server.tcp().withTls(other.toString()), TestServer.PATIENCE))
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("TLS with the server fails: ");
        }
        NbdTls elsewhere = NbdTls.of(authority.folder(folder.resolve("elsewhere"), "elsewhere", true), true);
        try (TestServer server = serve(elsewhere)) {
            assertThatThrownBy(() -> NbdClient.connect(withTls(server.tcp()), TestServer.PATIENCE))
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("TLS with the server fails: ");
        } finally {
            elsewhere.close();
        }
    }

    @Test
    void bytes_that_are_not_tls_end_one_connection_and_no_other() throws Exception {
        try (TestServer server = serve(required);
                NbdClient other = NbdClient.connect(withTls(server.tcp()), TestServer.PATIENCE);
                RawClient client = server.raw().greet()) {
            client.option(OPT_STARTTLS);
            assertThat(client.optionReply().type()).isEqualTo(REP_ACK);
            client.option(OPT_LIST).request(Command.READ, 0, 1, 0, 4096);
            Await.until(
                    "the connection is dropped",
                    () -> server.server().statistics().protocolViolations.sum() == 1);
            other.read(0, ByteBuffer.allocate(4096));
        }
    }

    @Test
    void a_handshake_that_never_goes_on_ends_in_time() throws Exception {
        try (TestServer server = TestServer.start(
                1,
                context -> context.tls(required)
                        .handshakeTimeout(java.time.Duration.ofMillis(300))
                        .export("test", device))) {
            try (RawClient client = server.raw().greet()) {
                client.option(OPT_STARTTLS);
                assertThat(client.optionReply().type()).isEqualTo(REP_ACK);
                Await.until(
                        "no connection is left",
                        () -> server.server().connections().isEmpty());
            }
            try (Socket cut = new Socket()) {
                cut.connect(server.tcp().address());
                Await.until(
                        "a connection is there",
                        () -> server.server().connections().size() == 1);
            }
            Await.until(
                    "no connection is left", () -> server.server().connections().isEmpty());
        }
    }

    private static SSLContext withoutCertificate() throws Exception {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new Trusting()}, null);
        return context;
    }

    private static final class Trusting extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(java.security.cert.X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkServerTrusted(java.security.cert.X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkClientTrusted(
                java.security.cert.X509Certificate[] chain, String type, javax.net.ssl.SSLEngine engine) {}

        @Override
        public void checkServerTrusted(
                java.security.cert.X509Certificate[] chain, String type, javax.net.ssl.SSLEngine engine) {}

        @Override
        public void checkClientTrusted(java.security.cert.X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(java.security.cert.X509Certificate[] chain, String type) {}

        @Override
        public java.security.cert.X509Certificate[] getAcceptedIssuers() {
            return new java.security.cert.X509Certificate[0];
        }
    }
}
