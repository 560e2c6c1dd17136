package io.leapnbd.bypass;

import io.leapnbd.bypass.cache.CachedPages;
import io.leapnbd.bypass.cache.FetchOwners;
import io.leapnbd.bypass.cache.PageFetches;
import io.leapnbd.bypass.cache.Prefetching;
import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.LoopLatencies;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkSettings;
import io.leapnbd.bypass.link.LocalConnector;
import io.leapnbd.bypass.link.RdmaConnector;
import io.leapnbd.bypass.link.TcpConnector;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.bypass.path.Mending;
import io.leapnbd.bypass.path.NoteSpreader;
import io.leapnbd.bypass.path.PageSeals;
import io.leapnbd.bypass.path.PlacementChanges;
import io.leapnbd.bypass.path.ReadPath;
import io.leapnbd.bypass.path.Repair;
import io.leapnbd.bypass.path.SealFigures;
import io.leapnbd.bypass.path.SlabAllocator;
import io.leapnbd.bypass.path.SlabLosses;
import io.leapnbd.bypass.path.Versions;
import io.leapnbd.bypass.path.WriteOrder;
import io.leapnbd.bypass.path.WritePath;
import io.leapnbd.bypass.path.ZeroPath;
import io.leapnbd.bypass.takeover.Admissions;
import io.leapnbd.bypass.takeover.TakenExport;
import io.leapnbd.bypass.takeover.Takeover;
import io.leapnbd.donor.linux.SuspendedTime;
import io.leapnbd.donor.rdma.LocalMemory;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.prefetch.PageCache;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A block device whose pages live in the memory of donors.
 *
 * <p>What a write means here: it is acknowledged when the donor that holds its slab has it. Donors keep slabs while the server
 * is away, so a server that is killed and started again serves the same pages. A page whose donor is gone is an I/O error
 * until it is written anew, never zeros.
 */
public final class RemoteDevice implements BlockDevice, AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(RemoteDevice.class);

    private final RemoteDeviceContext context;
    private final TakenExport taken;
    private final AddressMap map;
    private final LinkSettings linkSettings;
    private final List<DonorConnector> connectors;
    private final List<Donor> donors;
    private final AtomicInteger lanes = new AtomicInteger();
    private final Versions versions;
    private final Arena cacheArena = Arena.ofShared();
    private final PageCache cache;
    private final FetchOwners fetchOwners;
    private final Prefetching prefetching;
    private final ConnectionNumbers connectionNumbers = new ConnectionNumbers();
    private final LatencyRecorders latencies = new LatencyRecorders();
    private final WriteOrder writeOrder;
    private final LocalMemory localMemory;
    private final SlabAllocator allocator;
    private final SlabLosses losses;
    private final PlacementChanges placing;
    private final SealFigures sealFigures;
    private final long memberTimeoutNanos;
    private final AtomicReference<@Nullable Repair> repair = new AtomicReference<>();
    private final NoteSpreader notes;
    private final Admissions admissions;
    private final Map<EventLoop, LoopPaths> loops = new ConcurrentHashMap<>();
    private final DonorEvents events;

    private RemoteDevice(
            RemoteDeviceContext context,
            TakenExport taken,
            List<DonorConnector> connectors,
            WriteOrder writeOrder,
            LocalMemory localMemory,
            DonorEvents events) {
        this.context = context;
        this.writeOrder = writeOrder;
        this.localMemory = localMemory;
        this.connectors = connectors;
        donors = connectors.stream().map(DonorConnector::donor).toList();
        this.events = events;
        this.taken = taken;
        map = new AddressMap(taken.state(), context.size(), Integer.numberOfTrailingZeros(taken.slabSize()));
        MemorySegment cacheMemory = cacheArena.allocate(context.cacheLimit(), PageCache.PAGE_SIZE);
        cache = new PageCache(cacheMemory);
        localMemory.add(cacheMemory.address(), cacheMemory.byteSize());
        context.bufferRegions().forEach(region -> localMemory.add(region.address(), region.length()));
        cache.resize((int) (context.cacheSize() / PageCache.PAGE_SIZE));
        fetchOwners = new FetchOwners(cache.capacity());
        prefetching = new Prefetching(
                context.size() / PageCache.PAGE_SIZE, context.prefetchPolicy(), context.prefetchSettings());
        versions = new Versions(taken.term());
        memberTimeoutNanos = context.memberTimeout().toNanos();
        allocator = new SlabAllocator(map, versions, context.machines(), taken.copies(), memberTimeoutNanos);
        sealFigures = new SealFigures(donors);
        losses = new SlabLosses(map, versions, donors, this::bytesLost, taken.note()::lose, this::thinned);
        placing = new PlacementChanges(map, versions, losses, memberTimeoutNanos, this::dropped);
        notes = new NoteSpreader(taken.note()::version, taken.note()::encode, donors.size());
        admissions = new Admissions(donors, taken.note(), notes::hasReached, new SuspendedTime());
        linkSettings = new LinkSettings(
                context.export(),
                taken.instance(),
                taken.content(),
                taken.term(),
                context.host(),
                context.owner(),
                taken.note()::encode,
                taken.note()::isGivenUp,
                taken.slabSize(),
                context.connectTimeout(),
                context.bulkWindow());
    }

    /**
     * Takes the export over from whoever served it before, and connects every loop of {@code group} to every donor. Blocks until
     * the donors that answered are connected.
     *
     * @param context concluded settings
     * @param group the event loops that connections will be served on, of Netty's epoll transport; a loop of another group
     *     connects when it opens its first queue
     * @throws IOException if the export cannot be served; the message is one sentence for the operator
     */
    public static RemoteDevice open(RemoteDeviceContext context, EventLoopGroup group) throws IOException {
        DonorEvents events = new DonorEvents();
        WriteOrder writeOrder = new WriteOrder();
        LocalMemory localMemory = new LocalMemory();
        List<DonorConnector> connectors = connectors(context, events, writeOrder, localMemory);
        int loops = 0;
        for (EventExecutor _ : group) {
            loops++;
        }
        TakenExport taken = new Takeover(context.takeover(loops), connectors).take();
        RemoteDevice device = new RemoteDevice(context, taken, connectors, writeOrder, localMemory, events);
        events.device = device;
        for (int i = 0; i < connectors.size(); i++) {
            connectors.get(i).donor().stand(taken.standings().get(i));
        }
        device.connect(group);
        return device;
    }

    private static List<DonorConnector> connectors(
            RemoteDeviceContext context, DonorEvents events, WriteOrder writeOrder, LocalMemory localMemory)
            throws IOException {
        SlabStore embedded = context.embedded();
        if (embedded != null) {
            return List.of(new LocalConnector(new Donor("embedded", events), embedded));
        }
        List<DonorConnector> connectors = new ArrayList<>();
        for (DonorAddress address : context.donors()) {
            Donor donor = new Donor(address.toString(), events);
            connectors.add(
                    switch (address.transport()) {
                        case TCP -> new TcpConnector(donor, address, context.connectTimeout(), context.buffers());
                        case RDMA ->
                            new RdmaConnector(
                                    donor,
                                    address,
                                    context.connectTimeout(),
                                    localMemory,
                                    writeOrder,
                                    context.busyPoll());
                    });
        }
        return connectors;
    }

    private void connect(EventLoopGroup group) throws IOException {
        List<EventLoop> members = new ArrayList<>();
        for (EventExecutor member : group) {
            members.add((EventLoop) member);
        }
        CountDownLatch opened = new CountDownLatch(members.size());
        // Not silent since the start began to wait for others.
        donors.forEach(donor -> donor.heard(System.nanoTime()));
        for (EventLoop loop : members) {
            loop.execute(() -> {
                enter(loop);
                opened.countDown();
            });
        }
        try {
            opened.await();
            awaitLinks(members.size());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** Waits, no longer than a connection may take, until every donor is connected to every loop. */
    private void awaitLinks(int loopCount) throws InterruptedException {
        long deadline = System.nanoTime() + context.connectTimeout().toNanos();
        while (donors.stream().anyMatch(donor -> donor.linksUp() < loopCount) && System.nanoTime() - deadline < 0) {
            Thread.sleep(1);
        }
    }

    @Override
    public long size() {
        return context.size();
    }

    @Override
    public String description() {
        return "leap-nbd remote memory, content=" + linkSettings.content();
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        LoopPaths mine = enter(loop);
        return new RemoteQueue(mine.loop, mine.pages, map, connectionNumbers);
    }

    /** What a loop owns of the device; made when it first comes. On that loop. */
    private LoopPaths enter(EventLoop loop) {
        return loops.computeIfAbsent(loop, this::paths);
    }

    private LoopPaths paths(EventLoop eventLoop) {
        int lane = lanes.getAndIncrement();
        long timeoutNanos = context.requestTimeout().toNanos();
        DonorLink[] links = new DonorLink[connectors.size()];
        for (int i = 0; i < links.length; i++) {
            links[i] = connectors.get(i).link(eventLoop, lane, linkSettings, timeoutNanos);
        }
        DeviceLoop loop = new DeviceLoop(
                eventLoop, latencies.openLoop(), links, context.embedded() != null, timeoutNanos, memberTimeoutNanos);
        loop.onTick(() -> notes.spread(loop));
        Mending mending =
                new Mending(loop, map, writeOrder, versions, losses, new PageSeals(map, writeOrder), sealFigures);
        Repair mine = new Repair(
                loop,
                this::deviceLoops,
                map,
                writeOrder,
                versions,
                allocator,
                placing,
                losses,
                mending,
                memberTimeoutNanos);
        if (repair.compareAndSet(null, mine)) {
            loop.onTick(mine::tick);
        }
        ReadPath reads = new ReadPath(loop, map, losses, writeOrder, mending);
        WritePath writes = new WritePath(loop, map, losses, writeOrder, versions, allocator, placing, mending);
        CachedPages pages = new CachedPages(
                loop,
                reads,
                writes,
                new ZeroPath(loop, map, losses, writeOrder, versions, allocator, placing, writes),
                cache,
                prefetching,
                new PageFetches(loop, map, reads, writeOrder, mending, cache, prefetching, fetchOwners));
        return new LoopPaths(loop, pages);
    }

    private record LoopPaths(DeviceLoop loop, CachedPages pages) {}

    private Collection<DeviceLoop> deviceLoops() {
        return loops.values().stream().map(LoopPaths::loop).toList();
    }

    /** Random number of the contents: another one means that the device was begun anew, blank. */
    public UUID content() {
        return linkSettings.content();
    }

    /** This server's number among those of the export. */
    public long term() {
        return linkSettings.term();
    }

    /** What is known of the donors, in the order of the settings. */
    public List<Donor> donors() {
        return donors;
    }

    /** Where the pages are. */
    public AddressMap map() {
        return map;
    }

    /** The prefetched pages. */
    public PageCache cache() {
        return cache;
    }

    /** What decides about prefetches. */
    public Prefetching prefetching() {
        return prefetching;
    }

    /** Latencies of all loops. */
    public LatencyRecorders latencies() {
        return latencies;
    }

    /** The recorders of one loop, for whoever measures a request from end to end on it. */
    public LoopLatencies latencies(EventLoop loop) {
        LoopPaths mine = loops.get(loop);
        if (mine == null) {
            throw new IllegalArgumentException("the event loop is none of the device's group");
        }
        return mine.loop.latencies();
    }

    /** How many copies a slab has, where donors have room. */
    public int copies() {
        return taken.copies();
    }

    /** Copies of slabs that were dropped because their donors did not answer. */
    public long copiesDropped() {
        return placing.drops();
    }

    /** Copies of slabs that were filled while the device was in use. */
    public long copiesFilled() {
        Repair working = repair.get();
        return working == null ? 0 : working.filled();
    }

    /** Bytes that were copied for them. */
    public long copiesFilledBytes() {
        Repair working = repair.get();
        return working == null ? 0 : working.filledBytes();
    }

    /** Copies of slabs that went from donors that wanted memory back. */
    public long copiesMoved() {
        Repair working = repair.get();
        return working == null ? 0 : working.moved();
    }

    /** Slabs that donors have back because nothing is in them any more. */
    public long slabsGivenBack() {
        Repair working = repair.get();
        return working == null ? 0 : working.givenBack();
    }

    /** Whether a donor wants memory back, and no other had room when it was last looked for. */
    public boolean noRoomToMove() {
        Repair working = repair.get();
        return working != null && working.noRoomToMove();
    }

    /** What came from donors that was not what was written there. */
    public SealFigures sealFigures() {
        return sealFigures;
    }

    /** Writes that failed because no donor had room. */
    public long allocationFailures() {
        return allocator.failures();
    }

    /**
     * Completes, with the donor that said so, when a newer server has claimed the export. This one must then drop its clients'
     * connections at once, so that they find the newer one.
     */
    public CompletableFuture<Donor> fenced() {
        return events.fenced;
    }

    /**
     * Completes, with the donor that was met last, when every donor has restarted and not all of them ended before this server's eyes. It
     * cannot tell any more whether it owns the export, and never will: every request fails from then on.
     */
    public CompletableFuture<Donor> stranded() {
        return events.stranded;
    }

    /** Ends all links; requests in flight fail. The donors keep the slabs for their lease. */
    @Override
    public void close() throws IOException {
        CountDownLatch closed = new CountDownLatch(loops.size());
        loops.forEach((loop, mine) -> {
            Runnable close = () -> {
                mine.loop.close();
                closed.countDown();
            };
            try {
                loop.execute(close);
            } catch (RejectedExecutionException e) {
                // The loop has ended, and its connections with it: what is left belongs to nobody.
                close.run();
            }
        });
        try {
            closed.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        localMemory.close();
        taken.state().close();
        taken.locked().close();
        cacheArena.close();
    }

    /** What the cache has of a range is not to be given out any more. */
    private void bytesLost(long offset, long length) {
        long page = offset / PageCache.PAGE_SIZE;
        long count = length / PageCache.PAGE_SIZE;
        cache.beginWrite(page, count);
        cache.endWrite(page, count);
    }

    private void thinned(int slab) {
        Repair working = repair.get();
        if (working != null) {
            working.thinned(slab);
        }
    }

    private void dropped(PlacementChanges.Dropped copy) {
        Repair working = repair.get();
        if (working != null) {
            working.dropped(copy);
        }
    }

    private void donorLost(Donor donor, UUID gone, UUID found, boolean seen) {
        if (!seen) {
            admissions.missedEnd();
        }
        long pages = losses.restarted(donors.indexOf(donor), gone);
        String what = gone.equals(found) ? "has given the slabs away, as the lease had run out" : "has restarted";
        if (pages == 0) {
            LOG.warn("donor {} {}; no written page is lost", donor, what);
        } else {
            LOG.error("donor {} {}: {} written pages are lost; reading one is an I/O error", donor, what, pages);
        }
        taken.note().remove(gone);
        taken.state().removeDonor(gone);
    }

    private void donorClaimed(Donor donor, UUID found, long epoch) {
        taken.state().putDonor(new StateFile.DonorRow(found, donor.name(), epoch, taken.instance()));
    }

    /** Passes on what donors tell. */
    private static final class DonorEvents implements Donor.Listener {

        private final CompletableFuture<Donor> fenced = new CompletableFuture<>();
        private final CompletableFuture<Donor> stranded = new CompletableFuture<>();
        private volatile @Nullable RemoteDevice device;

        @Override
        public void donorLost(Donor donor, UUID gone, UUID found, boolean seen) {
            present().donorLost(donor, gone, found, seen);
        }

        @Override
        public boolean isElsewhere(Donor donor, UUID found) {
            return present().donors.stream().anyMatch(other -> other != donor && found.equals(other.incarnation()));
        }

        @Override
        public boolean isGivenUpAddress(Donor donor) {
            return present().taken.note().isGivenUpAddress(donor.name());
        }

        @Override
        public void givenUp(Donor donor, UUID found) {
            if (!present().taken.note().isGivenUp(found)) {
                present().taken.note().giveUp(found);
            }
        }

        @Override
        public @Nullable String admit(Donor donor, UUID found) {
            Admissions admissions = present().admissions;
            String why = admissions.admit(donor, found);
            if (why != null && admissions.stranded()) {
                stranded.complete(donor);
            }
            return why;
        }

        @Override
        public void donorClaiming(Donor donor, UUID found) {
            present().taken.note().add(found, donor.name());
        }

        @Override
        public void donorClaimed(Donor donor, UUID found, long epoch) {
            present().donorClaimed(donor, found, epoch);
        }

        /** Somebody else has the name now, at every donor. */
        @Override
        public void foreign(Donor donor) {
            if (present().donors.stream().allMatch(Donor::foreign)) {
                fenced.complete(donor);
            }
        }

        @Override
        public void fenced(Donor donor) {
            fenced.complete(donor);
        }

        /** No link is opened before the device is there. */
        private RemoteDevice present() {
            RemoteDevice there = device;
            if (there == null) {
                throw new IllegalStateException("a link was opened before the device");
            }
            return there;
        }
    }
}
