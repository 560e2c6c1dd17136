package io.leapnbd.tools.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.HostPort;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HttpEndpointTest {

    private HttpEndpoint endpoint;

    @BeforeEach
    void open() {
        endpoint = HttpEndpoint.open(
                EndpointAddress.exactly(new HostPort("127.0.0.1", 0)),
                Map.of(
                        "/echo", query -> Answer.ok("text/plain; charset=utf-8", "hello " + query.get("name")),
                        "/picky",
                                query -> {
                                    throw new IllegalArgumentException("no such thing");
                                },
                        "/broken",
                                query -> {
                                    throw new IllegalStateException("lost");
                                }),
                Map.of("/act", query -> Answer.line(200, "done " + query.get("what"))));
    }

    @AfterEach
    void close() {
        endpoint.close();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "GET | /echo?name=a%20b%26c | 200 | hello a b&c",
                "GET | /echo | 200 | hello null",
                "GET | /nowhere | 404 | there are: /broken /echo /picky",
                "GET | /echo/more | 404 | nothing here",
                "GET | /picky | 400 | no such thing",
                "GET | /broken | 500 | lost",
                "POST | /echo | 405 | only GET and HEAD",
                "DELETE | /echo | 405 | only GET and HEAD",
                "PUT | /echo | 405 | only GET and HEAD",
                "PUT | /act?what=it | 200 | done it",
                "GET | /act?what=it | 405 | only PUT",
                "POST | /act?what=it | 405 | only PUT",
                "OPTIONS | /act?what=it | 405 | only PUT"
            })
    void answersWithStatusAndReason(String method, String path, int status, String body) throws IOException {
        HttpURLConnection connection = connect(path);
        connection.setRequestMethod(method);
        assertThat(connection.getResponseCode()).isEqualTo(status);
        try (var in = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
            assertThat(new String(in.readAllBytes(), StandardCharsets.UTF_8)).contains(body);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "localhost:9480,, 200",
        "127.0.0.1:9480,, 200",
        "[::1]:9480,, 200",
        "evil.example:9480,, 403",
        "127.0.0.1.evil.example,, 403",
        "127.0.0.1:9480, http://evil.example, 403",
        "127.0.0.1:9480, http://127.0.0.1:9480, 200",
        "127.0.0.1:9480, http://127.0.0.1:9481, 403",
        "127.0.0.1:9480, https://127.0.0.1:9480, 403",
        "127.0.0.1:9480, http://localhost:9480, 403",
        "evil.example:9480, http://evil.example:9480, 403",
        "127.0.0.1:9480, null, 403"
    })
    void anActionIsNotForPagesOfOtherOrigins(String host, @Nullable String origin, int status) throws IOException {
        String request = "PUT /act?what=it HTTP/1.1\r\nHost: " + host + "\r\n"
                + (origin == null ? "" : "Origin: " + origin + "\r\n") + "Connection: close\r\n\r\n";
        try (Socket socket =
                new Socket(endpoint.address().host(), endpoint.address().port())) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(answer).startsWith("HTTP/1.1 " + status + " ");
            assertThat(answer.contains("done it")).isEqualTo(status == 200);
        }
    }

    /** Before anybody is asked who he is, each connection may have them in a heap that is small. */
    @Test
    void aRequestWithLongHeadersIsNotAnswered() throws IOException {
        String request = "GET /echo?name=x HTTP/1.1\r\nHost: localhost\r\nX: " + "a".repeat(100_000)
                + "\r\nConnection: close\r\n\r\n";
        try (Socket socket =
                new Socket(endpoint.address().host(), endpoint.address().port())) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .doesNotStartWith("HTTP/1.1 200");
        } catch (SocketException reset) {
            assertThat(reset).hasMessageMatching("(?i).*(reset|broken pipe).*");
        }
    }

    @Test
    void headHasNoBody() throws IOException {
        HttpURLConnection connection = connect("/echo?name=x");
        connection.setRequestMethod("HEAD");
        assertThat(connection.getResponseCode()).isEqualTo(200);
        assertThat(connection.getInputStream().readAllBytes()).isEmpty();
    }

    @Test
    void anAddressInUseIsRefusedWithARemedy() {
        assertThatThrownBy(() -> HttpEndpoint.open(EndpointAddress.exactly(endpoint.address()), Map.of(), Map.of()))
                .isInstanceOf(CommandFailure.class)
                .hasMessageContaining(endpoint.address().toString())
                .hasMessageContaining("--http none");
    }

    @Test
    void aHostThatDoesNotExistIsRefusedWithARemedy() {
        assertThatThrownBy(() -> HttpEndpoint.open(
                        EndpointAddress.exactly(new HostPort("no-such-host.invalid", 0)), Map.of(), Map.of()))
                .isInstanceOf(CommandFailure.class)
                .hasMessageContaining("no such host");
    }

    private HttpURLConnection connect(String path) throws IOException {
        HttpURLConnection connection = (HttpURLConnection)
                URI.create("http://" + endpoint.address() + path).toURL().openConnection();
        connection.setConnectTimeout(10_000);
        connection.setReadTimeout(10_000);
        return connection;
    }

    @Test
    void anAddressThatNobodyDemandedIsLeftToWhoHasIt() { // G10
        EndpointAddress taken = new EndpointAddress(endpoint.address(), false, EndpointAccess.OPEN);
        try (HttpEndpoint second = HttpEndpoint.open(taken, Map.of(), Map.of())) {
            assertThat(second.address().host()).isEqualTo(endpoint.address().host());
            assertThat(second.address().port()).isNotIn(0, endpoint.address().port());
        }
        assertThatThrownBy(() -> HttpEndpoint.open(EndpointAddress.exactly(endpoint.address()), Map.of(), Map.of()))
                .isInstanceOf(CommandFailure.class);
    }
}
