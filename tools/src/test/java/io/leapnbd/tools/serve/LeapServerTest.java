package io.leapnbd.tools.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.store.OwnerLimits;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.server.UnixAccess;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.donor.LendingDonor;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.http.EndpointClient;
import io.leapnbd.tools.http.SecurityLine;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LeapServerTest {

    private static final HostPort ANYWHERE = new HostPort("127.0.0.1", 0);
    private static final EndpointAddress ANY_HTTP = EndpointAddress.exactly(ANYWHERE);
    private static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final int SLAB = 1 << 20;
    private static final int PAGE = 4096;

    @TempDir
    private Path folder;

    private LendingDonor donor;

    @BeforeEach
    void lend() throws IOException {
        donor = LendingDonor.open(
                StoreSettings.ofMemory(8 * SLAB, SLAB).withLock(false), ANYWHERE, 1, ANY_HTTP, List.of());
    }

    @AfterEach
    void endLending() {
        donor.close();
    }

    @Test
    void aPageThatIsWrittenOverTcpIsReadOverTheUnixSocket() throws IOException {
        try (LeapServer server = LeapServer.open(settings(4 * SLAB));
                NbdClient tcp = client(server, "nbd://");
                NbdClient unix = client(server, "nbd+unix:")) {
            ByteBuffer page = page(7);
            tcp.write(5 * PAGE, page.duplicate());
            ByteBuffer read = ByteBuffer.allocate(PAGE);
            unix.read(5 * PAGE, read);
            assertThat(read.flip()).isEqualTo(page);
        }
    }

    @Test
    void theDefaultExportIsTheSame() throws IOException {
        try (LeapServer server = LeapServer.open(settings(4 * SLAB));
                NbdClient client =
                        NbdClient.connect(NbdUri.parse(uri(server, "nbd://")).withExport(""), TIMEOUT)) {
            assertThat(client.export().size()).isEqualTo(4 * SLAB);
        }
    }

    @Test
    void aServerThatIsStartedAgainFindsItsPages() throws IOException {
        ByteBuffer page = page(8);
        try (LeapServer server = LeapServer.open(settings(4 * SLAB));
                NbdClient client = client(server, "nbd://")) {
            client.write(2 * SLAB, page.duplicate());
        }
        try (LeapServer server = LeapServer.open(settings(4 * SLAB));
                NbdClient client = client(server, "nbd://")) {
            ByteBuffer read = ByteBuffer.allocate(PAGE);
            client.read(2 * SLAB, read);
            assertThat(read.flip()).isEqualTo(page);
        }
    }

    @Test
    void aServerWithoutDonorsHasOneInside() throws IOException {
        ServerSettings settings = with(settings(4 * SLAB), List.of(), null);
        ByteBuffer page = page(9);
        try (LeapServer server = LeapServer.open(settings);
                NbdClient client = client(server, "nbd://")) {
            client.write(0, page.duplicate());
            ByteBuffer read = ByteBuffer.allocate(PAGE);
            client.read(0, read);
            assertThat(read.flip()).isEqualTo(page);
            assertThat(get(server, "/status")).contains("\"name\": \"embedded\"");
        }
    }

    @Test
    void requestsAreCountedInStatusMetricsAndHistograms() throws IOException {
        try (LeapServer server = LeapServer.open(settings(4 * SLAB));
                NbdClient client = client(server, "nbd://")) {
            for (int i = 0; i < 10; i++) {
                client.write((long) i * PAGE, page(i));
            }
            for (int i = 0; i < 7; i++) {
                client.read((long) i * PAGE, ByteBuffer.allocate(PAGE));
            }
            client.trim(0, PAGE);
            client.flush();
            assertThat(get(server, "/metrics"))
                    .contains(
                            "leap_requests_total{export=\"leap\",operation=\"write\"} 10.0",
                            "leap_requests_total{export=\"leap\",operation=\"read\"} 7.0",
                            "leap_read_bytes_total{export=\"leap\"} 28672.0",
                            "leap_request_duration_seconds_count{export=\"leap\",operation=\"read\",stage=\"total\"} 7",
                            "leap_connections 1.0",
                            "leap_donor_up{donor=\"tcp://")
                    .containsPattern(
                            "leap_donor_link_security\\{donor=\"[^\"]+\",export=\"leap\",security=\"none\"} 1.0")
                    .doesNotContain("NaN");
            assertThat(get(server, "/status?format=text"))
                    .contains("export leap: 4 MiB", "36 KiB written")
                    .containsPattern("(?m)^tcp://127\\.0\\.0\\.1:\\d+ +up +none +1/1 ")
                    .containsPattern("(?m)^read +7 ");
            assertThat(get(server, "/status"))
                    .contains("\"pages_written\": 9", "\"slabs_mapped\": 1", "\"degraded\": []");
            assertThat(get(server, "/histograms?format=json&operation=write&stage=total"))
                    .contains("\"count\": 10");
            assertThat(get(server, "/histograms")).contains("<polyline");
            assertThat(get(server, "/healthz")).isEqualTo("ok\n");
            assertThat(get(server, "/readyz")).isEqualTo("ready\n");
        }
    }

    @Test
    void aServerThatHasAllItMaySaysWhoseLimitItIs() throws IOException {
        try (LendingDonor tight = LendingDonor.open(
                        StoreSettings.ofMemory(8 * SLAB, SLAB)
                                .withLock(false)
                                .withLimits(new OwnerLimits(2 * SLAB, Map.of())),
                        ANYWHERE,
                        1,
                        ANY_HTTP,
                        List.of());
                LeapServer server = LeapServer.open(with(
                        settings(2 * SLAB), DonorAddress.parseList(tight.uris().getFirst()), null));
                NbdClient client = client(server, "nbd://")) {
            client.write(0, page(1));
            assertThat(get(server, "/status?format=text")).doesNotContain("has no more room for this server");
            client.write(SLAB, page(2));
            String limit = "has no more room for this server: it lends at most 2 MiB to all exports of"
                    + " 'anonymous@127.0.0.1' (its --per-owner or --owners); raise that there, or add donors";
            assertThat(get(server, "/status?format=text")).contains(limit);
            assertThat(get(server, "/status")).contains("\"limit_bytes\": 2097152");
            EndpointClient lender = endpoint(tight.uris().getLast());
            assertThat(lender.get("/status"))
                    .contains("\"name\": \"anonymous@127.0.0.1\"", "\"limit_bytes\": 2097152", "\"bytes\": 2097152");
            assertThat(lender.get("/status?format=text")).containsPattern("anonymous@127.0.0.1 +1 +2 MiB +2 MiB");
            assertThat(lender.get("/metrics"))
                    .contains(
                            "leap_lender_owner_bytes{owner=\"anonymous@127.0.0.1\"} 2097152.0",
                            "leap_lender_owner_limit_bytes{owner=\"anonymous@127.0.0.1\"} 2097152.0");
        }
    }

    @Test
    void aDeviceThatIsLargerThanItsLimitIsRefusedWithBothNumbers() throws IOException {
        try (LendingDonor tight = LendingDonor.open(
                StoreSettings.ofMemory(8 * SLAB, SLAB).withLock(false).withLimits(new OwnerLimits(2 * SLAB, Map.of())),
                ANYWHERE,
                1,
                ANY_HTTP,
                List.of())) {
            ServerSettings settings =
                    with(settings(4 * SLAB), DonorAddress.parseList(tight.uris().getFirst()), null);
            assertThatThrownBy(() -> LeapServer.open(settings).close())
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("4M")
                    .hasMessageContaining("2M");
        }
    }

    @Test
    void statusSaysWhatHoldsOfWhoMayDoWhat() throws IOException {
        try (LeapServer server = LeapServer.open(settings(4 * SLAB))) {
            assertThat(get(server, "/status?format=text"))
                    .contains("\nsecurity:\n")
                    .containsPattern("(?m)^  ok +NBD .*/leap.sock: rw-------$")
                    .containsPattern("(?m)^  open +NBD tcp .*: no TLS: anybody on this machine may read and write")
                    .containsPattern("(?m)^  open +donor links: plain")
                    .containsPattern("(?m)^  ok +HTTP 127.0.0.1:\\d+: loopback, no TLS, anybody on this machine");
            List<SecurityLine> lines = SecurityLine.parse(get(server, "/security"));
            assertThat(lines).extracting(SecurityLine::holds).contains(true, false);
            assertThat(get(server, "/status")).contains("\"security\": [", "\"part\": \"donor links\"");
        }
    }

    @Test
    void theDonorCountsToo() throws IOException {
        try (LeapServer server = LeapServer.open(settings(4 * SLAB));
                NbdClient client = client(server, "nbd://")) {
            client.write(0, page(1));
            EndpointClient endpoint = endpoint(donor.uris().getLast());
            assertThat(endpoint.get("/metrics"))
                    .contains(
                            "leap_lender_slabs{state=\"lent\"} 1.0",
                            "leap_lender_requests_total{operation=\"write\"} 1.0");
            assertThat(endpoint.get("/status?format=text")).contains("lends 8 MiB, of which 1 MiB are taken");
            assertThat(endpoint.get("/status")).contains("\"name\": \"leap\"", "\"slabs_lent\": 1");
        }
    }

    @Test
    void pagesThatTheClientAskedToHaveFetchedShowInTheCache() throws IOException {
        try (LeapServer server = LeapServer.open(settings(4 * SLAB));
                NbdClient client = client(server, "nbd://")) {
            client.write(0, page(1));
            client.cache(0, PAGE);
            client.read(0, ByteBuffer.allocate(PAGE));
            assertThat(get(server, "/metrics"))
                    .contains(
                            "leap_cache_pages_total{event=\"added\",export=\"leap\"} 1.0",
                            "leap_cache_pages_total{event=\"used\",export=\"leap\"} 1.0");
            assertThat(get(server, "/status?format=text")).contains("prefetched 1 pages, of which 1 were used");
        }
    }

    @Test
    void unknownPagesFormatsAndOperationsAreRefusedWithWhatThereIs() throws IOException {
        try (LeapServer server = LeapServer.open(settings(4 * SLAB))) {
            assertThatThrownBy(() -> get(server, "/nowhere")).hasMessageContaining("/histograms");
            assertThatThrownBy(() -> get(server, "/status?format=xml")).hasMessageContaining("json, text");
            assertThatThrownBy(() -> get(server, "/histograms?format=pdf"))
                    .hasMessageContaining("hgrm, hlog, json, html");
            assertThatThrownBy(() -> get(server, "/histograms?operation=eat")).hasMessageContaining("read, write");
            assertThatThrownBy(() -> get(server, "/histograms?stag=total")).hasMessageContaining("stag");
        }
    }

    @Test
    void aSizeThatTheDonorsCannotHoldIsRefusedWithBothNumbers() {
        assertThatThrownBy(() -> LeapServer.open(settings(64 * SLAB)).close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("64M")
                .hasMessageContaining("8M");
    }

    @Test
    void aServerThatCannotStartLeavesNothingOpen() throws IOException {
        try (LeapServer first = LeapServer.open(settings(4 * SLAB))) {
            HostPort taken = endpoint(first.uris().getLast()).address();
            assertThatThrownBy(() -> LeapServer.open(with(settings(4 * SLAB), List.of(), taken))
                            .close())
                    .isInstanceOf(CommandFailure.class)
                    .hasMessageContaining(taken.toString());
        }
        try (LeapServer again = LeapServer.open(settings(4 * SLAB))) {
            assertThat(again.uris()).hasSize(3);
        }
    }

    @Test
    void anOlderServerIsToldThatANewerOneHasTakenOver() throws Exception {
        CompletableFuture<String> fenced = new CompletableFuture<>();
        try (LeapServer older = LeapServer.open(settings(4 * SLAB))) {
            older.onEnd(by -> fenced.complete(by.name()));
            ServerSettings elsewhere = pushing(settings(4 * SLAB, folder.resolve("elsewhere")));
            try (LeapServer newer = LeapServer.open(elsewhere)) {
                assertThat(newer.uris()).isNotEmpty();
                assertThat(fenced.get(30, TimeUnit.SECONDS)).startsWith("tcp://");
            }
        }
    }

    @Test
    void theHistogramLogHoldsTheWholeRunWhenTheServerHasEnded() throws IOException {
        Path log = folder.resolve("leap.hlog");
        ServerSettings settings = withLog(settings(4 * SLAB), log);
        try (LeapServer server = LeapServer.open(settings);
                NbdClient client = client(server, "nbd://")) {
            client.write(0, page(1));
        }
        assertThat(log).content().contains("Tag=write-total");
        assertThat(folder.resolve("leap.hlog.total")).content().contains("Tag=write-total", "Tag=write-link");
    }

    @Test
    void namesOfExportsBecomeDistinctFileNames() {
        Function<String, String> file =
                name -> named(settings(SLAB), name).stateFile().getFileName().toString();
        assertThat(List.of("leap", "a/b", "a_b", "..", "a%2f.b", "é"))
                .extracting(file)
                .doesNotHaveDuplicates()
                .allMatch(name -> name.endsWith(".state") && !name.contains("/") && !name.startsWith(".."));
        assertThat(file.apply("leap")).isEqualTo("leap.state");
    }

    /** Lost pages were named for ever, and errors only in the JSON. */
    @Test
    void pagesThatAreLostAreNamedUntilTheyAreWrittenAgainAndErrorsAreCounted() throws IOException {
        try (LeapServer server = LeapServer.open(settings(4 * SLAB));
                NbdClient client = client(server, "nbd://")) {
            client.write(0, page(3));
            client.write(PAGE, page(4));
            restartDonor();
            await(server, "2 pages are lost with their donors");
            assertThatThrownBy(() -> client.read(0, ByteBuffer.allocate(PAGE))).isInstanceOf(IOException.class);
            assertThat(get(server, "/status?format=text")).contains("requests that failed since the start: EIO 1\n");
            client.write(0, page(5));
            await(server, "1 page is lost with its donors; reading one is an I/O error until it is written again");
            client.write(PAGE, page(6));
            assertThat(get(server, "/status?format=text"))
                    .doesNotContain("lost")
                    .contains("requests that failed since the start: EIO 1\n");
        }
    }

    /** The copies of a donor that was away when the server started were told nowhere. */
    @Test
    void copiesAtADonorThatIsAwayAreToldAfterARestart() throws IOException {
        LendingDonor other = LendingDonor.open(
                StoreSettings.ofMemory(8 * SLAB, SLAB).withLock(false), ANYWHERE, 1, ANY_HTTP, List.of());
        ServerSettings two = keepingTwo(
                settings(4 * SLAB),
                DonorAddress.parseList(
                        donor.uris().getFirst() + "?zone=a," + other.uris().getFirst() + "?zone=b"));
        try {
            try (LeapServer server = LeapServer.open(two);
                    NbdClient client = client(server, "nbd://")) {
                client.write(0, page(3));
                client.write(SLAB, page(3));
            }
        } finally {
            other.close();
        }
        try (LeapServer server = LeapServer.open(two);
                NbdClient client = client(server, "nbd://")) {
            assertThat(get(server, "/status?format=text"))
                    .containsPattern(
                            "cannot be reached; 2 slabs lack their copies there\n|2 slabs have fewer than 2 copies");
            client.read(0, ByteBuffer.allocate(PAGE));
        }
    }

    private void restartDonor() throws IOException {
        HostPort same =
                new HostPort("127.0.0.1", URI.create(donor.uris().getFirst()).getPort());
        donor.close();
        donor = LendingDonor.open(StoreSettings.ofMemory(8 * SLAB, SLAB).withLock(false), same, 1, ANY_HTTP, List.of());
    }

    private static void await(LeapServer server, String words) throws IOException {
        long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        while (!get(server, "/status?format=text").contains(words)) {
            assertThat(System.nanoTime()).as("the status says: " + words).isLessThan(deadline);
            LockSupport.parkNanos(50_000_000);
        }
    }

    private ServerSettings settings(long size) {
        return settings(size, folder.resolve("state"));
    }

    private ServerSettings settings(long size, Path state) {
        try {
            Files.createDirectories(state);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        return new ServerSettings(
                DonorAddress.parseList(donor.uris().getFirst()),
                size,
                "leap",
                List.of(ANYWHERE),
                new UnixSockets(List.of(state.resolve("leap.sock")), UnixAccess.OWNER),
                TlsChoice.OFF,
                io.leapnbd.tools.pool.LinkSecurity.NONE,
                ANY_HTTP,
                CopiesChoice.DEFAULT,
                TIMEOUT,
                LoopSettings.of(1),
                state,
                TakeoverChoice.DEFAULT,
                null,
                Duration.ofSeconds(1),
                PrefetchSettings.DEFAULT,
                null,
                ServerSettings.DEFAULT_FILE_LIMIT,
                DataPath.BYPASS,
                List.of());
    }

    private static ServerSettings with(ServerSettings s, List<DonorAddress> donors, @Nullable HostPort http) {
        return new ServerSettings(
                donors,
                s.size(),
                s.export(),
                s.tcp(),
                UnixSockets.NONE,
                s.tls(),
                s.links(),
                http == null ? s.http() : EndpointAddress.exactly(http),
                s.copies(),
                s.ioTimeout(),
                s.loops(),
                s.stateDir(),
                s.takeover(),
                s.histogramLog(),
                s.histogramInterval(),
                s.prefetch(),
                s.record(),
                s.fileLimit(),
                s.path(),
                s.unprotected());
    }

    private static ServerSettings keepingTwo(ServerSettings s, List<DonorAddress> donors) {
        CopiesChoice one = s.copies();
        return new ServerSettings(
                donors,
                s.size(),
                s.export(),
                s.tcp(),
                s.unix(),
                s.tls(),
                s.links(),
                s.http(),
                new CopiesChoice(
                        2,
                        false,
                        0,
                        one.memberTimeout(),
                        one.seals(),
                        one.encryption(),
                        one.onlyThisMachine(),
                        one.spill()),
                s.ioTimeout(),
                s.loops(),
                s.stateDir(),
                s.takeover(),
                s.histogramLog(),
                s.histogramInterval(),
                s.prefetch(),
                s.record(),
                s.fileLimit(),
                s.path(),
                s.unprotected());
    }

    private static ServerSettings withLog(ServerSettings s, Path log) {
        return new ServerSettings(
                s.donors(),
                s.size(),
                s.export(),
                s.tcp(),
                s.unix(),
                s.tls(),
                s.links(),
                s.http(),
                s.copies(),
                s.ioTimeout(),
                s.loops(),
                s.stateDir(),
                s.takeover(),
                log,
                s.histogramInterval(),
                s.prefetch(),
                s.record(),
                s.fileLimit(),
                s.path(),
                s.unprotected());
    }

    private static ServerSettings pushing(ServerSettings s) {
        return new ServerSettings(
                s.donors(),
                s.size(),
                s.export(),
                s.tcp(),
                s.unix(),
                s.tls(),
                s.links(),
                s.http(),
                s.copies(),
                s.ioTimeout(),
                s.loops(),
                s.stateDir(),
                new TakeoverChoice(false, true, false, Duration.ofSeconds(60)),
                s.histogramLog(),
                s.histogramInterval(),
                s.prefetch(),
                s.record(),
                s.fileLimit(),
                s.path(),
                s.unprotected());
    }

    private static ServerSettings named(ServerSettings s, String export) {
        return new ServerSettings(
                s.donors(),
                s.size(),
                export,
                s.tcp(),
                s.unix(),
                s.tls(),
                s.links(),
                s.http(),
                s.copies(),
                s.ioTimeout(),
                s.loops(),
                s.stateDir(),
                s.takeover(),
                s.histogramLog(),
                s.histogramInterval(),
                s.prefetch(),
                s.record(),
                s.fileLimit(),
                s.path(),
                s.unprotected());
    }

    private static ByteBuffer page(long seed) {
        byte[] bytes = new byte[PAGE];
        new Random(seed).nextBytes(bytes);
        return ByteBuffer.wrap(bytes);
    }

    private static NbdClient client(LeapServer server, String scheme) throws IOException {
        return NbdClient.connect(NbdUri.parse(uri(server, scheme)), TIMEOUT);
    }

    private static String uri(LeapServer server, String scheme) {
        return server.uris().stream()
                .filter(uri -> uri.startsWith(scheme))
                .findFirst()
                .orElseThrow();
    }

    private static String get(LeapServer server, String path) {
        return endpoint(server.uris().getLast()).get(path);
    }

    private static EndpointClient endpoint(String uri) {
        return new EndpointClient(HostPort.parseListen(uri.substring("http://".length())));
    }
}
