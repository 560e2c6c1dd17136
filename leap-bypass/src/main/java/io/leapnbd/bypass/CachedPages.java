package io.leapnbd.bypass;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Mapping;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.prefetch.PageCache;
import io.leapnbd.prefetch.Waiter;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * One loop's way through the cache of prefetched pages, which it shares with the others. A read takes from the cache what is
 * there, waits for what is on its way, and has the rest fetched by the loop in as few parts as it makes.
 *
 * <p>Every method is called on the loop; only the end of a fetch that another loop has issued arrives from elsewhere, and is
 * handed over.
 */
final class CachedPages {

    private static final int PAGE = Protocol.PAGE_SIZE;

    /** Arenas above this many bytes are looked at through several buffers. */
    private static final int WINDOW = 1 << 30;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final PageCache cache;
    private final ByteBuf[] windows;
    private final ArrayDeque<PageWaiter> freeWaiters = new ArrayDeque<>();
    private final LinkCompletion fetched = this::fetched;

    CachedPages(DeviceLoop loop, RemoteDevice device) {
        this.loop = loop;
        map = device.map();
        cache = device.cache();
        long size = cache.arena().byteSize();
        windows = new ByteBuf[(int) ((size + WINDOW - 1) / WINDOW)];
        for (int i = 0; i < windows.length; i++) {
            long at = (long) i * WINDOW;
            windows[i] = Unpooled.wrappedBuffer(
                    cache.arena().asSlice(at, Math.min(WINDOW, size - at)).asByteBuffer());
        }
    }

    /** Reads a range that lies in one slab and fits one frame. */
    void read(ClientRequest client, long offset, int length, ByteBuf into, int index) {
        if (cache.isEmpty()) {
            loop.read(client, offset, length, into, index);
            return;
        }
        long begin = System.nanoTime();
        long end = offset + length;
        long missFrom = offset;
        long at = offset;
        while (at < end) {
            long next = Math.min(end, (at | (PAGE - 1)) + 1);
            if (next - at == PAGE && serve(client, at, into, index + (int) (at - offset))) {
                readMissed(client, missFrom, at, into, index + (int) (missFrom - offset));
                missFrom = next;
            }
            at = next;
        }
        loop.latencies.record(Operation.READ, Stage.LOOKUP, System.nanoTime() - begin);
        readMissed(client, missFrom, end, into, index + (int) (missFrom - offset));
    }

    /** Fetches the whole pages of a range that a donor has, behind all demands. */
    void prefetch(long offset, long length) {
        long end = offset + length;
        for (long at = (offset + PAGE - 1) & -PAGE; at + PAGE <= end; at += PAGE) {
            Mapping mapping = loop.mappingOfWritten(at);
            if (mapping != null) {
                int slot = cache.claim(at >>> Protocol.PAGE_SHIFT);
                if (slot == PageCache.NO_ROOM) {
                    return;
                }
                if (slot >= 0) {
                    fetch(slot, at, mapping);
                }
            }
        }
    }

    void beginWrite(long offset, long length) {
        cache.beginWrite(offset >>> Protocol.PAGE_SHIFT, pages(offset, length));
    }

    void endWrite(long offset, long length) {
        cache.endWrite(offset >>> Protocol.PAGE_SHIFT, pages(offset, length));
    }

    private static long pages(long offset, long length) {
        return ((offset + length + PAGE - 1) >>> Protocol.PAGE_SHIFT) - (offset >>> Protocol.PAGE_SHIFT);
    }

    private void readMissed(ClientRequest client, long from, long to, ByteBuf into, int index) {
        if (from < to) {
            loop.read(client, from, (int) (to - from), into, index);
        }
    }

    /** Whether the cache answers for a page: now, or when its fetch has ended. */
    private boolean serve(ClientRequest client, long offset, ByteBuf into, int index) {
        long page = offset >>> Protocol.PAGE_SHIFT;
        int found = cache.lookup(page);
        if (PageCache.isInFlight(found)) {
            PageWaiter waiter = freeWaiters.pollLast();
            if (waiter == null) {
                waiter = new PageWaiter();
            }
            client.addPart();
            waiter.expect(client, offset, into, index);
            if (cache.await(PageCache.inFlightSlot(found), page, waiter)) {
                return true;
            }
            waiter.forget();
            client.removePart();
            found = cache.lookup(page);
        }
        if (found < 0) {
            return false;
        }
        take(found, into, index);
        return true;
    }

    private void take(int slot, ByteBuf into, int index) {
        long at = cache.offset(slot);
        into.setBytes(index, windows[(int) (at / WINDOW)], (int) (at % WINDOW), PAGE);
        cache.consume(slot);
    }

    private void fetch(int slot, long offset, Mapping mapping) {
        LinkRequest request = loop.newRequest();
        long at = cache.offset(slot);
        request.operation = io.leapnbd.donor.protocol.Operation.READ;
        request.incarnation = mapping.incarnation();
        request.slab = mapping.handle();
        request.offset = map.within(offset);
        request.length = PAGE;
        request.version = slot;
        request.position = offset;
        request.buffer = windows[(int) (at / WINDOW)];
        request.bufferIndex = (int) (at % WINDOW);
        request.background = true;
        request.startNanos = System.nanoTime();
        request.deadlineNanos = loop.deadline(request.startNanos);
        request.completion = fetched;
        loop.link(mapping.donor()).post(request);
    }

    private void fetched(LinkRequest request, long now) {
        int slot = (int) request.version;
        boolean ok = request.outcome == LinkRequest.Outcome.OK;
        loop.release(request);
        if (ok) {
            cache.publish(slot, now);
        } else {
            cache.abort(slot);
        }
    }

    /** A page of a client's read whose fetch is on its way. Pooled by the loop that waits. */
    private final class PageWaiter extends Waiter implements Runnable {

        private @Nullable ClientRequest client;
        private long offset;
        private @Nullable ByteBuf into;
        private int index;
        private int slot;

        void expect(ClientRequest waiting, long at, ByteBuf buffer, int bufferIndex) {
            client = waiting;
            offset = at;
            into = buffer;
            index = bufferIndex;
        }

        void forget() {
            client = null;
            into = null;
            freeWaiters.addLast(this);
        }

        @Override
        protected void fetchEnded(int found) {
            slot = found;
            if (loop.eventLoop.inEventLoop()) {
                run();
            } else {
                loop.eventLoop.execute(this);
            }
        }

        @Override
        public void run() {
            ClientRequest waiting = client;
            ByteBuf buffer = into;
            if (waiting == null || buffer == null) {
                throw new IllegalStateException("woken without having waited");
            }
            int at = index;
            long position = offset;
            int found = slot;
            forget();
            if (found == PageCache.MISS) {
                loop.read(waiting, position, PAGE, buffer, at);
                loop.flush();
            } else {
                take(found, buffer, at);
            }
            waiting.endPart();
        }
    }
}
