package io.leapnbd.tools.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.leapnbd.nbd.testing.TestCertificates;
import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.HostPort;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** HTTPS over time: sessions, files that are read again, and commands on the machine of an endpoint with another name. */
class EndpointTlsTest {

    private static final String FIRST = "jL3kx0PZr6Yw5u2mQ9aFhg==";
    private static final String SECOND = "q8Zt1vWc5nB7xL0sKfJ2dA==";

    @TempDir
    private Path folder;

    private Path pki() {
        return folder.resolve("pki");
    }

    private static HttpEndpoint open(EndpointAccess access) {
        return HttpEndpoint.open(
                EndpointAddress.exactly(new HostPort("127.0.0.1", 0)).with(access),
                Map.of("/status", query -> Answer.line(200, "all is well")),
                Map.of("/act", query -> Answer.line(200, "done")));
    }

    /** One request; the connection may go on. */
    private static String ask(Socket socket) throws IOException {
        socket.setSoTimeout(30_000);
        socket.getOutputStream()
                .write("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        InputStream in = socket.getInputStream();
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            if (next < 0) {
                return head + "closed";
            }
            head.append((char) next);
        }
        String length = head.toString().replaceAll("(?is).*content-length: (\\d+).*", "$1");
        return head + new String(in.readNBytes(Integer.parseInt(length)), StandardCharsets.UTF_8);
    }

    /** Counts the certificates that servers show, and believes all. */
    private static final class Shown extends X509ExtendedTrustManager {

        private final AtomicInteger count = new AtomicInteger();

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {
            count.incrementAndGet();
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {
            count.incrementAndGet();
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {
            count.incrementAndGet();
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }

    /** A handshake in which a session is resumed has no certificates. */
    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void noSessionIsResumed(String protocol) throws Exception {
        new TestCertificates().folder(pki());
        Path token = folder.resolve("token");
        TestCertificates.writeKey(token, FIRST);
        try (HttpEndpoint endpoint = open(EndpointAccess.read(token, pki()))) {
            Shown shown = new Shown();
            SSLContext client = SSLContext.getInstance(protocol);
            client.init(null, new TrustManager[] {shown}, null);
            for (int i = 1; i <= 3; i++) {
                try (SSLSocket socket = (SSLSocket) client.getSocketFactory()
                        .createSocket("127.0.0.1", endpoint.address().port())) {
                    // Over TLS 1.3 a ticket comes with the answer.
                    assertThat(ask(socket)).startsWith("HTTP/1.1 401 ");
                    assertThat(socket.getSession().getProtocol()).isEqualTo(protocol);
                }
                assertThat(shown.count).hasValue(i);
            }
        }
    }

    /** In TLS 1.2 a client may ask for one handshake after the other, before anybody has asked who he is. */
    @Test
    void aConnectionHasOneHandshake() throws Exception {
        new TestCertificates().folder(pki());
        Path token = folder.resolve("token");
        TestCertificates.writeKey(token, FIRST);
        Shown shown = new Shown();
        SSLContext client = SSLContext.getInstance("TLSv1.2");
        client.init(null, new TrustManager[] {shown}, null);
        try (HttpEndpoint endpoint = open(EndpointAccess.read(token, pki()));
                SSLSocket socket = (SSLSocket) client.getSocketFactory()
                        .createSocket("127.0.0.1", endpoint.address().port())) {
            assertThat(ask(socket)).startsWith("HTTP/1.1 401 ");
            assertThatThrownBy(() -> {
                        socket.getSession().invalidate();
                        socket.startHandshake();
                        if (ask(socket).endsWith("closed")) {
                            throw new IOException("closed");
                        }
                    })
                    .isInstanceOf(IOException.class);
            assertThat(shown.count).hasValue(1);
        }
    }

    @Test
    void certificatesThatAreReadAgainCountForConnectionsThatAreThere() throws Exception {
        TlsFolder before = new TestCertificates().folder(pki());
        EndpointAccess access = EndpointAccess.read(null, pki());
        SSLContext former = before.javaClient();
        try (HttpEndpoint endpoint = open(access)) {
            int port = endpoint.address().port();
            try (Socket kept = former.getSocketFactory().createSocket("127.0.0.1", port)) {
                assertThat(ask(kept)).startsWith("HTTP/1.1 200 ").endsWith("all is well\n");
                assertThat(access.reread().use())
                        .matches("certificates of --http-tls \\(.+, good until \\d{4}-\\d\\d-\\d\\d\\)");
                // The same ones.
                assertThat(ask(kept)).startsWith("HTTP/1.1 200 ");

                // Another authority, and so other certificates at both ends.
                new TestCertificates().folder(pki());
                assertThat(ask(kept)).startsWith("HTTP/1.1 200 ");
                var _ = access.reread().use();
                assertThat(ask(kept))
                        .startsWith("HTTP/1.1 403 ")
                        .containsIgnoringCase("connection: close")
                        .endsWith("the certificate of this connection is not believed any more; show another one\n");
                assertThat(kept.getInputStream().read()).isEqualTo(-1);
            }
            assertThat(EndpointOptions.client(endpoint.address(), null, pki()).get("/status"))
                    .isEqualTo("all is well\n");
            assertThatThrownBy(() -> {
                        try (Socket late = former.getSocketFactory().createSocket("127.0.0.1", port)) {
                            String _ = ask(late);
                        }
                    })
                    .isInstanceOf(IOException.class);

            // A file that is not in order changes nothing.
            Files.writeString(pki().resolve("server-cert.pem"), "none");
            assertThatThrownBy(access::reread)
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith(
                            "--http-tls: " + pki().resolve("server-cert.pem") + " holds no certificate");
            try (Socket more =
                    new TlsFolder(pki()).javaClient().getSocketFactory().createSocket("127.0.0.1", port)) {
                assertThat(ask(more)).startsWith("HTTP/1.1 200 ");
            }
        }
    }

    @Test
    void aTokenThatIsReadAgainCountsForTheNextRequest() throws Exception {
        Path file = folder.resolve("token");
        Path former = folder.resolve("former");
        TestCertificates.writeKey(file, FIRST);
        TestCertificates.writeKey(former, FIRST);
        EndpointAccess access = EndpointAccess.read(file, null);
        try (HttpEndpoint endpoint = open(access)) {
            EndpointClient first = EndpointOptions.client(endpoint.address(), former, null);
            TestCertificates.writeKey(file, "short");
            assertThatThrownBy(access::reread)
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("--http-token: " + file + " holds no token");
            assertThat(first.put("/act")).isEqualTo("done\n");
            TestCertificates.writeKey(file, SECOND);
            assertThat(first.put("/act")).isEqualTo("done\n");
            assertThat(access.reread().use()).isEqualTo("token of --http-token");
            assertThatThrownBy(() -> first.get("/status")).hasMessageContaining("does not take the token in " + former);
            assertThat(EndpointOptions.client(endpoint.address(), file, null).put("/act"))
                    .isEqualTo("done\n");
        }
    }

    private static RunFile runFile(HttpEndpoint endpoint, Path certificates, @Nullable String shows) {
        return new RunFile(
                ProcessHandle.current().pid(),
                "serve",
                endpoint.address(),
                "nbd:",
                null,
                certificates,
                null,
                null,
                shows);
    }

    private static EndpointClient client(RunFile file) {
        return Objects.requireNonNull(file.client());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aCommandOfThisMachineKnowsTheCertificateAndNeedsNoAddressInIt(boolean client) throws Exception {
        TestCertificates authority = new TestCertificates();
        authority.folder(pki(), "elsewhere.example", client);
        EndpointAccess access = EndpointAccess.read(null, pki());
        String shows = new TlsFolder(pki()).javaServer().fingerprint();
        try (HttpEndpoint endpoint = open(access)) {
            assertThat(client(runFile(endpoint, pki(), shows)).get("/status")).isEqualTo("all is well\n");

            // Who does not know it compares the address, and so does who knows another.
            Path other = folder.resolve("other");
            authority.folder(other, "elsewhere.example", true);
            String another = new TlsFolder(other).javaServer().fingerprint();
            for (@Nullable String wrong : new @Nullable String[] {null, another}) {
                assertThatThrownBy(() -> client(runFile(endpoint, other, wrong)).get("/status"))
                        .isInstanceOf(CommandFailure.class)
                        .hasMessageContaining("its certificate is for elsewhere.example, and not for 127.0.0.1")
                        .hasMessageContaining("leap-nbd pool add POOL MACHINE 127.0.0.1");
            }

            // The authority counts in any case.
            Path strangers = folder.resolve("strangers");
            new TestCertificates().folder(strangers);
            assertThatThrownBy(() -> client(runFile(endpoint, strangers, shows)).get("/status"))
                    .isInstanceOf(CommandFailure.class)
                    .hasMessageContaining("no TLS connection")
                    .hasMessageContaining("kill -HUP " + ProcessHandle.current().pid());
        }
    }

    @Test
    void aCertificateOfAServerThatIsNotTheEndpointsOwnIsNoClients() throws Exception {
        TestCertificates authority = new TestCertificates();
        authority.folder(pki());
        Path other = authority.clientOfPool(folder.resolve("other"), "leap-nbd://0123/server/h2");
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        Logger logger = (Logger) LoggerFactory.getLogger(LimitedHttpServers.class);
        log.start();
        logger.addAppender(log);
        try (HttpEndpoint endpoint = open(EndpointAccess.read(null, pki()))) {
            assertThatThrownBy(() -> EndpointOptions.client(endpoint.address(), null, other)
                            .get("/status"))
                    .isInstanceOf(CommandFailure.class)
                    .hasMessageMatching(
                            ".* (it refuses|it may refuse) the client's certificate in " + other + "[ ,].*");
        } finally {
            logger.detachAppender(log);
        }
        // It is told before the client is, which may try twice.
        assertThat(log.list.stream().map(ILoggingEvent::getFormattedMessage))
                .isNotEmpty()
                .allMatch(line -> line.startsWith("HTTPS: refused ")
                        && line.endsWith(" is that of a server of a pool, and a client's is needed"));
    }

    @Test
    void whoSpeaksNoTlsToAnEndpointThatDoesIsToldSo() throws Exception {
        new TestCertificates().folder(pki());
        try (HttpEndpoint endpoint = open(EndpointAccess.read(null, pki()))) {
            assertThatThrownBy(() -> EndpointOptions.client(endpoint.address(), null, null)
                            .get("/status"))
                    .isInstanceOf(CommandFailure.class)
                    .hasMessageStartingWith("what answers at http://" + endpoint.address() + " is not plain HTTP")
                    .hasMessageContaining("give --tls-certificates");
        }
    }

    @Test
    void theAddressIsTheOneThatWasGivenThoughItIsAnyOfTheMachines() throws Exception {
        new TestCertificates().folder(pki());
        try (HttpEndpoint endpoint = HttpEndpoint.open(
                EndpointAddress.exactly(new HostPort("0.0.0.0", 0)).with(EndpointAccess.read(null, pki())),
                Map.of(),
                Map.of())) {
            assertThat(endpoint.uri()).startsWith("https://0.0.0.0:").doesNotEndWith(":0");
        }
    }
}
