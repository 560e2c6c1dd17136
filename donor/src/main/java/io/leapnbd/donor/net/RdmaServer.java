package io.leapnbd.donor.net;

import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaConnParam;
import com.ibm.disni.verbs.RdmaEventChannel;
import io.leapnbd.donor.loop.EventLoops;
import io.leapnbd.donor.loop.LoopTurns;
import io.leapnbd.donor.rdma.Announcement;
import io.leapnbd.donor.rdma.MemoryDomain;
import io.leapnbd.donor.rdma.QueuePair;
import io.leapnbd.donor.rdma.Rdma;
import io.leapnbd.donor.rdma.Watched;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.tls.LinkTls;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves a {@link SlabStore} to links over RDMA. Page reads cost this machine's processors nothing: the device answers them from
 * registered memory. Everything else is a message that one event loop answers. The store stays its owner's: close the server
 * first, then the store.
 *
 * <p>Not to be started or closed on an event loop: both wait.
 */
public final class RdmaServer implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(RdmaServer.class);

    private static final int BACKLOG = 128;
    private static final byte RETRIES = 7;

    private final SlabStore store;
    private final ServerSettings settings;
    private final ServerCounters counters = new ServerCounters();
    private final Listener shared;
    private final EventLoops ownLoop;
    private final IoEventLoop loop;
    private final InetSocketAddress address;

    // The loop's.

    private final RdmaEventChannel channel;
    private final RdmaCmId listener;
    private final Watched watched;
    private final Map<RdmaCmId, RdmaLink> links = new HashMap<>();
    private final Map<Key, Exposed> memories = new HashMap<>();
    private boolean closed;

    private RdmaServer(SlabStore store, ServerSettings settings, @Nullable LinkTls tls) throws IOException {
        this.store = store;
        this.settings = settings;
        // Its links have frames of their own, registered with the device, and take no other memory.
        shared = new Listener(
                store,
                settings,
                counters,
                new LinkPlaces(settings.maxLinks()),
                new LinkMemory(settings.memory()),
                tls,
                new LimitedLog(LOG));
        Rdma.require();
        channel = RdmaEventChannel.createEventChannel();
        listener = channel.createId(RdmaCm.RDMA_PS_TCP);
        try {
            listener.bindAddr(settings.address());
            listener.listen(BACKLOG);
        } catch (IOException e) {
            int _ = listener.destroyId();
            int _ = channel.destroyEventChannel();
            throw new IOException("cannot listen on " + settings.address() + " over RDMA: " + e.getMessage(), e);
        }
        int port = ((InetSocketAddress) listener.getSource()).getPort() & 0xffff;
        address = new InetSocketAddress(
                settings.address().getAddress(),
                settings.address().getPort() == 0 ? port : settings.address().getPort());
        ownLoop = EventLoops.open(settings.loops().one(), "donor-rdma");
        loop = ownLoop.group().next();
        watched = loop.submit(() -> Watched.on(loop, Rdma.descriptor(channel), this::connectionEvents))
                .syncUninterruptibly()
                .getNow();
    }

    /**
     * Starts with an event loop of its own.
     *
     * @param settings the address is an IPv4 one of an RDMA device; of the event loops it takes one
     * @throws IOException if there is no RDMA here, or the address is not to be had
     */
    public static RdmaServer start(SlabStore store, ServerSettings settings) throws IOException {
        return start(store, settings, null);
    }

    /**
     * Starts with an event loop of its own.
     *
     * @param settings the address is an IPv4 one of an RDMA device; of the event loops it takes one
     * @param tls whom links have to show to be; null serves anybody who connects. The caller closes it after this
     * @throws IOException if there is no RDMA here, or the address is not to be had
     */
    public static RdmaServer start(SlabStore store, ServerSettings settings, @Nullable LinkTls tls) throws IOException {
        return new RdmaServer(store, settings, tls);
    }

    /** What it listens on, with the port that it got. */
    public InetSocketAddress address() {
        return address;
    }

    /** How long its event loop's turns are. */
    public List<LoopTurns> turns() {
        return ownLoop.turns();
    }

    /**
     * Has its event loop run a task, and waits for that. Not from that loop.
     *
     * @param nanos how long to wait at most
     * @return whether it did
     */
    public boolean respond(long nanos) throws InterruptedException {
        return ownLoop.respond(nanos);
    }

    /** How things are now. */
    public ServerStatistics statistics() {
        return new ServerStatistics(
                counters.open.get(),
                counters.accepted.sum(),
                counters.turnedAway.sum(),
                counters.badRequests.sum(),
                counters.timeouts.sum(),
                counters.fencedOff.sum(),
                counters.pauses.sum(),
                counters.evicted.sum());
    }

    private void connectionEvents() {
        try {
            for (RdmaCmEvent event = channel.getCmEvent(0); event != null && !closed; event = channel.getCmEvent(0)) {
                handle(event);
            }
        } catch (IOException | RuntimeException e) {
            LOG.error("a connection event failed", e);
        }
    }

    private void handle(RdmaCmEvent event) throws IOException {
        RdmaCmId id = event.getConnIdPriv();
        switch (RdmaCmEvent.EventType.values()[event.getEvent()]) {
            case RDMA_CM_EVENT_CONNECT_REQUEST -> connect(id);
            case RDMA_CM_EVENT_ESTABLISHED -> LOG.debug("link from {}", id.getDestination());
            case RDMA_CM_EVENT_DISCONNECTED,
                    RDMA_CM_EVENT_CONNECT_ERROR,
                    RDMA_CM_EVENT_UNREACHABLE,
                    RDMA_CM_EVENT_REJECTED,
                    RDMA_CM_EVENT_DEVICE_REMOVAL -> {
                RdmaLink link = links.get(id);
                if (link != null) {
                    link.close();
                }
            }
            default -> LOG.debug("connection event {}", event.getEvent());
        }
    }

    private void connect(RdmaCmId id) throws IOException {
        UUID announced = Announcement.decode(Rdma.announcement(id));
        if (shared.places().free(PlainOwner.of(id.getDestination())) == 0) {
            turnAway(id.getDestination());
            int _ = id.destroyId();
            return;
        }
        RdmaLink link = null;
        Key key = new Key(Rdma.device(id.getVerbs()), announced, shared.tls() == null ? null : id);
        try {
            Exposed exposed = exposed(id.getVerbs(), key);
            link = new RdmaLink(
                    shared,
                    loop,
                    id.getDestination(),
                    Rdma.seesAnnouncements() ? announced : null,
                    exposed.memory(),
                    (most, first, completions) ->
                            new QueuePair(id, exposed.domain().domain(), most, first, completions),
                    gone -> gone(gone, id));
            links.put(id, link);
            int _ = counters.open.incrementAndGet();
            if (!link.enter()) {
                turnAway(link.peer());
                link.close();
                return;
            }
            counters.accepted.increment();
            link.opened();
            RdmaConnParam parameters = new RdmaConnParam();
            parameters.setRetry_count(RETRIES);
            parameters.setRnr_retry_count(RETRIES);
            id.accept(parameters);
        } catch (IOException | IllegalStateException e) {
            // The second: the loop does not wait on it.
            shared.log().info("a link over RDMA cannot be opened: {}", String.valueOf(e.getMessage()));
            if (link != null) {
                link.close();
            } else {
                int _ = id.destroyId();
                releaseTakenBack();
            }
        }
    }

    private void turnAway(Object peer) {
        counters.turnedAway.increment();
        shared.log().info("{} turned away: {} links are open", peer, settings.maxLinks());
    }

    private Exposed exposed(IbvContext device, Key key) throws IOException {
        Exposed known = memories.get(key);
        if (known == null) {
            RdmaDomain domain = new RdmaDomain(MemoryDomain.open(device));
            known = new Exposed(domain, new ExportMemory(domain, store, this::wakeUp));
            memories.put(key, known);
        }
        return known;
    }

    /** A slab was handed back. Any thread, with the store's locks held. A link that asked for it does the rest before it answers. */
    private void wakeUp() {
        try {
            loop.execute(this::releaseTakenBack);
        } catch (RejectedExecutionException e) {
            LOG.debug("a slab is handed back after the end");
        }
    }

    private void releaseTakenBack() {
        for (Exposed exposed : List.copyOf(memories.values())) {
            exposed.memory().releaseTakenBack();
        }
        memories.entrySet().removeIf(entry -> {
            ExportMemory memory = entry.getValue().memory();
            boolean unused =
                    memory.links == 0 && (memory.isEmpty() || entry.getKey().only() != null);
            if (unused) {
                memory.close();
            }
            return unused;
        });
    }

    private void gone(RdmaLink link, RdmaCmId id) {
        if (links.remove(id, link)) {
            int _ = counters.open.decrementAndGet();
        }
        try {
            int _ = id.destroyId();
        } catch (IOException e) {
            LOG.warn("link from {} does not end as it should: {}", link.peer(), e.getMessage());
        }
        releaseTakenBack();
    }

    /** Stops listening and closes every link; their exports' leases begin. */
    @Override
    public void close() {
        loop.submit(this::end).awaitUninterruptibly();
        ownLoop.close();
    }

    private void end() {
        closed = true;
        List.copyOf(links.values()).forEach(RdmaLink::close);
        memories.values().forEach(exposed -> exposed.memory().close());
        memories.clear();
        watched.cancel();
        try {
            int _ = listener.destroyId();
            int _ = channel.destroyEventChannel();
        } catch (IOException e) {
            LOG.warn("the RDMA listener does not end as it should: {}", e.getMessage());
        }
    }

    /**
     * What has a protection domain of its own: each export on each device. A queue pair's domain is chosen before anybody has said who he is,
     * and keys can be guessed. So of a pool every link has one.
     *
     * @param only the only link that is in it; null if all of the export are
     */
    private record Key(
            long device, UUID announced, @Nullable RdmaCmId only) {}

    private record Exposed(RdmaDomain domain, ExportMemory memory) {}
}
