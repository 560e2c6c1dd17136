package io.leapnbd.tools.donor;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.loop.LoopTurns;
import io.leapnbd.donor.net.DonorServer;
import io.leapnbd.donor.net.RdmaServer;
import io.leapnbd.donor.net.ServerSettings;
import io.leapnbd.donor.net.ServerStatistics;
import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.donor.store.ExportStatistics;
import io.leapnbd.donor.store.OwnerLimits;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.store.StoreStatistics;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.verbs.VerbsException;
import io.leapnbd.tools.cli.Closings;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.config.Reload;
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
import io.leapnbd.tools.pool.PoolFolder;
import io.leapnbd.tools.service.Pulse;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running donor: the store, its listener, and the endpoint. */
public final class LendingDonor implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(LendingDonor.class);

    private final Closings closings = new Closings();
    private final List<String> uris = new ArrayList<>();
    private final List<Pulse> pulses = new ArrayList<>();
    private final List<SecurityLine> security = new CopyOnWriteArrayList<>();
    private final long startMillis = System.currentTimeMillis();

    @SuppressWarnings("NullAway.Init") // Opened by start.
    private SlabStore store;

    private @Nullable MemoryWatch watch;
    private @Nullable LinkTls tls;
    private volatile boolean draining;
    private boolean insecure;

    private final @Nullable Reload reload;

    private final DonorRegistration.@Nullable Settings registry;
    private volatile @Nullable DonorRegistration registration;

    private LendingDonor(@Nullable Reload reload, DonorRegistration.@Nullable Settings registry) {
        this.registry = registry;
        this.reload = reload;
    }

    /** As {@link #open(StoreSettings, HostPort, Set, PoolFolder, LoopSettings, EndpointAddress, List)}, over TCP, of no pool, with loops that sleep. */
    public static LendingDonor open(
            StoreSettings settings,
            HostPort listen,
            int threads,
            @Nullable EndpointAddress http,
            List<String> unprotected)
            throws IOException {
        return open(settings, listen, EnumSet.of(Transport.TCP), null, LoopSettings.of(threads), http, unprotected);
    }

    /**
     * Starts a donor; when this returns it accepts links.
     *
     * @param transports over which it listens, at the same address
     * @param pool whose servers alone are served; null for anybody
     * @param loops those for TCP; RDMA has one of its own beside them, which runs as they do
     * @param http where the endpoint listens; null for none
     * @param unprotected what protection of the process could not be had, a sentence each, for the status
     * @throws IOException if the memory or the address cannot be had
     */
    public static LendingDonor open(
            StoreSettings settings,
            HostPort listen,
            Set<Transport> transports,
            @Nullable PoolFolder pool,
            LoopSettings loops,
            @Nullable EndpointAddress http,
            List<String> unprotected)
            throws IOException {
        return open(settings, listen, transports, pool, loops, http, unprotected, null, null);
    }

    /**
     * As {@link #open(StoreSettings, HostPort, Set, PoolFolder, LoopSettings, EndpointAddress, List)}.
     *
     * @param reload reads settings again when it is asked to; null if there is no file of them
     * @param registry where it registers; null for nowhere
     */
    static LendingDonor open(
            StoreSettings settings,
            HostPort listen,
            Set<Transport> transports,
            @Nullable PoolFolder pool,
            LoopSettings loops,
            @Nullable EndpointAddress http,
            List<String> unprotected,
            @Nullable Reload reload,
            DonorRegistration.@Nullable Settings registry)
            throws IOException {
        LendingDonor donor = new LendingDonor(reload, registry);
        boolean open = false;
        try {
            donor.start(settings, listen, transports, pool, loops, http, unprotected);
            open = true;
            return donor;
        } finally {
            if (!open) {
                donor.close();
            }
        }
    }

    /** The memory that it lends. */
    SlabStore store() {
        return store;
    }

    /**
     * Lends no more than leaves so much memory to other programs, from now on.
     *
     * @param bytes null for no such limit any more
     */
    synchronized void keepFree(@Nullable Long bytes, Path meminfo) {
        MemoryWatch present = watch;
        if (draining || (bytes == null ? present == null : present != null && present.keep() == bytes)) {
            return;
        }
        stopWatching();
        if (bytes == null) {
            store.lendAtMost(store.totalSlabs());
        } else {
            watch = new MemoryWatch(store, bytes, meminfo);
        }
    }

    private synchronized void stopWatching() {
        MemoryWatch present = watch;
        if (present != null) {
            present.close();
            watch = null;
        }
    }

    /** Lets owners hold so much from now on. */
    void limitOwners(OwnerLimits limits) {
        store.limitOwners(limits);
        SecurityLine line = DonorSecurity.limits(limits);
        security.replaceAll(present -> present.part().equals(line.part()) ? line : present);
    }

    /** Lends nothing more, and asks servers for all that is lent. For good. */
    synchronized void wantAllBack() {
        draining = true;
        stopWatching();
        store.lendAtMost(0);
        DonorRegistration registered = registration;
        if (registered != null) {
            registered.hurry();
        }
    }

    /** What it shows to servers of its pool; null if it is of none. */
    @Nullable
    LinkTls tls() {
        return tls;
    }

    /** Whether somebody beyond this machine could use it who has shown nothing. */
    boolean isInsecure() {
        return insecure;
    }

    /** Whether its event loops do their work; see {@link Pulse#beats}. */
    boolean respond(long nanos) throws InterruptedException {
        for (Pulse pulse : pulses) {
            if (!pulse.beats(nanos)) {
                return false;
            }
        }
        return true;
    }

    /** Where servers connect, and the endpoint. */
    public List<String> uris() {
        return uris;
    }

    private void start(
            StoreSettings settings,
            HostPort listen,
            Set<Transport> transports,
            @Nullable PoolFolder pool,
            LoopSettings loops,
            @Nullable EndpointAddress http,
            List<String> unprotected)
            throws IOException {
        if (pool != null) {
            LinkTls opened = pool.donor();
            tls = opened;
            closings.add("TLS", opened);
            pool.complaints(opened, Machine.hostName()).forEach(complaint -> log.warn("--pool: {}", complaint));
            security.add(pool.line(opened));
            Reload again = reload;
            if (again != null) {
                again.rereads(() -> pool.reread(opened, security));
            }
        }
        store = SlabStore.open(settings);
        closings.add("store", store);
        closings.add("watch on memory", this::stopWatching);
        closings.add("account of what is lost", () -> sayWhatIsLost(store));
        List<Supplier<ServerStatistics>> listeners = new ArrayList<>();
        List<LoopTurns> turns = new ArrayList<>();
        HostPort at = listen;
        if (transports.contains(Transport.TCP)) {
            DonorServer server = listen(store, listen, loops, tls);
            turns.addAll(server.turns());
            pulses.add(server::respond);
            closings.add("listener", server);
            listeners.add(server::statistics);
            at = announce(Transport.TCP, listen, server.address(), tls != null);
        }
        if (transports.contains(Transport.RDMA)) {
            RdmaServer server =
                    listenOverRdma(store, at, transports.contains(Transport.TCP) ? loops.oneMore() : loops, tls);
            turns.addAll(server.turns());
            pulses.add(server::respond);
            closings.add("RDMA listener", server);
            listeners.add(server::statistics);
            at = announce(Transport.RDMA, listen, server.address(), tls != null);
        }
        HttpEndpoint endpoint = null;
        security.addAll(DonorSecurity.links(listen, transports, tls));
        security.add(DonorSecurity.limits(settings.limits()));
        if (http != null) {
            DonorStatus status = new DonorStatus(
                    uris,
                    startMillis,
                    store,
                    listeners,
                    turns,
                    unprotected,
                    security,
                    this::whyItWantsSlabs,
                    this::whyItIsNotRegistered,
                    tls,
                    insecure);
            HttpEndpoint opened = HttpEndpoint.open(
                    http,
                    Map.<String, Page>of(
                            "/metrics",
                            new MetricsPage(DonorMetrics.registry(status)),
                            "/status",
                            status::page,
                            "/security",
                            query -> SecurityLine.page(security),
                            "/healthz",
                            query -> Answer.line(200, "ok"),
                            "/readyz",
                            query -> Answer.line(200, "ready")),
                    Map.<String, Page>of("/settings", DonorControl::set, "/reload", query -> ReloadAnswer.of(reload)),
                    WebPage.of("donor"));
            closings.add("HTTP endpoint", opened);
            opened.warnIfExposed();
            if (reload != null) {
                opened.access().rereadBy(reload);
            }
            endpoint = opened;
            uris.add(opened.uri());
            security.add(opened.security());
        }
        GrantLog grants = new GrantLog(store);
        closings.add("log of what is lent", grants);
        closings.add("claims", store::admitNobody);
        Path file = RunFile.register("donor", endpoint, uris.getFirst(), reload == null ? null : reload.path(), null);
        if (file != null) {
            closings.add("run file", () -> RunFile.remove(file));
        }
        DonorRegistration.Settings where = registry;
        if (where != null) {
            DonorRegistration registered = new DonorRegistration(where, store, at, transports, tls, () -> draining);
            registration = registered;
            closings.add("registration", registered);
        }
    }

    private @Nullable String whyItIsNotRegistered() {
        DonorRegistration registered = registration;
        return registered == null ? null : registered.complaint();
    }

    /** Why it wants slabs back, or would; null if it lends all that it has. */
    private @Nullable String whyItWantsSlabs() {
        if (draining) {
            return "it is about to end";
        }
        MemoryWatch present = watch;
        return present == null || !present.tight()
                ? null
                : "this machine has less than " + Size.approximate(present.keep())
                        + " of memory available (--keep-free)";
    }

    /** What is lent ends with this process: whose it was, and how much, is said once, last of all. */
    private static void sayWhatIsLost(SlabStore store) {
        StoreStatistics last = store.statistics();
        for (ExportStatistics export : last.exports()) {
            int only = export.slabs() - export.elsewhere();
            if (only > 0) {
                log.warn(
                        "this donor ends: the {} that it held for export '{}' are lost",
                        Size.approximate((long) only * last.slabSize()),
                        PrintableText.of(export.name()));
            }
            if (export.elsewhere() > 0) {
                log.info(
                        "this donor ends: of {} that it held for export '{}' other donors have copies",
                        Size.approximate((long) export.elsewhere() * last.slabSize()),
                        PrintableText.of(export.name()));
            }
        }
    }

    private HostPort announce(Transport transport, HostPort listen, InetSocketAddress bound, boolean authenticated) {
        HostPort address = listen.bound(bound);
        String uri = transport + address.toString();
        uris.add(uri);
        if (!authenticated
                && (transport == Transport.RDMA || !bound.getAddress().isLoopbackAddress())) {
            insecure = true;
            log.warn("insecure: whoever reaches {} can use this memory, and read what is in it", uri);
        }
        return address;
    }

    private static RdmaServer listenOverRdma(
            SlabStore store, HostPort listen, LoopSettings loops, @Nullable LinkTls tls) throws IOException {
        try {
            return RdmaServer.start(
                    store, ServerSettings.listenOn(listen.resolve()).withLoops(loops), tls);
        } catch (VerbsException e) {
            throw new IOException("--transport: " + e.getMessage() + "; or lend over --transport tcp", e);
        }
    }

    private static DonorServer listen(SlabStore store, HostPort listen, LoopSettings loops, @Nullable LinkTls tls)
            throws IOException {
        ServerSettings settings = ServerSettings.listenOn(listen.resolve()).withLoops(loops);
        try {
            return DonorServer.start(store, settings, tls);
        } catch (IOException e) {
            throw listen.refused("--listen", e);
        }
    }

    /** Closes every link; what servers kept here is gone. */
    @Override
    public void close() {
        closings.close();
    }
}
