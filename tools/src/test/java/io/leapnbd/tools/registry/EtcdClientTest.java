package io.leapnbd.tools.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.JsonValue;
import io.leapnbd.tools.http.LimitedHttpServers;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A registry that does what none should. A real one is in the suite of clients. */
class EtcdClientTest {

    private static final String EMPTY = "{\"header\":{\"revision\":\"7\"}}";

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<HttpServer> servers = new ArrayList<>();
    private final List<HostPort> members = new ArrayList<>();

    /** What a member answers to a path. */
    private interface Script {
        void answer(HttpExchange exchange) throws IOException;
    }

    @BeforeEach
    void none() {
        servers.clear();
    }

    @AfterEach
    void close() {
        servers.forEach(server -> server.stop(0));
        threads.shutdownNow();
    }

    private void member(Script script) throws IOException {
        HttpServer server = LimitedHttpServers.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        server.setExecutor(threads);
        server.createContext("/", exchange -> {
            byte[] _ = exchange.getRequestBody().readAllBytes();
            script.answer(exchange);
            exchange.close();
        });
        server.start();
        servers.add(server);
        members.add(new HostPort("127.0.0.1", server.getAddress().getPort()));
    }

    private EtcdClient client(RegistryAccess access) {
        return new EtcdClient(new DonorSource.Etcd(List.copyOf(members), "lab"), access, EtcdClient.SMALL);
    }

    private static void say(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    @Test
    void readsKeysAndValues() throws Exception {
        member(exchange -> say(
                exchange,
                200,
                "{\"header\":{\"revision\":\"9\"},\"kvs\":[{\"key\":\"L2E=\",\"value\":\"Yg==\"}],\"count\":\"1\"}"));
        try (EtcdClient client = client(RegistryAccess.OPEN)) {
            assertThat(client.range("/")).isEqualTo(new EtcdClient.Range(9, Map.of("/a", "b")));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "200 | <html>welcome</html> | no JSON",
                "200 | {} | no revision",
                "200 | [] | no revision",
                "200 | '' | no JSON",
                "404 | page not found | status 404",
                "500 | {} | status 500",
                "302 | {} | status 302",
                "200 | {\"header\":{\"revision\":\"9\"},\"kvs\":[{\"key\":\"***\"}]} | base64",
                "400 | {\"error\":\"etcdserver: permission denied\",\"code\":7} | it says: etcdserver: permission denied",
                "400 | {\"error\":\"etcdserver: user name is empty\",\"code\":3} | --registry-user",
            })
    void saysWhatIsWrongWithAnAnswer(int status, String text, String words) throws Exception {
        member(exchange -> say(exchange, status, text));
        try (EtcdClient client = client(RegistryAccess.OPEN)) {
            assertThatThrownBy(() -> client.range("/"))
                    .isInstanceOf(RegistryException.class)
                    .hasMessageContaining(words);
        }
    }

    @Test
    void takesNoAnswerWithoutAnEnd() throws Exception {
        member(exchange -> {
            exchange.sendResponseHeaders(200, 0);
            byte[] much = new byte[1 << 20];
            Arrays.fill(much, (byte) ' ');
            for (int i = 0; i < 64; i++) {
                exchange.getResponseBody().write(much);
            }
        });
        try (EtcdClient client = client(RegistryAccess.OPEN)) {
            assertThatThrownBy(() -> client.range("/")).hasMessageContaining("longer than 1024 KiB");
        }
    }

    @Test
    void asksTheNextMemberWhenOneIsDeadOrHasNoLeader() throws Exception {
        member(exchange -> say(exchange, 503, "{\"error\":\"etcdserver: no leader\",\"code\":14}"));
        member(exchange -> say(exchange, 200, EMPTY));
        HttpServer dead = LimitedHttpServers.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        members.addFirst(new HostPort("127.0.0.1", dead.getAddress().getPort()));
        dead.stop(0);
        try (EtcdClient client = client(RegistryAccess.OPEN)) {
            assertThat(client.range("/").revision()).isEqualTo(7);
            assertThat(client.asked()).endsWith(members.getLast().toString());
        }
    }

    @Test
    void makesItselfKnownAgainWhenItsTokenIsForgotten() throws Exception {
        List<String> shown = new ArrayList<>();
        member(exchange -> {
            String token = String.valueOf(exchange.getRequestHeaders().getFirst("Authorization"));
            shown.add(exchange.getRequestURI().getPath() + " " + token);
            if (exchange.getRequestURI().getPath().endsWith("authenticate")) {
                say(exchange, 200, "{\"token\":\"t" + shown.size() + "\"}");
            } else if (token.equals("t1")) {
                say(exchange, 401, "{\"error\":\"etcdserver: invalid auth token\",\"code\":16}");
            } else {
                say(exchange, 200, EMPTY);
            }
        });
        try (EtcdClient client = client(new RegistryAccess(new RegistryAccess.Login("u", "p"), null))) {
            assertThat(client.range("/").revision()).isEqualTo(7);
        }
        assertThat(shown)
                .containsExactly(
                        "/v3/auth/authenticate null",
                        "/v3/kv/range t1",
                        "/v3/auth/authenticate null",
                        "/v3/kv/range t3");
    }

    @Test
    void endsAWatchWhoseLinesHaveNoEnd() throws Exception {
        member(exchange -> {
            exchange.sendResponseHeaders(200, 0);
            byte[] much = new byte[1 << 20];
            for (int i = 0; i < 64; i++) {
                exchange.getResponseBody().write(much);
            }
        });
        try (EtcdClient client = client(RegistryAccess.OPEN);
                EtcdClient.Watch watch = client.watch("/leap-nbd/lab/donors/", 1)) {
            assertThat(watch.next(20_000)).isNotNull().matches(end -> !end.isThere());
            assertThat(watch.ended()).contains("line of more than 512 KiB");
        }
    }

    @Test
    void endsAWatchThatNobodyReads() throws Exception {
        member(exchange -> {
            exchange.sendResponseHeaders(200, 0);
            byte[] line = ("{\"result\":\"" + "x".repeat(100_000) + "\"}\n").getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < 600; i++) {
                exchange.getResponseBody().write(line);
            }
        });
        try (EtcdClient client = client(RegistryAccess.OPEN);
                EtcdClient.Watch watch = client.watch("/leap-nbd/lab/donors/", 1)) {
            long begin = System.nanoTime();
            while (watch.ended() == null) {
                assertThat(System.nanoTime() - begin).as("it is still read").isLessThan(TimeUnit.MINUTES.toNanos(1));
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
            }
            int read = 0;
            for (JsonValue one = watch.next(20_000); one != null && one.isThere(); one = watch.next(20_000)) {
                read++;
            }
            assertThat(read).isLessThan(100);
            assertThat(watch.ended()).isEqualTo("nobody reads it");
        }
    }

    @Test
    void tellsWhatAWatchSaysAndThatItEnds() throws Exception {
        member(exchange -> say(exchange, 200, "{\"result\":{\"created\":true}}\n\n{\"result\":{\"events\":[]}}\n"));
        try (EtcdClient client = client(RegistryAccess.OPEN);
                EtcdClient.Watch watch = client.watch("/leap-nbd/lab/donors/", 1)) {
            assertThat(String.valueOf(watch.next(20_000))).contains("created");
            assertThat(String.valueOf(watch.next(20_000))).contains("events");
            assertThat(watch.next(20_000)).isEqualTo(JsonValue.NOTHING);
            assertThat(watch.ended()).isEqualTo("it has ended the watch");
        }
    }
}
