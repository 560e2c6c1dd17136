package io.leapnbd.bypass;

import io.leapnbd.bypass.latency.LoopLatencies;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Mapping;
import io.leapnbd.bypass.map.Slab;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What one event loop owns of a {@link RemoteDevice}: its links, its pools, its recorders; and the bypass path itself. A part
 * of a request is looked up and posted on its link in the turn in which it was decoded; its completion runs in the turn in
 * which the donor's reply arrives. Nothing is handed to another thread, and once the pools are filled nothing is allocated.
 *
 * <p>Every method is called on the loop.
 */
final class DeviceLoop {

    private static final long TICK_MILLIS = 50;
    private static final long ORDER_WAIT_MICROS = 200;
    private static final long FENCED_GRACE_MILLIS = 1_000;

    final EventLoop eventLoop;
    final LoopLatencies latencies;

    private final RemoteDevice device;
    private final AddressMap map;
    private final DonorLink[] links;
    private final ScheduledFuture<?> ticks;
    private final long timeoutNanos;
    private final ArrayDeque<LinkRequest> freeRequests = new ArrayDeque<>(256);
    private final ArrayDeque<ClientRequest> freeClients = new ArrayDeque<>(256);
    private final LinkCompletion partDone = this::partDone;
    private final CachedPages cached;
    private final RangeWalks walks;
    private final WriteOrder order;

    DeviceLoop(RemoteDevice device, EventLoop eventLoop, int lane, List<DonorConnector> connectors) {
        this.device = device;
        this.eventLoop = eventLoop;
        map = device.map();
        timeoutNanos = device.requestTimeoutNanos();
        latencies = device.latencies().openLoop();
        order = device.writeOrder();
        cached = new CachedPages(this, device);
        walks = new RangeWalks(this, eventLoop);
        links = new DonorLink[connectors.size()];
        for (int i = 0; i < links.length; i++) {
            links[i] = connectors.get(i).link(eventLoop, lane, device.linkSettings(), timeoutNanos);
        }
        ticks = eventLoop.scheduleAtFixedRate(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** The way of a read past the cache. */
    CachedPages cached() {
        return cached;
    }

    /** Requests about large ranges that are under way. */
    RangeWalks walks() {
        return walks;
    }

    int slabSize() {
        return map.slabSize();
    }

    DonorLink link(int donor) {
        return links[donor];
    }

    int links() {
        return links.length;
    }

    void close() {
        ticks.cancel(false);
        for (DonorLink link : links) {
            link.close();
        }
    }

    void flush() {
        for (DonorLink link : links) {
            link.flush();
        }
    }

    private void tick() {
        long now = System.nanoTime();
        for (DonorLink link : links) {
            link.tick(now);
        }
    }

    // Requests of clients.

    ClientRequest begin(Operation operation, Completion completion) {
        ClientRequest request = freeClients.pollLast();
        if (request == null) {
            request = new ClientRequest(this);
        }
        request.begin(operation, completion.submittedNanos(), completion);
        return request;
    }

    void release(ClientRequest request) {
        freeClients.addLast(request);
    }

    /** Reads a range that lies in one slab and fits one frame. */
    void read(ClientRequest client, long offset, int length, ByteBuf into, int index) {
        Slab slab = map.slabAt(offset);
        // In this order: a page that is being lost is marked lost before it stops being marked written.
        boolean written = map.anyWritten(offset, length);
        if (slab.damaged() && map.anyLost(offset, length)) {
            client.fail(NbdError.EIO);
            return;
        }
        if (!written) {
            into.setZero(index, length);
            return;
        }
        Mapping mapping = slab.mapping();
        if (mapping == null) {
            client.fail(NbdError.EIO);
            return;
        }
        LinkRequest request = request(client, io.leapnbd.donor.protocol.Operation.READ, mapping, offset, length);
        request.buffer = into;
        request.bufferIndex = index;
        links[mapping.donor()].post(request);
    }

    /** Writes a range that lies in one slab and fits one frame. */
    void write(ClientRequest client, long offset, int length, ByteBuf from, int index) {
        Slab slab = map.slabAt(offset);
        if (slab.damaged() && map.partlyLost(offset, length)) {
            client.fail(NbdError.EIO);
            return;
        }
        Mapping mapping = slab.mapping();
        if (mapping == null) {
            client.addPart();
            whenMapped(slab, client, () -> write(client, offset, length, from, index));
            return;
        }
        if (!order.begin(offset, length)) {
            tryAgain(client, () -> write(client, offset, length, from, index));
            return;
        }
        map.markWritten(offset, length);
        cached.beginWrite(offset, length);
        LinkRequest request = request(client, io.leapnbd.donor.protocol.Operation.WRITE, mapping, offset, length);
        request.buffer = from;
        request.bufferIndex = index;
        links[mapping.donor()].post(request);
    }

    /** Makes a range that lies in one slab read as zeros; {@code allocate} wants it to have memory afterwards. */
    void zero(ClientRequest client, long offset, int length, boolean allocate, boolean exact) {
        Slab slab = map.slabAt(offset);
        if (exact && slab.damaged() && map.partlyLost(offset, length)) {
            client.fail(NbdError.EIO);
            return;
        }
        Mapping mapping = slab.mapping();
        if (mapping == null) {
            zeroUnmapped(slab, client, offset, length, allocate, exact);
            return;
        }
        if (!order.begin(offset, length)) {
            tryAgain(client, () -> zero(client, offset, length, allocate, exact));
            return;
        }
        if (map.anyWritten(offset, length)) {
            cached.beginWrite(offset, length);
            links[mapping.donor()].post(
                    request(client, io.leapnbd.donor.protocol.Operation.TRIM, mapping, offset, length));
            return;
        }
        // What is not marked as written is zeros at its donor.
        boolean healed = !slab.damaged() || map.markHealed(slab, mapping, offset, length);
        order.end(offset, length);
        if (!healed) {
            tryAgain(client, () -> zero(client, offset, length, allocate, exact));
        }
    }

    private void zeroUnmapped(
            Slab slab, ClientRequest client, long offset, int length, boolean allocate, boolean exact) {
        boolean done = order.whileNothingIsWritten(offset, length, Long.MAX_VALUE, (from, bytes) -> {
            boolean still = slab.mapping() == null;
            if (still) {
                map.markBlank(from, bytes);
            }
            return still;
        });
        if (!done) {
            tryAgain(client, () -> zero(client, offset, length, allocate, exact));
        } else if (allocate) {
            client.addPart();
            whenMapped(slab, client, () -> {});
        }
    }

    /** Does a part of a request a little later: a write to one of its pages is under way that it must not overtake. */
    private void tryAgain(ClientRequest client, Runnable part) {
        if (System.nanoTime() - deadline(client.startNanos) >= 0) {
            client.fail(NbdError.EIO);
            return;
        }
        client.addPart();
        eventLoop.schedule(
                () -> {
                    part.run();
                    client.endPart();
                    flush();
                },
                ORDER_WAIT_MICROS,
                TimeUnit.MICROSECONDS);
    }

    // Requests to donors.

    LinkRequest newRequest() {
        LinkRequest request = freeRequests.pollLast();
        return request != null ? request : new LinkRequest();
    }

    void release(LinkRequest request) {
        request.clear();
        freeRequests.addLast(request);
    }

    long deadline(long startNanos) {
        return startNanos + timeoutNanos;
    }

    private LinkRequest request(ClientRequest client, byte operation, Mapping mapping, long offset, int length) {
        client.addPart();
        LinkRequest request = newRequest();
        request.operation = operation;
        request.incarnation = mapping.incarnation();
        request.slab = mapping.handle();
        request.offset = map.within(offset);
        request.length = length;
        // Drawn once the write has its pages, so that versions grow in the order in which writes to a page begin.
        if (operation == io.leapnbd.donor.protocol.Operation.READ) {
            request.version = 0;
        } else {
            request.version = device.nextVersion();
            order.began(offset, length, request.version);
        }
        request.position = offset;
        request.startNanos = client.startNanos;
        request.deadlineNanos = deadline(client.startNanos);
        request.completion = partDone;
        request.attachment = client;
        return request;
    }

    private void partDone(LinkRequest request, long now) {
        ClientRequest client = clientOf(request);
        if (request.operation != io.leapnbd.donor.protocol.Operation.READ) {
            cached.endWrite(request.position, request.length);
            if (request.outcome == LinkRequest.Outcome.UNREACHABLE) {
                order.doubt(request.position, request.length);
            }
            order.end(request.position, request.length);
        }
        switch (request.outcome) {
            case OK -> succeeded(request, client, now);
            case UNREACHABLE, REFUSED -> client.fail(NbdError.EIO);
            case NO_SPACE -> client.fail(NbdError.ENOSPC);
            case LOST -> {
                lost(request);
                client.fail(NbdError.EIO);
            }
            case FENCED -> {
                // The connections are being dropped; an error now would reach processes that the newer server can
                // serve.
                release(request);
                client.fail(NbdError.EIO);
                eventLoop.schedule(() -> client.endPart(), FENCED_GRACE_MILLIS, TimeUnit.MILLISECONDS);
                return;
            }
        }
        release(request);
        client.endPart(now);
    }

    private void succeeded(LinkRequest request, ClientRequest client, long now) {
        latencies.record(client.operation, Stage.QUEUE, request.postNanos - request.startNanos);
        latencies.record(client.operation, Stage.LINK, now - request.postNanos);
        if (request.operation == io.leapnbd.donor.protocol.Operation.READ) {
            return;
        }
        Slab slab = map.slabAt(request.position);
        if (slab.damaged()) {
            Mapping mapping = slab.mapping();
            if (mapping != null && isAt(request, mapping)) {
                boolean _ = map.markHealed(slab, mapping, request.position, request.length);
            }
        }
        if (request.operation == io.leapnbd.donor.protocol.Operation.TRIM) {
            // Now, not before: a page is called blank only when its donor does, whatever becomes of the request. Where
            // newer
            // writes are on their way pages stay marked as written, which costs a fetch of zeros.
            boolean _ =
                    order.whileNothingIsWritten(request.position, request.length, request.version, (offset, length) -> {
                        map.markBlank(offset, length);
                        return true;
                    });
        }
    }

    private void lost(LinkRequest request) {
        Slab slab = map.slabAt(request.position);
        Mapping mapping = slab.mapping();
        if (mapping != null && isAt(request, mapping)) {
            device.slabLost(slab, mapping);
        }
    }

    /** Where a page's bytes are to be had, if a donor has them. */
    @Nullable
    Mapping mappingOfWritten(long offset) {
        Slab slab = map.slabAt(offset);
        boolean written = map.anyWritten(offset, Protocol.PAGE_SIZE);
        return written && !(slab.damaged() && map.anyLost(offset, Protocol.PAGE_SIZE)) ? slab.mapping() : null;
    }

    private static boolean isAt(LinkRequest request, Mapping mapping) {
        return mapping.handle() == request.slab && mapping.incarnation().equals(request.incarnation);
    }

    private static ClientRequest clientOf(LinkRequest request) {
        Object client = request.attachment;
        if (client == null) {
            throw new IllegalStateException("a part of no client's request");
        }
        return (ClientRequest) client;
    }

    /** Runs {@code then}, and ends a part of {@code client}, when the slab has memory; or fails the part. */
    private void whenMapped(Slab slab, ClientRequest client, Runnable then) {
        boolean waits = slab.await(error -> onLoop(() -> {
            if (error == 0) {
                then.run();
            } else {
                client.fail(error);
            }
            client.endPart();
            flush();
        }));
        if (!waits) {
            then.run();
            client.endPart();
        } else if (slab.beginAllocation()) {
            device.allocator().allocate(slab, this, client.startNanos);
        }
    }

    private void onLoop(Runnable task) {
        if (eventLoop.inEventLoop()) {
            task.run();
        } else {
            eventLoop.execute(task);
        }
    }

    /**
     * The end of the largest part that begins at {@code offset}: no further than the slab, the frame and {@code end}. Parts end
     * where pages do, so that a page is never changed by two parts of one write, and thus by two writes of one version.
     */
    long endOfPart(long offset, long end, int limit) {
        long slabEnd = (offset | (map.slabSize() - 1)) + 1;
        return Math.min(Math.min(slabEnd, end), (offset + limit) & -Protocol.PAGE_SIZE);
    }

    /** Largest part of a read or a write, in bytes. */
    static int frameLimit() {
        return Protocol.MAX_PAYLOAD;
    }

    /** For messages. */
    @Override
    public @Nullable String toString() {
        return eventLoop.toString();
    }
}
