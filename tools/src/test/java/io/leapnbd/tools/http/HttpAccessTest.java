package io.leapnbd.tools.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.leapnbd.nbd.testing.TestCertificates;
import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.HostPort;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Who may look at an endpoint, and who may change something (F10, E8). */
class HttpAccessTest {

    private static final String TOKEN = "jL3kx0PZr6Yw5u2mQ9aFhg==";
    private static final Map<String, Page> PAGES = Map.of("/status", query -> Answer.line(200, "all is well"));
    private static final Map<String, Page> ACTIONS = Map.of("/act", query -> Answer.line(200, "done"));

    @TempDir
    private Path folder;

    private Path token() throws IOException {
        Path file = folder.resolve("token");
        if (!Files.exists(file)) {
            TestCertificates.writeKey(file, TOKEN + "\n");
        }
        return file;
    }

    private static HttpEndpoint open(String host, EndpointAccess access) {
        return HttpEndpoint.open(EndpointAddress.exactly(new HostPort(host, 0)).with(access), PAGES, ACTIONS);
    }

    /** The status code that a request is answered with, and what is said. */
    private static String ask(HostPort at, String method, String path, String... headers) throws IOException {
        StringBuilder request = new StringBuilder(method + " " + path + " HTTP/1.1\r\nConnection: close\r\n");
        for (String header : headers) {
            request.append(header).append("\r\n");
        }
        return send(new Socket(at.host(), at.port()), request.append("\r\n").toString());
    }

    private static String send(Socket to, String request) throws IOException {
        try (Socket socket = to) {
            socket.setSoTimeout(30_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return answer.isEmpty() ? "closed" : answer.substring("HTTP/1.1 ".length());
        }
    }

    @Test
    void withATokenOnlyWhoShowsItIsAnswered() throws IOException {
        try (HttpEndpoint endpoint = open("127.0.0.1", EndpointAccess.read(token(), null))) {
            HostPort at = endpoint.address();
            String host = "Host: " + at;
            String right = "Authorization: Bearer " + TOKEN;
            assertThat(ask(at, "GET", "/status", host, right))
                    .startsWith("200 ")
                    .contains("all is well");
            assertThat(ask(at, "PUT", "/act", host, right)).startsWith("200 ").contains("done");
            // From another machine, by whatever name.
            assertThat(ask(at, "GET", "/status", "Host: swap.example:9480", "authorization: bearer " + TOKEN))
                    .startsWith("200 ");
            for (String wrong : List.of(
                    "X: y",
                    "Authorization: Bearer " + TOKEN.substring(1),
                    "Authorization: Bearer " + TOKEN + "x",
                    "Authorization: Bearer ",
                    "Authorization: Basic " + TOKEN,
                    "Authorization: " + TOKEN,
                    right + "\r\n" + right)) {
                for (String path : List.of("/status", "/nowhere", "/act")) {
                    assertThat(ask(at, "GET", path, host, wrong))
                            .as(wrong)
                            .startsWith("401 ")
                            .contains("show it as 'Authorization: Bearer TOKEN'")
                            .containsIgnoringCase("www-authenticate: Bearer")
                            .doesNotContain(TOKEN)
                            .doesNotContain("all is well");
                }
                assertThat(ask(at, "PUT", "/act", host, wrong))
                        .startsWith("401 ")
                        .doesNotContain("done");
            }
            assertThat(ask(at, "PUT", "/act", host, right, "Origin: http://evil.example"))
                    .startsWith("403 ")
                    .doesNotContain("done");
        }
    }

    @Test
    void filesOfThePageAreForEverybodyAndNothingElseIs() throws IOException {
        EndpointAddress address = EndpointAddress.exactly(new HostPort("127.0.0.1", 0));
        WebPage web = WebPage.of("serve");
        try (HttpEndpoint endpoint =
                HttpEndpoint.open(address.with(EndpointAccess.read(token(), null)), PAGES, ACTIONS, web)) {
            String host = "Host: " + endpoint.address();
            assertThat(web.files()).containsKeys("/", "/page/serve.js", "/page/uPlot-LICENSE.txt");
            for (String path : web.files().keySet()) {
                assertThat(ask(endpoint.address(), "GET", path, host))
                        .as(path)
                        .startsWith("200 ")
                        .containsIgnoringCase("content-security-policy: default-src 'none'; script-src 'self'");
            }
            assertThat(ask(endpoint.address(), "GET", "/status", host)).startsWith("401 ");
            assertThat(ask(endpoint.address(), "GET", "/page/nowhere.js", host)).startsWith("401 ");
        }
        try (HttpEndpoint endpoint = HttpEndpoint.open(address, PAGES, ACTIONS, web)) {
            assertThat(ask(endpoint.address(), "GET", "/", "Host: evil.example"))
                    .startsWith("403 ");
        }
    }

    @Test
    void theClientShowsTheTokenAndSaysWhenItLacksIt() throws IOException {
        try (HttpEndpoint endpoint = open("127.0.0.1", EndpointAccess.read(token(), null))) {
            HostPort at = endpoint.address();
            EndpointClient client = EndpointOptions.client(at, token(), null);
            assertThat(client.get("/status")).isEqualTo("all is well\n");
            assertThat(client.put("/act")).isEqualTo("done\n");
            assertThat(client.toString()).doesNotContain(TOKEN);
            assertThatThrownBy(() -> new EndpointClient(at).get("/status"))
                    .hasMessage("http://" + at + " asks for a token; name its file with --token-file");
            Path other = folder.resolve("other");
            TestCertificates.writeKey(other, "anotherTokenAltogether");
            assertThatThrownBy(() -> EndpointOptions.client(at, other, null).put("/act"))
                    .hasMessage("http://" + at + " does not take the token in " + other
                            + "; name the file of its --http-token");
        }
    }

    @Test
    void anAddressThatOthersReachIsRefusedUnlessSomethingIsAskedFor() throws IOException {
        for (String host : List.of("0.0.0.0", "::")) {
            EndpointAddress open = EndpointAddress.exactly(new HostPort(host, 0));
            assertThatThrownBy(() -> HttpEndpoint.open(open, PAGES, ACTIONS))
                    .isInstanceOfSatisfying(
                            CommandFailure.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
                    .hasMessageContaining("can be reached from other machines, and asks nobody who he is; give"
                            + " --http-token FILE or --http-tls FOLDER too");
        }
        open("0.0.0.0", EndpointAccess.read(token(), null)).close();
    }

    @ParameterizedTest
    @CsvSource({
        "127.0.0.1:9480, 200",
        "LOCALHOST, 200",
        "'[::1]:1', 200",
        "evil.example:9480, 403",
        "127.999.1.1, 403",
        "127.0.0.1.evil.example, 403",
        "'127.0.0.1\r\nHost: evil.example', 403"
    })
    void aPageOfAnotherNameMayNotEvenLook(String host, int status) throws IOException {
        try (HttpEndpoint endpoint = open("127.0.0.1", EndpointAccess.OPEN)) {
            for (String method : List.of("GET", "PUT")) {
                String path = method.equals("GET") ? "/status" : "/act";
                // The JDK's server answers some of these by itself, as bad requests.
                String answer = ask(endpoint.address(), method, path, "Host: " + host);
                assertThat(answer.startsWith("200 ")).as(answer).isEqualTo(status == 200);
            }
            assertThat(ask(endpoint.address(), "PUT", "http://evil.example/act", "Host: 127.0.0.1"))
                    .doesNotStartWith("200 ");
        }
    }

    @Test
    void overTlsACertificateIsAskedForAndItsOwnerLooksOnly() throws IOException {
        Path pki = folder.resolve("pki");
        new TestCertificates().folder(pki);
        Path strangers = folder.resolve("strangers");
        new TestCertificates().folder(strangers);
        Path none = folder.resolve("none");
        Files.createDirectories(none);
        Files.copy(pki.resolve("ca-cert.pem"), none.resolve("ca-cert.pem"));
        try (HttpEndpoint endpoint = open("127.0.0.1", EndpointAccess.read(null, pki))) {
            HostPort at = endpoint.address();
            assertThat(endpoint.uri()).isEqualTo("https://" + at);
            EndpointClient client = EndpointOptions.client(at, null, pki);
            assertThat(client.get("/status")).isEqualTo("all is well\n");
            // From this machine.
            assertThat(client.put("/act")).isEqualTo("done\n");
            for (Path wrong : List.of(none, strangers)) {
                assertThatThrownBy(() -> EndpointOptions.client(at, null, wrong).get("/status"))
                        .isInstanceOf(CommandFailure.class)
                        .hasMessageContaining(
                                wrong.equals(none) ? " has no client-cert.pem; " : " is not of the CA in ");
            }
            assertThatThrownBy(() -> new EndpointClient(at).get("/status")).isInstanceOf(CommandFailure.class);
        }
        try (HttpEndpoint endpoint = open("127.0.0.1", EndpointAccess.read(token(), pki))) {
            HostPort at = endpoint.address();
            assertThat(EndpointOptions.client(at, token(), none).get("/status")).isEqualTo("all is well\n");
            assertThatThrownBy(() -> EndpointOptions.client(at, null, pki).get("/status"))
                    .hasMessageContaining("asks for a token");
            assertThatThrownBy(
                            () -> EndpointOptions.client(at, token(), strangers).get("/status"))
                    .hasMessageContaining("its certificate is not of the CA in " + strangers.resolve("ca-cert.pem"));
        }
    }

    @Test
    void fromElsewhereThingsAreChangedWithATokenOnly() throws IOException {
        Optional<InetAddress> elsewhere = NetworkInterface.networkInterfaces()
                .flatMap(NetworkInterface::inetAddresses)
                .filter(address -> address instanceof Inet4Address && !address.isLoopbackAddress())
                .findFirst();
        assumeTrue(elsewhere.isPresent(), "this machine has no address but loopback");
        String own = elsewhere.get().getHostAddress();
        Path pki = folder.resolve("pki");
        TlsFolder certificates = new TestCertificates().folder(pki);
        try (HttpEndpoint endpoint = open(own, EndpointAccess.read(null, pki))) {
            int port = endpoint.address().port();
            for (String[] request : new String[][] {{"GET", "/status", "200 "}, {"PUT", "/act", "403 "}}) {
                // Without a look at the server's name.
                Socket socket = certificates.javaClient().getSocketFactory().createSocket(own, port);
                assertThat(send(
                                socket,
                                request[0] + " " + request[1]
                                        + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                        .startsWith(request[2]);
            }
            // A command of this machine shows the endpoint's own certificate.
            RunFile file = new RunFile(
                    1,
                    "serve",
                    endpoint.address(),
                    "",
                    null,
                    pki,
                    null,
                    null,
                    certificates.javaServer().fingerprint());
            assertThat(EndpointOptions.client(endpoint.address(), null, pki, file)
                            .put("/act"))
                    .isEqualTo("done\n");
        }
        try (HttpEndpoint endpoint = open(own, EndpointAccess.read(token(), null))) {
            assertThat(EndpointOptions.client(endpoint.address(), token(), null).put("/act"))
                    .isEqualTo("done\n");
            assertThatThrownBy(() -> new EndpointClient(endpoint.address()).put("/act"))
                    .hasMessageContaining("asks for a token");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "short, rw-------, holds no token",
        "with a blank in between, rw-------, holds no token",
        "'', rw-------, holds no token",
        "jL3kx0PZr6Yw5u2mQ9aFhg==, rw-r-----, others may read or change",
        "jL3kx0PZr6Yw5u2mQ9aFhg==, rw----r--, others may read or change",
        "jL3kx0PZr6Yw5u2mQ9aFhg==, rw-----w-, others may read or change",
        "jL3kx0PZr6Yw5u2mQ9aFhg==, r--------,",
        "jL3kx0PZr6Yw5u2mQ9aFhg==, rw-------,"
    })
    void aTokenIsInAFileThatNobodyElseReads(String content, String mode, @Nullable String why) throws IOException {
        Path file = Files.writeString(folder.resolve("secret"), content + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
        if (why == null) {
            assertThat(BearerToken.read(file).isIn("Bearer " + content)).isTrue();
            assertThat(BearerToken.read(file)).hasToString("the token in " + file);
            Path link = Files.createSymbolicLink(folder.resolve("link"), file);
            assertThatThrownBy(() -> BearerToken.read(link)).hasMessageContaining("is a symbolic link");
        } else {
            assertThatThrownBy(() -> BearerToken.read(file)).satisfies(e -> {
                assertThat(e).hasMessageContaining(why);
                assertThat(content.isEmpty() || !String.valueOf(e.getMessage()).contains(content))
                        .isTrue();
            });
        }
    }

    @Test
    void aTokenOfAnotherUserIsNotBelieved() throws IOException {
        assumeTrue(
                "root".equals(System.getProperty("user.name")), "this is not root, and only root can give a file away");
        Path file = token();
        Files.setAttribute(file, "unix:uid", 65534);
        assertThatThrownBy(() -> BearerToken.read(file)).hasMessageContaining("is another user's");
    }

    @Test
    void requestsThatDoNotArriveWholeDoNotKeepOthersOut() throws IOException { // F10
        List<Socket> half = new ArrayList<>();
        try (HttpEndpoint endpoint = open("127.0.0.1", EndpointAccess.OPEN)) {
            HostPort at = endpoint.address();
            for (int i = 0; i < 8; i++) {
                Socket socket = new Socket(at.host(), at.port());
                half.add(socket);
                socket.getOutputStream().write("GET /sta".getBytes(StandardCharsets.US_ASCII));
            }
            // For as long as they may take, too.
            assertThat(ask(at, "GET", "/status", "Host: " + at)).startsWith("200 ");
        } finally {
            for (Socket socket : half) {
                socket.close();
            }
        }
    }
}
