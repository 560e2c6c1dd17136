package io.leapnbd.tools.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.replay.Trace;
import io.leapnbd.prefetch.replay.TraceReader;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.donor.LendingDonor;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.http.EndpointClient;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A server that prefetches, is told to do so otherwise, and records what is asked of it. */
class PrefetchingServerTest {

    private static final HostPort ANYWHERE = new HostPort("127.0.0.1", 0);
    private static final EndpointAddress ANY_HTTP = EndpointAddress.exactly(ANYWHERE);
    private static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final int SIZE = 4 << 20;
    private static final int PAGE = 4096;
    private static final PrefetchSettings SETTINGS =
            new PrefetchSettings(PrefetchPolicy.LEAP, LeapSettings.PUBLISHED, 1 << 20, 2 << 20);

    @TempDir
    private Path folder;

    private LendingDonor donor;

    @BeforeEach
    void lend() throws IOException {
        donor = LendingDonor.open(
                StoreSettings.ofMemory(SIZE, 1 << 20).withLock(false), ANYWHERE, 1, ANY_HTTP, List.of());
    }

    @AfterEach
    void endLending() {
        donor.close();
    }

    @Test
    void aSequentialReaderIsCoveredAndStatusMetricsAndHistogramsShowIt() throws IOException {
        try (LeapServer server = open(null);
                NbdClient client = client(server)) {
            fill(client);
            for (int page = 0; page < SIZE / PAGE; page++) {
                client.read((long) page * PAGE, ByteBuffer.allocate(PAGE));
            }
            String status = get(server, "/status");
            assertThat(number(status, "coverage")).isGreaterThan(0.5);
            assertThat(number(status, "accuracy")).isGreaterThan(0.9);
            assertThat(number(status, "demands")).isEqualTo(SIZE / PAGE);
            assertThat(number(status, "trends_found")).isPositive();
            assertThat(number(status, "window")).isBetween(1.0, 8.0);
            assertThat(status).contains("\"policy\": \"leap\"", "\"cache_limit\": 2097152", "\"p95\": ");
            assertThat(get(server, "/status?format=text"))
                    .containsPattern("(?m)^prefetch leap \\(history 32, split 4, max-window 8\\), cache of 1 MiB")
                    .containsPattern("coverage \\d+\\.\\d %, accuracy \\d+\\.\\d %, timeliness p50 ");
            assertThat(get(server, "/metrics"))
                    .contains(
                            "leap_prefetch_info{export=\"leap\",history=\"32\",max_window=\"8\",policy=\"leap\",split=\"4\"} 1")
                    .containsPattern("leap_prefetch_coverage_ratio\\{export=\"leap\"} 0\\.\\d+")
                    .containsPattern(
                            "leap_request_duration_seconds_count\\{export=\"leap\",operation=\"prefetch\",stage=\"timeliness\"} \\d+");
            assertThat(get(server, "/histograms?format=hlog")).contains("Tag=prefetch-timeliness");
            assertThat(get(server, "/histograms")).contains("c-timeliness");
        }
    }

    @Test
    void settingsAreChangedWhileTheServerRuns() throws IOException {
        try (LeapServer server = open(null);
                NbdClient client = client(server)) {
            assertThat(set(server, "prefetch=stride&history=64&split=2&max-window=16&cache-size=2M&export=leap"))
                    .matches("leap: prefetch=stride history=64 split=2 max-window=16 cache-size=2M log-level=[a-z]+"
                            + " donors=tcp://127.0.0.1:\\d+\n");
            assertThat(set(server, "format=json"))
                    .contains("\"policy\": \"stride\"", "\"history\": 64", "\"cache_size\": 2097152");
            assertThat(set(server, "prefetch=none")).startsWith("leap: prefetch=none history=64 ");
            fill(client);
            client.read(0, ByteBuffer.allocate(PAGE));
            assertThat(get(server, "/status")).contains("\"adds\": 0", "\"coverage\": null");
            assertThat(set(server, "prefetch=next-n&cache-size=4K")).contains("cache-size=4K");
            client.read(0, ByteBuffer.allocate(PAGE));
            assertThat(get(server, "/status")).contains("\"slots\": 1,");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "prefetch=psychic | there is no prefetch policy",
                "history=1 | out of range: 2 to 1024",
                "history=8&split=9 | cannot be split by 9",
                "max-window=0 | out of range: 1 to 64",
                "split=two | split: 'two' is not a whole number",
                "cache-size=3M | cache-size: 3M is more than the 2M that the cache was given at the start",
                "cache-size=3M | --cache-limit 3M",
                "cache-size=100 | is not a multiple of 4K",
                "cache-size=lots | 'lots' is not a size",
                "size=2G | no setting is called 'size'; there are prefetch, history",
                "donors%2B=127.0.0.1:1 | does not answer",
                "donors=127.0.0.1:1,127.0.0.1:1 | is listed twice",
                "donors-=10.0.0.1 | no donor is called",
                "lose-missing=yes | name them with donors-= or donors=",
                "lose-missing=perhaps | lose-missing is yes or no",
                "export=other | no export is called 'other'; there is leap",
                "format=xml | no format is called xml"
            })
    void aBadSettingIsRefusedWithAllThatCameWithIt(String bad, String why) throws IOException {
        try (LeapServer server = open(null)) {
            String before = set(server, "format=text");
            assertThatThrownBy(() -> set(server, "prefetch=stride&cache-size=8K&" + bad))
                    .hasMessageContaining(why);
            assertThat(set(server, "format=text")).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"trace", "trace.gz"})
    void whatClientsAskForIsRecordedInOrder(String name) throws IOException {
        Path file = folder.resolve(name);
        try (LeapServer server = open(file);
                NbdClient client = client(server)) {
            client.write(3 * PAGE, ByteBuffer.allocate(2 * PAGE));
            client.read(4 * PAGE + 100, ByteBuffer.allocate(PAGE));
            client.trim(3 * PAGE, PAGE);
            client.flush();
            assertThat(get(server, "/status")).contains("\"file\": \"" + file + "\"", "\"dropped\": 0");
        }
        List<String> lines = content(file).lines().toList();
        assertThat(lines)
                .filteredOn(line -> line.startsWith("#"))
                .anySatisfy(line -> assertThat(line).contains("export leap, 1024 pages"));
        List<String> requests =
                lines.stream().filter(line -> !line.startsWith("#")).toList();
        assertThat(requests)
                .extracting(line -> line.substring(line.indexOf(' ') + 1))
                .containsExactly("W 3 2", "R 4 2", "T 3 1");
        assertThat(requests)
                .extracting(line -> Long.parseLong(line.substring(0, line.indexOf(' '))))
                .isSorted();
    }

    @Test
    void aRecordingGoesOnWithThatOfTheServerBefore() throws IOException { // E11
        Path file = folder.resolve("trace.gz");
        for (int start = 0; start < 2; start++) {
            try (LeapServer server = open(file);
                    NbdClient client = client(server)) {
                client.read((long) start * PAGE, ByteBuffer.allocate(PAGE));
            }
        }
        Trace trace = TraceReader.read(file);
        assertThat(trace.cutOff()).isNull();
        assertThat(trace.size()).isEqualTo(2);
        assertThat(trace.firstPage(1)).isEqualTo(1);
        assertThat(trace.micros(1)).isGreaterThan(trace.micros(0));
    }

    @Test
    void aRecordingNeverReplacesAFile() throws IOException {
        Path file = Files.writeString(folder.resolve("trace"), "precious");
        assertThatThrownBy(() -> open(file).close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("never replaces");
        assertThat(file).hasContent("precious");
    }

    @Test
    void aServerThatCouldNotStartLeavesNoRecordingInTheWayOfTheNext() throws IOException {
        Path file = folder.resolve("trace");
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            HostPort taken = new HostPort("127.0.0.1", other.getLocalPort());
            assertThatThrownBy(() -> LeapServer.open(settings(file, taken)).close())
                    .hasMessageContaining(taken.toString());
        }
        assertThat(file).doesNotExist();
    }

    private LeapServer open(@Nullable Path record) throws IOException {
        return LeapServer.open(settings(record, ANYWHERE));
    }

    private ServerSettings settings(@Nullable Path record, HostPort listen) {
        return new ServerSettings(
                DonorAddress.parseList(donor.uris().getFirst()),
                SIZE,
                "leap",
                List.of(listen),
                UnixSockets.NONE,
                TlsChoice.OFF,
                io.leapnbd.tools.pool.LinkSecurity.NONE,
                ANY_HTTP,
                CopiesChoice.DEFAULT,
                TIMEOUT,
                LoopSettings.of(1),
                folder,
                TakeoverChoice.DEFAULT,
                null,
                Duration.ofSeconds(1),
                SETTINGS,
                record,
                ServerSettings.DEFAULT_FILE_LIMIT,
                DataPath.BYPASS,
                List.of());
    }

    private static void fill(NbdClient client) throws IOException {
        client.write(0, ByteBuffer.wrap("leap".repeat(SIZE / 4).getBytes(StandardCharsets.US_ASCII)));
    }

    private static String content(Path path) throws IOException {
        try (InputStream file = Files.newInputStream(path);
                InputStream text = path.toString().endsWith(".gz") ? new GZIPInputStream(file) : file) {
            return new String(text.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static double number(String json, String name) {
        int at = json.lastIndexOf("\"" + name + "\": ") + name.length() + 4;
        int end = at;
        while (Character.isDigit(json.charAt(end)) || json.charAt(end) == '.') {
            end++;
        }
        return Double.parseDouble(json.substring(at, end));
    }

    private static NbdClient client(LeapServer server) throws IOException {
        return NbdClient.connect(NbdUri.parse(server.uris().getFirst()), TIMEOUT);
    }

    private static String get(LeapServer server, String path) {
        return endpoint(server).get(path);
    }

    private static String set(LeapServer server, String query) {
        return endpoint(server).put("/settings?" + query);
    }

    private static EndpointClient endpoint(LeapServer server) {
        return new EndpointClient(HostPort.parseListen(server.uris().getLast().substring("http://".length())));
    }
}
