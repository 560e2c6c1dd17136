package io.leapnbd.bypass;

import io.leapnbd.bypass.cache.FetchOwners;
import io.leapnbd.bypass.cache.Prefetching;
import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.LoopLatencies;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.LinkSettings;
import io.leapnbd.bypass.link.SpillConnector;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.path.HedgeCounts;
import io.leapnbd.bypass.path.NoteSpreader;
import io.leapnbd.bypass.path.PlacementChanges;
import io.leapnbd.bypass.path.Repair;
import io.leapnbd.bypass.path.RepairProgress;
import io.leapnbd.bypass.path.SealFigures;
import io.leapnbd.bypass.path.SlabAllocator;
import io.leapnbd.bypass.path.SlabLosses;
import io.leapnbd.bypass.path.Versions;
import io.leapnbd.bypass.path.WriteOrder;
import io.leapnbd.bypass.spill.Spill;
import io.leapnbd.bypass.spill.SpillSettings;
import io.leapnbd.bypass.takeover.SlabSize;
import io.leapnbd.bypass.takeover.TakenExport;
import io.leapnbd.bypass.takeover.Takeover;
import io.leapnbd.donor.rdma.LocalMemory;
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
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * A block device whose pages live in the memory of donors.
 *
 * <p>What a write means here: it is acknowledged when the donor that holds its slab has it. Donors keep slabs while the server
 * is away, so a server that is killed and started again serves the same pages. A page whose donor is gone is an I/O error
 * until it is written anew, never zeros.
 */
public final class RemoteDevice implements BlockDevice, AutoCloseable {

    private final RemoteDeviceContext context;
    private final TakenExport taken;
    private final AddressMap map;
    private final LinkSettings linkSettings;
    private final DeviceDonors donors;
    private final @Nullable Spill spill;
    private final Arena cacheArena = Arena.ofShared();
    private final PageCache cache;
    private final Prefetching prefetching;
    private final ConnectionNumbers connectionNumbers = new ConnectionNumbers();
    private final LocalMemory localMemory;
    private final SlabAllocator allocator;
    private final PlacementChanges placing;
    private final SealFigures sealFigures;
    private final NoteSpreader notes;
    private final DeviceLoops loops;
    private final DonorEvents events;

    private RemoteDevice(
            RemoteDeviceContext context,
            TakenExport taken,
            Connectors connectors,
            List<DonorConnector> first,
            @Nullable Spill spill) {
        this.context = context;
        this.spill = spill;
        this.taken = taken;
        localMemory = connectors.localMemory();
        events = connectors.events();
        map = new AddressMap(taken.state(), context.size(), Integer.numberOfTrailingZeros(taken.slabSize()));
        MemorySegment cacheMemory = cacheArena.allocate(context.cacheLimit(), PageCache.PAGE_SIZE);
        cache = new PageCache(cacheMemory);
        localMemory.add(cacheMemory.address(), cacheMemory.byteSize());
        context.bufferRegions().forEach(region -> localMemory.add(region.address(), region.length()));
        cache.resize((int) (context.cacheSize() / PageCache.PAGE_SIZE));
        prefetching = new Prefetching(
                context.size() / PageCache.PAGE_SIZE, context.prefetchPolicy(), context.prefetchSettings());
        Versions versions = new Versions(taken.term());
        long memberTimeoutNanos = context.memberTimeout().toNanos();
        allocator = new SlabAllocator(map, versions, context.machinesAndSpill(), taken.copies(), memberTimeoutNanos);
        List<Donor> list = new CopyOnWriteArrayList<>();
        sealFigures = new SealFigures(list);
        SlabLosses losses = new SlabLosses(map, versions, list, this::bytesLost, taken.note()::lose, this::thinned);
        placing = new PlacementChanges(map, versions, losses, memberTimeoutNanos, this::dropped);
        notes = new NoteSpreader(taken.note()::version, taken.note()::encode);
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
        donors = new DeviceDonors(context, taken, linkSettings, map, losses, allocator, notes, list, connectors, first);
        loops = new DeviceLoops(new SharedParts(
                context,
                donors,
                map,
                cache,
                new FetchOwners(cache.capacity()),
                prefetching,
                versions,
                connectors.writeOrder(),
                allocator,
                losses,
                placing,
                sealFigures,
                notes,
                memberTimeoutNanos));
        events.of(donors);
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
        int loops = 0;
        for (EventExecutor _ : group) {
            loops++;
        }
        LocalMemory localMemory = new LocalMemory();
        Connectors connectors = new Connectors(
                context,
                new DonorEvents(),
                new WriteOrder(),
                localMemory,
                Connectors.frames(context, localMemory, loops));
        List<DonorConnector> first = new ArrayList<>(connectors.first());
        Spill spill = spill(context, first);
        boolean opened = false;
        try {
            if (spill != null) {
                first.add(new SpillConnector(Donor.ofLastResort(spill.name(), connectors.events()), spill));
            }
            TakenExport taken = new Takeover(context.takeover(loops), first).take();
            RemoteDevice device = new RemoteDevice(context, taken, connectors, first, spill);
            device.connect(group);
            opened = true;
            return device;
        } finally {
            if (!opened && spill != null) {
                spill.close();
            }
        }
    }

    /** The place of last resort, with slabs as large as those of the donors; null if there is to be none. */
    private static @Nullable Spill spill(RemoteDeviceContext context, List<DonorConnector> donors) throws IOException {
        SpillSettings settings = context.spill();
        if (settings == null) {
            return null;
        }
        Spill spill = Spill.open(settings, context.export());
        boolean begun = false;
        try {
            int held = spill.slabSizeHeld();
            spill.begin(held > 0 ? held : SlabSize.of(context.export(), donors, context.patience()));
            begun = true;
            return spill;
        } finally {
            if (!begun) {
                spill.close();
            }
        }
    }

    private void connect(EventLoopGroup group) throws IOException {
        List<EventLoop> members = new ArrayList<>();
        for (EventExecutor member : group) {
            members.add((EventLoop) member);
        }
        CountDownLatch opened = new CountDownLatch(members.size());
        // Not silent since the start began to wait for others.
        donors.list().forEach(donor -> donor.heard(System.nanoTime()));
        for (EventLoop loop : members) {
            loop.execute(() -> {
                loops.enter(loop);
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

    /** Waits, no longer than a connection may take, until every donor that has answered the claim is connected to every loop. */
    private void awaitLinks(int loopCount) throws InterruptedException {
        long deadline = System.nanoTime() + context.connectTimeout().toNanos();
        while (donors.list().stream().anyMatch(donor -> donor.standing().isClaimed() && donor.linksUp() < loopCount)
                && System.nanoTime() - deadline < 0) {
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
        DeviceLoops.LoopPaths mine = loops.enter(loop);
        return new RemoteQueue(mine.loop(), mine.pages(), map, connectionNumbers);
    }

    /** Random number of the contents: another one means that the device was begun anew, blank. */
    public UUID content() {
        return linkSettings.content();
    }

    /** This server's number among those of the export. */
    public long term() {
        return linkSettings.term();
    }

    /** What is known of the donors, by number: those of the settings, and then those that were added. Those that were removed are among them. */
    public List<Donor> donors() {
        return donors.list();
    }

    /** The donors, and how they are changed. */
    public DeviceDonors donorSet() {
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
        return loops.latencies();
    }

    /** The recorders of one loop, for whoever measures a request from end to end on it. */
    public LoopLatencies latencies(EventLoop loop) {
        return loops.latencies(loop);
    }

    /** The place of last resort; null if there is none. */
    public @Nullable Spill spill() {
        return spill;
    }

    /** How many copies a slab has, where donors have room. Changes with the donors, if nobody has asked for a number. */
    public int copies() {
        return allocator.copies();
    }

    /** Copies of slabs that were dropped because their donors did not answer. */
    public long copiesDropped() {
        return placing.drops();
    }

    /** Copies of slabs that were filled while the device was in use. */
    public long copiesFilled() {
        Repair working = loops.repair();
        return working == null ? 0 : working.progress().filled();
    }

    /** Bytes that were copied for them. */
    public long copiesFilledBytes() {
        Repair working = loops.repair();
        return working == null ? 0 : working.progress().filledBytes();
    }

    /** How far repair and moves are; null before there is a loop. */
    public @Nullable RepairProgress repairProgress() {
        Repair working = loops.repair();
        return working == null ? null : working.progress();
    }

    /** Copies of slabs that went from donors that wanted memory back. */
    public long copiesMoved() {
        Repair working = loops.repair();
        return working == null ? 0 : working.moved();
    }

    /** Of these, or on their way: those that go to where more memory is free. */
    public long copiesBalanced() {
        Repair working = loops.repair();
        return working == null ? 0 : working.balanced();
    }

    /** Slabs that donors have back because nothing is in them any more. */
    public long slabsGivenBack() {
        Repair working = loops.repair();
        return working == null ? 0 : working.givenBack();
    }

    /** Whether a donor wants memory back, and no other had room when it was last looked for. */
    public boolean noRoomToMove() {
        Repair working = loops.repair();
        return working != null && working.noRoomToMove();
    }

    /** Whether a later start has to hear a donor, by its place, before it goes on without this one's state file. */
    public boolean needsToHear(int donor) {
        return taken.note().namesAddress(donors.list().get(donor).name());
    }

    /** Whether every donor that is connected has the newest note. For tests. */
    boolean noteIsSpread() {
        for (int donor = 0; donor < donors.list().size(); donor++) {
            if (donors.list().get(donor).linksUp() > 0
                    && !notes.hasReached(donor, taken.note().version())) {
                return false;
            }
        }
        return true;
    }

    /** What came from donors that was not what was written there. */
    public SealFigures sealFigures() {
        return sealFigures;
    }

    /** What was asked of donors for reads beyond what clients asked for. */
    public HedgeCounts hedges() {
        return loops.hedges();
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
        return events.fenced();
    }

    /**
     * Completes, with the donor that was met last, when every donor has restarted and not all of them ended before this server's eyes. It
     * cannot tell any more whether it owns the export, and never will: every request fails from then on.
     */
    public CompletableFuture<Donor> stranded() {
        return events.stranded();
    }

    /** Ends all links; requests in flight fail. The donors keep the slabs for their lease. */
    @Override
    public void close() throws IOException {
        loops.close();
        localMemory.close();
        if (spill != null) {
            spill.close();
        }
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
        Repair working = loops.repair();
        if (working != null) {
            working.thinned(slab);
        }
    }

    private void dropped(PlacementChanges.Dropped copy) {
        Repair working = loops.repair();
        if (working != null) {
            working.dropped(copy);
        }
    }
}
