package io.leapnbd.bypass;

import io.leapnbd.bypass.cache.CachedPages;
import io.leapnbd.bypass.cache.PageFetches;
import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.LoopLatencies;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.bypass.path.HedgeCounts;
import io.leapnbd.bypass.path.Mending;
import io.leapnbd.bypass.path.PageSeals;
import io.leapnbd.bypass.path.PlacementChanges;
import io.leapnbd.bypass.path.ReadPath;
import io.leapnbd.bypass.path.Repair;
import io.leapnbd.bypass.path.SlabAllocator;
import io.leapnbd.bypass.path.SlabLosses;
import io.leapnbd.bypass.path.Versions;
import io.leapnbd.bypass.path.WriteOrder;
import io.leapnbd.bypass.path.WritePath;
import io.leapnbd.bypass.path.ZeroPath;
import io.netty.channel.EventLoop;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * What each event loop has of a device: its links to the donors, and the ways that requests go. Made when a loop first comes. Any thread, except
 * where it says otherwise.
 */
final class DeviceLoops {

    private final SharedParts parts;
    private final LatencyRecorders latencies = new LatencyRecorders();
    private final AtomicInteger lanes = new AtomicInteger();
    private final AtomicReference<@Nullable Repair> repair = new AtomicReference<>();
    private final Map<EventLoop, LoopPaths> loops = new ConcurrentHashMap<>();

    /** No loop has come yet. */
    DeviceLoops(SharedParts parts) {
        this.parts = parts;
    }

    /**
     * What one loop has.
     *
     * @param lane its number
     * @param loop its links, pools and clock
     * @param reads the way to donors
     * @param pages the way of a client's request
     */
    record LoopPaths(int lane, DeviceLoop loop, ReadPath reads, CachedPages pages) {}

    /** What a loop owns of the device. On that loop. */
    LoopPaths enter(EventLoop loop) {
        LoopPaths known = loops.get(loop);
        if (known != null) {
            return known;
        }
        // So that a donor that is added meanwhile is among its links, once.
        synchronized (parts.donors()) {
            LoopPaths fresh = paths(loop);
            loops.put(loop, fresh);
            return fresh;
        }
    }

    private LoopPaths paths(EventLoop eventLoop) {
        int lane = lanes.getAndIncrement();
        DeviceLoop loop = new DeviceLoop(
                eventLoop,
                latencies.openLoop(),
                parts.donors().links(eventLoop, lane),
                parts.context().embedded() != null,
                parts.context().requestTimeout().toNanos(),
                parts.memberTimeoutNanos());
        loop.onTick(() -> parts.notes().spread(loop));
        AddressMap map = parts.map();
        WriteOrder writeOrder = parts.writeOrder();
        Versions versions = parts.versions();
        SlabLosses losses = parts.losses();
        SlabAllocator allocator = parts.allocator();
        PlacementChanges placing = parts.placing();
        Mending mending = new Mending(
                loop, map, writeOrder, versions, losses, placing, PageSeals.of(map, writeOrder), parts.sealFigures());
        Repair mine = new Repair(
                loop,
                this::all,
                map,
                writeOrder,
                versions,
                allocator,
                placing,
                losses,
                mending,
                parts.memberTimeoutNanos());
        if (repair.compareAndSet(null, mine)) {
            loop.onTick(mine::tick);
            parts.donors().home(loop, this, mine);
        }
        ReadPath reads = new ReadPath(loop, map, losses, writeOrder, mending);
        WritePath writes = new WritePath(loop, map, losses, writeOrder, versions, allocator, placing, mending);
        CachedPages pages = new CachedPages(
                loop,
                reads,
                writes,
                new ZeroPath(loop, map, losses, writeOrder, versions, allocator, placing, writes),
                parts.cache(),
                parts.prefetching(),
                new PageFetches(
                        loop,
                        map,
                        reads,
                        writeOrder,
                        mending,
                        parts.cache(),
                        parts.prefetching(),
                        parts.fetchOwners()));
        return new LoopPaths(lane, loop, reads, pages);
    }

    /** All that have come. */
    Collection<DeviceLoop> all() {
        return loops.values().stream().map(LoopPaths::loop).toList();
    }

    /** Opens each loop's link to a donor that was added, and runs {@code then} when all have. With the monitor of the donors. */
    void add(DonorConnector connector, Runnable then) {
        List<LoopPaths> each = List.copyOf(loops.values());
        AtomicInteger open = new AtomicInteger(each.size());
        for (LoopPaths one : each) {
            EventLoop eventLoop = one.loop().eventLoop();
            eventLoop.execute(() -> {
                one.loop().add(parts.donors().link(connector, eventLoop, one.lane()));
                if (open.decrementAndGet() == 0) {
                    then.run();
                }
            });
        }
    }

    /** What was asked of donors for reads in addition. */
    HedgeCounts hedges() {
        return loops.values().stream().map(mine -> mine.reads().hedges()).reduce(HedgeCounts.NONE, HedgeCounts::plus);
    }

    /** Latencies of all loops. */
    LatencyRecorders latencies() {
        return latencies;
    }

    /** The recorders of one loop, for whoever measures a request from end to end on it. */
    LoopLatencies latencies(EventLoop loop) {
        LoopPaths mine = loops.get(loop);
        if (mine == null) {
            throw new IllegalArgumentException("the event loop is none of the device's group");
        }
        return mine.loop().latencies();
    }

    /** What fills and moves copies; null before a loop has come. */
    @Nullable
    Repair repair() {
        return repair.get();
    }

    /** Ends all links; requests in flight fail. */
    void close() {
        CountDownLatch closed = new CountDownLatch(loops.size());
        loops.forEach((loop, mine) -> {
            Runnable close = () -> {
                mine.loop().close();
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
    }
}
