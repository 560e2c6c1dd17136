package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.RemoteDeviceContext;
import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.cipher.PageKeys;
import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.LoopLatencies;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.LandingFrames;
import io.leapnbd.bypass.path.ReadPath;
import io.leapnbd.bypass.queued.QueuedDevice;
import io.leapnbd.bypass.queued.StagingObserver;
import io.leapnbd.donor.loop.EventLoops;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.server.BufferReserve;
import io.leapnbd.nbd.server.NbdServer;
import io.leapnbd.nbd.server.NbdServerContext;
import io.leapnbd.nbd.server.NbdTls;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.tools.cli.Closings;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.OneLineErrors;
import io.leapnbd.tools.config.Reload;
import io.leapnbd.tools.histogram.HistogramPage;
import io.leapnbd.tools.histogram.IntervalLog;
import io.leapnbd.tools.histogram.LatencyPage;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.http.HttpEndpoint;
import io.leapnbd.tools.http.MetricsPage;
import io.leapnbd.tools.http.Page;
import io.leapnbd.tools.http.ReloadAnswer;
import io.leapnbd.tools.http.RunFile;
import io.leapnbd.tools.http.SecurityLine;
import io.leapnbd.tools.http.WebPage;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.linux.PrivateFolder;
import io.leapnbd.tools.pool.PoolFolder;
import io.leapnbd.tools.record.Recording;
import io.leapnbd.tools.registry.DonorSource;
import io.leapnbd.tools.registry.ExportRecord;
import io.leapnbd.tools.registry.Registration;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running server with all that belongs to it: loops, device, NBD listeners, endpoint, interval log. */
public final class LeapServer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(LeapServer.class);

    private static final long BUFFERS = 16L << 20;
    private static final long LEAST_BUFFERS = 4L << 20;
    private static final long MOST_BUFFERS = 16L << 20;

    /** Buffers of a loop's links to donors: what is received at once, and for each link what is being sent. */
    private static final long LINK_BUFFERS = 512L << 10;

    private static final long LINK_WRITES = 128L << 10;

    /** What TLS has of a link beside: a record that has not arrived whole, and what is encrypted and not sent. */
    private static final long LINK_TLS = 448L << 10;

    /** Donors that may be added before links share what was set aside for others. */
    private static final int DONORS_TO_COME = 4;

    /** What a loop's link buffers may take beyond that: chunks are whole. */
    private static final long LINK_SLACK = 2L << 20;

    /** Direct memory of what is neither: the JDK's own buffers, the queue of {@code --path queued}. */
    private static final long OTHER_DIRECT_MEMORY = 8L << 20;

    private final ServerSettings settings;
    private final long startMillis = System.currentTimeMillis();
    private final Closings closings = new Closings();
    private final List<String> uris = new ArrayList<>();
    private final List<SecurityLine> security = new CopyOnWriteArrayList<>();
    private @Nullable RemoteDevice device;
    private @Nullable LinkTls linkTls;
    private @Nullable EventLoops loops;
    private @Nullable Recording recording;
    private @Nullable IntervalLog intervals;

    private final @Nullable Reload reload;

    private final @Nullable RegistryFeed feed;

    private LeapServer(ServerSettings settings, @Nullable Reload reload, @Nullable RegistryFeed feed) {
        this.feed = feed;
        this.settings = settings;
        this.reload = reload;
    }

    /**
     * Starts a server; when this returns it accepts clients.
     *
     * @throws IOException if that is not possible; the message is one sentence for the operator
     * @throws IllegalArgumentException if the settings contradict each other
     */
    public static LeapServer open(ServerSettings settings) throws IOException {
        return open(settings, null);
    }

    /**
     * As {@link #open(ServerSettings)}.
     *
     * @param reload reads settings again when it is asked to; null if there is no file of them
     */
    static LeapServer open(ServerSettings settings, @Nullable Reload reload) throws IOException {
        return open(settings, reload, null);
    }

    /**
     * As {@link #open(ServerSettings, Reload)}.
     *
     * @param feed names its donors, and is closed with the server, not with a start that fails; null if they were named
     */
    static LeapServer open(ServerSettings settings, @Nullable Reload reload, @Nullable RegistryFeed feed)
            throws IOException {
        LeapServer server = new LeapServer(settings, reload, feed);
        boolean open = false;
        try {
            server.start();
            open = true;
            return server;
        } finally {
            if (!open) {
                server.discardRecording();
                server.close();
            }
        }
    }

    /** What it shows to donors of its pool; null if it is of none. */
    @Nullable
    LinkTls linkTls() {
        return linkTls;
    }

    /** Where clients connect, and the endpoint. */
    public List<String> uris() {
        return uris;
    }

    /** Whether its event loops do their work; see {@link io.leapnbd.tools.service.Pulse#beats}. */
    boolean respond(long nanos) throws InterruptedException {
        EventLoops running = loops;
        return running == null || running.respond(nanos);
    }

    /** Tells when this server cannot go on; why is logged before. */
    void onEnd(Consumer<Donor> then) {
        RemoteDevice remote = device;
        if (remote != null) {
            var _ = remote.stranded().thenAccept(donor -> {
                log.error(
                        "all donors of {} have restarted, the last of them {}. This server did not see all of them end, so another"
                                + " one may have come in between. What they held is lost, and this server ends."
                                + " Start it with --fresh, and it begins blank",
                        settings.export(),
                        donor);
                then.accept(donor);
            });
            var _ = remote.fenced().thenAccept(donor -> {
                log.error(
                        "donor {} says that a newer server serves {} now; this one ends, so that its clients find the"
                                + " newer one",
                        donor,
                        settings.export());
                then.accept(donor);
            });
        }
    }

    private void start() throws IOException {
        // First, since it is the operator's to put right, and donors need not hear of a start that fails.
        NbdTls tls = settings.tls().open();
        if (tls != null) {
            closings.add("TLS", tls);
            Reload again = reload;
            if (again != null) {
                again.rereads(() -> settings.tls().reread(tls));
            }
        }
        EventLoops loops = EventLoops.open(settings.loops(), "loop");
        this.loops = loops;
        closings.add("event loops", loops);

        BufferReserve buffers =
                BufferReserve.open(loops.group(), reserve(settings.loops().count()));
        closings.add("buffers", buffers);

        // Links have buffers of their own: what clients use up must not keep replies of donors from coming in.
        PoolFolder pool = settings.links().pool();
        long linkBytes = LINK_BUFFERS
                + (settings.donors().size() + DONORS_TO_COME) * (LINK_WRITES + (pool == null ? 0 : LINK_TLS));
        BufferReserve linkBuffers = BufferReserve.openSmall(loops.group(), linkBytes);
        closings.add("link buffers", linkBuffers);

        if (pool != null) {
            LinkTls opened = pool.server();
            linkTls = opened;
            closings.add("TLS of links", opened);
            pool.complaints(opened, Machine.hostName()).forEach(complaint -> log.warn("--pool: {}", complaint));
            security.add(pool.line(opened));
            Reload again = reload;
            if (again != null) {
                again.rereads(() -> pool.reread(opened, security));
            }
        }
        SlabStore store = settings.donors().isEmpty() ? embeddedStore() : null;
        RemoteDevice remote = RemoteDevice.open(deviceContext(store, buffers, linkBuffers), loops.group());
        // A start that is refused says that and nothing else.
        sayCopies(remote.copies());
        this.device = remote;
        closings.add("device", remote);

        Path trace = settings.record();
        Recording recorded = trace == null ? null : Recording.open(trace, about(remote), settings.fileLimit());
        recording = recorded;
        if (recorded != null) {
            closings.add("recording", recorded);
        }
        BlockDevice device = remote;
        if (settings.path() == DataPath.QUEUED) {
            QueuedDevice queued = new QueuedDevice(remote, loop -> staging(remote.latencies(loop)));
            closings.add("queue", queued);
            device = queued;
        }
        BlockDevice exported = recorded == null ? device : recorded.of(device);
        NbdServer nbd = NbdServer.start(new NbdServerContext()
                .tls(tls)
                .group(loops.group())
                .allocator(buffers.allocator())
                .otherDirectMemory(
                        OTHER_DIRECT_MEMORY + settings.loops().count() * (linkBytes + LINK_SLACK + hedgeBytes()))
                .export(settings.export(), exported)
                .observer(loop -> new LatencyObserver(remote.latencies(loop))));
        closings.add("NBD server", nbd);

        Path latencies = settings.histogramLog();
        if (latencies != null) {
            try {
                IntervalLog opened = new IntervalLog(
                        remote.latencies(), latencies, settings.histogramInterval(), startMillis, settings.fileLimit());
                closings.add("histogram log", opened);
                intervals = opened;
            } catch (IOException e) {
                throw new IOException(
                        "--histogram-log " + latencies + " cannot be written (" + OneLineErrors.describe(e)
                                + "); name a file in a folder that exists",
                        e);
            }
        }
        closings.add("summary", () -> summarize(remote.latencies()));

        for (Path path : settings.unix().paths()) {
            UnixSockets.prepareFolderOf(path);
            uris.add(nbd.listenUnix(path.toAbsolutePath(), settings.unix().access())
                    .uri(settings.export())
                    .toString());
        }
        List<HostPort> bound = new ArrayList<>();
        for (HostPort address : settings.tcp()) {
            try {
                NbdUri uri = nbd.listenTcp(address.resolve()).uri(settings.export());
                bound.add(new HostPort(address.host(), uri.port()));
                uris.add((settings.tls().required() ? uri.withTls(null) : uri).toString());
            } catch (IOException e) {
                throw address.refused("--listen", e);
            }
        }

        String open = settings.tls().objection(settings.tcp());
        if (open != null) {
            log.warn("insecure: {}", open);
        }
        settings.tls().unnamed(settings.tcp()).forEach(unnamed -> log.warn("--listen {}", unnamed));
        security.addAll(ServerSecurity.lines(settings, bound));
        SettingsControl control = new SettingsControl(
                settings.export(), settings.links(), remote, settings.copies().onlyThisMachine(), feed != null);
        RegistryFeed names = feed;
        PoolFollower follower = names == null ? null : new PoolFollower(names, remote, control);
        if (follower != null) {
            closings.add("news of donors", follower);
        }
        if (reload != null) {
            reload.changeBy((changes, read) -> control.makeRead(changes));
        }
        HttpEndpoint endpoint = null;
        ServerStatus status = new ServerStatus(
                settings, uris, startMillis, loops.turns(), remote, nbd, store, recorded, security, linkTls, follower);
        if (settings.http() != null) {
            endpoint = openEndpoint(settings.http(), status, control);
        }
        registerExport(status);
        Path file = RunFile.register(
                "serve",
                endpoint,
                uris.getFirst(),
                reload == null ? null : reload.path(),
                reload == null ? null : reload.instance());
        if (file != null) {
            closings.add("run file", () -> RunFile.remove(file));
        }
        loops.forgetTurns();
    }

    /** Has the registry show this export too, for {@code pool status}. */
    private void registerExport(ServerStatus status) {
        RegistryFeed names = feed;
        if (names != null && names.source() instanceof DonorSource.Etcd etcd) {
            String process = UUID.randomUUID().toString();
            ExportRecord first = status.record(process);
            closings.add(
                    "registration",
                    Registration.ofExport(etcd, names.access(), first.owner() + "/" + first.name(), process, () -> {
                        ExportRecord now = status.record(process);
                        return new Registration.Entry(now.json(), now.copies() + " " + now.donors() + now.degraded());
                    }));
        }
    }

    /** Reads settings again, and opens files anew that are written; answers with what came of it. */
    private Answer reload() {
        reopenFiles();
        return ReloadAnswer.of(reload);
    }

    /** Opens files anew that are written: somebody has moved them. */
    void reopenFiles() {
        Recording recorded = recording;
        if (recorded != null) {
            recorded.reopen();
        }
        IntervalLog log = intervals;
        if (log != null) {
            log.reopen();
        }
    }

    private HttpEndpoint openEndpoint(EndpointAddress listen, ServerStatus status, SettingsControl control) {
        RemoteDevice remote = status.device();
        HttpEndpoint endpoint = HttpEndpoint.open(
                listen,
                Map.<String, Page>of(
                        "/metrics",
                        new MetricsPage(new ServerMetrics(status).registry()),
                        "/latencies",
                        new LatencyPage(remote.latencies(), startMillis),
                        "/slabs",
                        new SlabMapPage(remote),
                        "/status",
                        status::page,
                        "/security",
                        query -> SecurityLine.page(security),
                        "/healthz",
                        query -> Answer.line(200, "ok"),
                        "/readyz",
                        query -> status.ready(),
                        "/histograms",
                        new HistogramPage(remote.latencies(), startMillis)),
                Map.<String, Page>of(
                        "/settings",
                        control::set,
                        "/reload",
                        query -> reload(),
                        "/drain",
                        new DrainControl(status)::drain),
                WebPage.of("serve"));
        closings.add("HTTP endpoint", endpoint);
        endpoint.warnIfExposed();
        if (reload != null) {
            endpoint.access().rereadBy(reload);
        }
        uris.add(endpoint.uri());
        security.add(endpoint.security());
        return endpoint;
    }

    private static StagingObserver staging(LoopLatencies latencies) {
        return (write, nanos) -> latencies.record(write ? Operation.WRITE : Operation.READ, Stage.STAGING, nanos);
    }

    /** What a loop has so that reads may be asked of two donors, as large as it can be. A second one may be added. */
    private long hedgeBytes() {
        return settings.donors().isEmpty() ? 0 : ReadPath.HEDGE_BYTES + LandingFrames.BYTES;
    }

    /** Bytes of buffers that a loop keeps: what one swapping connection can have under way, unless there are many loops. */
    private static long reserve(int loops) {
        return Math.clamp(BUFFERS / loops, LEAST_BUFFERS, MOST_BUFFERS);
    }

    private List<String> about(RemoteDevice remote) {
        String version = LeapServer.class.getPackage().getImplementationVersion();
        return List.of(
                "leap-nbd " + (version == null ? "(unpackaged)" : version),
                "export " + settings.export() + ", " + remote.size() / Protocol.PAGE_SIZE + " pages of 4096 bytes");
    }

    /** A server that never served leaves no file in the way of the next one. */
    private void discardRecording() throws IOException {
        if (recording != null) {
            recording.discard();
        }
    }

    private SlabStore embeddedStore() throws IOException {
        long slabSize =
                Math.clamp(Long.highestOneBit(settings.size()), Protocol.MIN_SLAB_SIZE, Protocol.DEFAULT_SLAB_SIZE);
        long memory = Math.ceilDiv(settings.size(), slabSize) * slabSize;
        SlabStore store = SlabStore.open(StoreSettings.ofMemory(memory, (int) slabSize));
        closings.add("embedded donor", store);
        return store;
    }

    /** What a donor's end will cost, in plain words. */
    private void sayCopies(int replicas) {
        if (replicas > 1) {
            log.info("{} copies of each page; a donor's end loses none as long as another copy lives", replicas);
        } else if (settings.copies().ifRoom()) {
            log.warn("one copy of each page, as the donors have no room for two: when a donor ends, its pages are lost;"
                    + " add donors or memory, or say --replicas 1");
        } else if (!settings.donors().isEmpty()) {
            log.info(
                    "one copy of each page: when a donor ends, its pages are lost; --replicas 2, with two donors, keeps two");
        }
        sayEncryption();
        if (!settings.copies().seals()) {
            log.info(
                    "no seals are kept: whatever bytes a donor answers are believed; --seals on finds those that changed");
        }
    }

    private void sayEncryption() {
        LinkTls links = linkTls;
        if (links != null && links.protection() == LinkProtection.AUTH) {
            log.info(
                    "links over TCP have tags in place of TLS (--link-security auth): requests go in clear, and who is on"
                            + " the wire can destroy pages");
        }
        CipherKind cipher = settings.copies().encryption().kind();
        if (cipher.encrypts()) {
            log.info(
                    "pages are encrypted with {} by {} before they leave this process; {}",
                    cipher,
                    PageKeys.isNative() ? "libcrypto" : "the JDK, as libcrypto is not installed: that is slower",
                    settings.copies().encryption().secret() == null
                            ? "only with the state file can they be read"
                            : "only with the state file and the key of --key-file can they be read");
        } else if (!settings.donors().stream().map(DonorSettings::address).allMatch(DonorAddress::onThisMachine)) {
            log.warn("pages are not encrypted: who can look into a donor's memory, or at the network, can read them;"
                    + " --encrypt on");
        }
    }

    private RemoteDeviceContext deviceContext(
            @Nullable SlabStore store, BufferReserve buffers, BufferReserve linkBuffers) throws IOException {
        RemoteDeviceContext context = new RemoteDeviceContext()
                .size(settings.size())
                .export(settings.export())
                .requestTimeout(settings.ioTimeout())
                .copies(settings.copies().replicas())
                .fewerCopiesIfNoRoom(settings.copies().ifRoom())
                .copiesByDefault(settings.copies().most())
                .memberTimeout(settings.copies().memberTimeout())
                .seals(settings.copies().seals())
                .encryption(settings.copies().encryption())
                .spill(settings.copies().spill())
                .buffers(linkBuffers.allocator())
                .tls(linkTls)
                .bufferRegions(buffers.chunks().stream()
                        .map(chunk -> new RemoteDeviceContext.BufferRegion(chunk.address(), chunk.length()))
                        .toList())
                .cacheSize(settings.prefetch().cacheSize())
                .cacheLimit(settings.prefetch().cacheLimit())
                .prefetch(settings.prefetch().policy(), settings.prefetch().leap())
                .busyPoll(settings.loops().busyPoll())
                .fresh(settings.takeover().fresh())
                .takeOver(settings.takeover().takeOver())
                .loseMissing(settings.takeover().loseMissing())
                .wait(settings.takeover().patience())
                .server(Machine.number(), Machine.process());
        if (store != null) {
            // What it holds ends with this process, so there is nothing to know later.
            return context.embedded(store).conclude();
        }
        try {
            PrivateFolder.require(settings.stateDir(), "rwx------");
        } catch (IOException e) {
            throw new IOException("--state-dir: " + e.getMessage(), e);
        }
        return context.donors(
                        settings.donors().stream().map(DonorSettings::address).toList())
                .stateFile(settings.stateFile())
                .conclude();
    }

    private static void summarize(LatencyRecorders latencies) {
        for (Operation operation : Operation.values()) {
            Histogram total = latencies.snapshot(operation, Stage.TOTAL);
            if (total.getTotalCount() > 0) {
                log.info(
                        "{}: {} requests, p50 {}, p99 {}, p99.9 {}, max {}",
                        operation.label(),
                        total.getTotalCount(),
                        Durations.approximate(total.getValueAtPercentile(50)),
                        Durations.approximate(total.getValueAtPercentile(99)),
                        Durations.approximate(total.getValueAtPercentile(99.9)),
                        Durations.approximate(total.getMaxValue()));
            }
        }
    }

    /** Closes everything, the last opened first: clients are dropped before the device goes. */
    @Override
    public void close() {
        closings.close();
    }
}
