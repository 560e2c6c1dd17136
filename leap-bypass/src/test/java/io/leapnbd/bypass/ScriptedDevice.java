package io.leapnbd.bypass;

import io.leapnbd.bypass.cache.CachedPages;
import io.leapnbd.bypass.cache.FetchOwners;
import io.leapnbd.bypass.cache.PageFetches;
import io.leapnbd.bypass.cache.Prefetching;
import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.cipher.LifeKeys;
import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.IgnoringListener;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.bypass.path.HedgeCounts;
import io.leapnbd.bypass.path.Mending;
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
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PageCache;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/** The data path of a device, whole, over donors that follow a script. */
final class ScriptedDevice implements BlockDevice, AutoCloseable {

    private final long size;
    private final long timeoutNanos;
    private final Arena arena = Arena.ofShared();
    private final LatencyRecorders latencies = new LatencyRecorders();
    private final WriteOrder order = new WriteOrder();
    private final Versions versions = new Versions(1);
    private final ConnectionNumbers numbers = new ConnectionNumbers();
    private final SlabLosses losses;
    private final long memberTimeoutNanos;
    final PlacementChanges placing;
    final SealFigures figures;

    /** Of the first loop only. */
    final List<Repair> repairs = new CopyOnWriteArrayList<>();

    private final Prefetching prefetching;
    private final FetchOwners owners;
    private final Map<EventLoop, Paths> loops = new ConcurrentHashMap<>();
    final ArrivalClock clock = new ArrivalClock();
    final StateFile state;
    final AddressMap map;
    final PageCache cache;
    final SlabAllocator allocator;
    final List<ScriptedStore> stores = new ArrayList<>();
    final List<ScriptedStore.Link> links = new ArrayList<>();

    private boolean stateClosed;

    private record Paths(DeviceLoop loop, ReadPath reads, CachedPages pages) {}

    ScriptedDevice(
            int slabs,
            int slabShift,
            int donors,
            long timeoutNanos,
            PrefetchPolicy policy,
            Random random,
            IntConsumer onLoss)
            throws IOException {
        this(slabs, slabShift, donors, 1, timeoutNanos, policy, random, onLoss);
    }

    /** With several copies of each slab; each donor is on a machine of its own. */
    ScriptedDevice(
            int slabs,
            int slabShift,
            int donors,
            int copies,
            long timeoutNanos,
            PrefetchPolicy policy,
            Random random,
            IntConsumer onLoss)
            throws IOException {
        this(slabs, slabShift, donors, copies, timeoutNanos, policy, random, onLoss, CipherKind.NONE);
    }

    /** With pages that are encrypted. */
    ScriptedDevice(
            int slabs,
            int slabShift,
            int donors,
            int copies,
            long timeoutNanos,
            PrefetchPolicy policy,
            Random random,
            IntConsumer onLoss,
            CipherKind cipher)
            throws IOException {
        size = (long) slabs << slabShift;
        this.timeoutNanos = timeoutNanos;
        state = StateFile.inMemory(size, slabShift, cipher);
        state.beginLife(LifeKeys.drawSecret());
        map = new AddressMap(state, size, slabShift);
        cache = new PageCache(arena.allocate(64L * PageCache.PAGE_SIZE, PageCache.PAGE_SIZE));
        cache.resize(64);
        owners = new FetchOwners(cache.capacity());
        prefetching = new Prefetching(size / PageCache.PAGE_SIZE, policy, LeapSettings.PUBLISHED);
        for (int i = 0; i < donors; i++) {
            stores.add(new ScriptedStore("donor " + i, listener(), random, clock, onLoss));
        }
        figures = new SealFigures(stores.stream().map(store -> store.donor).toList());
        losses = new SlabLosses(
                map,
                versions,
                stores.stream().map(store -> store.donor).toList(),
                this::lost,
                slab -> {},
                slab -> repairs.forEach(repair -> repair.thinned(slab)));
        memberTimeoutNanos = timeoutNanos / 8;
        allocator = new SlabAllocator(map, versions, IntStream.range(0, donors).toArray(), copies, memberTimeoutNanos);
        placing = new PlacementChanges(
                map, versions, losses, memberTimeoutNanos, copy -> repairs.forEach(repair -> repair.dropped(copy)));
    }

    private Donor.Listener listener() {
        return new IgnoringListener() {
            @Override
            public void donorLost(Donor donor, UUID gone, UUID found, boolean seen) {
                for (int i = 0; i < stores.size(); i++) {
                    if (stores.get(i).donor == donor) {
                        losses.restarted(i, gone);
                    }
                }
            }
        };
    }

    /** Reads that were asked of a second donor too, and so on. */
    HedgeCounts hedges() {
        return loops.values().stream().map(mine -> mine.reads().hedges()).reduce(HedgeCounts.NONE, HedgeCounts::plus);
    }

    private void lost(long offset, long length) {
        cache.beginWrite(offset / PageCache.PAGE_SIZE, length / PageCache.PAGE_SIZE);
        cache.endWrite(offset / PageCache.PAGE_SIZE, length / PageCache.PAGE_SIZE);
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public DeviceQueue open(EventLoop eventLoop) {
        Paths mine = loops.computeIfAbsent(eventLoop, this::paths);
        return new RemoteQueue(mine.loop, mine.pages, map, numbers);
    }

    private Paths paths(EventLoop eventLoop) {
        List<ScriptedStore.Link> fresh =
                stores.stream().map(store -> store.link(eventLoop)).toList();
        synchronized (links) {
            links.addAll(fresh);
        }
        DeviceLoop loop = new DeviceLoop(
                eventLoop,
                latencies.openLoop(),
                fresh.toArray(DonorLink[]::new),
                false,
                timeoutNanos,
                memberTimeoutNanos);
        Mending mending = new Mending(loop, map, order, versions, losses, placing, PageSeals.of(map, order), figures);
        synchronized (repairs) {
            if (repairs.isEmpty()) {
                Repair repair = new Repair(
                        loop,
                        () -> loops.values().stream().map(Paths::loop).toList(),
                        map,
                        order,
                        versions,
                        allocator,
                        placing,
                        losses,
                        mending,
                        memberTimeoutNanos);
                repairs.add(repair);
                loop.onTick(repair::tick);
            }
        }
        ReadPath reads = new ReadPath(loop, map, losses, order, mending);
        WritePath writes = new WritePath(loop, map, losses, order, versions, allocator, placing, mending);
        return new Paths(
                loop,
                reads,
                new CachedPages(
                        loop,
                        reads,
                        writes,
                        new ZeroPath(loop, map, losses, order, versions, allocator, placing, writes),
                        cache,
                        prefetching,
                        new PageFetches(loop, map, reads, order, mending, cache, prefetching, owners)));
    }

    /** After the event loops have ended. */
    @Override
    public void close() throws IOException {
        closeState();
        arena.close();
    }

    /** From here on nothing can be written down any more. */
    void closeState() throws IOException {
        if (!stateClosed) {
            stateClosed = true;
            state.close();
        }
    }
}
