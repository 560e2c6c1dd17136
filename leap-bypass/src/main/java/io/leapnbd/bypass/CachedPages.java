package io.leapnbd.bypass;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.link.DonorLink;
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
import java.util.concurrent.RejectedExecutionException;
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

    /** Fetches that a loop has on the way or in its links' queues at most; a longer queue would only deliver too late. */
    private static final int MAX_FETCHES = 256;

    /** Slots are numbered below 2^24, pages below 2^40. */
    private static final int SLOT_BITS = 24;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final PageCache cache;
    private final Prefetching prefetching;
    private final FetchOwners owners;
    private final ByteBuf[] windows;
    private final ArrayDeque<PageWaiter> freeWaiters = new ArrayDeque<>();
    private final LinkCompletion fetched = this::fetched;
    private final Runnable decide = this::decide;

    /** This loop's fetches by the slot that they go to. */
    private final @Nullable LinkRequest[] fetches;

    private int fetching;
    private boolean decideScheduled;

    CachedPages(DeviceLoop loop, RemoteDevice device) {
        this.loop = loop;
        map = device.map();
        cache = device.cache();
        prefetching = device.prefetching();
        owners = device.fetchOwners();
        fetches = new LinkRequest[cache.capacity()];
        long size = cache.arena().byteSize();
        windows = new ByteBuf[(int) ((size + WINDOW - 1) / WINDOW)];
        for (int i = 0; i < windows.length; i++) {
            long at = (long) i * WINDOW;
            windows[i] = Unpooled.wrappedBuffer(
                    cache.arena().asSlice(at, Math.min(WINDOW, size - at)).asByteBuffer());
        }
    }

    /** Reads a range that lies in one slab and fits one frame, for the client's connection of a number. */
    void read(ClientRequest client, int connection, long offset, int length, ByteBuf into, int index) {
        boolean told = prefetching.active();
        if (!told && cache.isEmpty()) {
            loop.read(client, offset, length, into, index);
            return;
        }
        long begin = System.nanoTime();
        long end = offset + length;
        long missFrom = offset;
        long at = offset;
        while (at < end) {
            long next = Math.min(end, (at | (PAGE - 1)) + 1);
            if (next - at == PAGE) {
                boolean served = serve(client, at, into, index + (int) (at - offset), begin);
                if (served) {
                    readMissed(client, missFrom, at, into, index + (int) (missFrom - offset));
                    missFrom = next;
                }
                if (told) {
                    prefetching.demanded(
                            at >>> Protocol.PAGE_SHIFT,
                            (int) ((end - at) >>> Protocol.PAGE_SHIFT),
                            served,
                            connection,
                            begin);
                }
            }
            at = next;
        }
        if (told) {
            scheduleDecision();
        }
        loop.latencies.record(Operation.READ, Stage.LOOKUP, System.nanoTime() - begin);
        readMissed(client, missFrom, end, into, index + (int) (missFrom - offset));
    }

    /**
     * Fetches whole pages of a range that a donor has, behind all demands: looks at so many, and at no more when enough fetches
     * are under way.
     *
     * @return where to go on; {@code end} when that is all, or all that the cache has room for
     */
    long prefetch(long offset, long end, int pages) {
        long at = (offset + PAGE - 1) & -PAGE;
        for (int i = 0; at + PAGE <= end; i++, at += PAGE) {
            if (i == pages || fetching >= MAX_FETCHES) {
                return at;
            }
            Mapping mapping = loop.mappingOfWritten(at);
            if (mapping != null) {
                int slot = cache.claim(at >>> Protocol.PAGE_SHIFT);
                if (slot == PageCache.NO_ROOM) {
                    return end;
                }
                if (slot >= 0) {
                    fetch(slot, at, mapping);
                }
            }
        }
        return end;
    }

    /** Tells the policy of a client's write or trim. */
    void written(int connection, long offset, long length, long nanos) {
        if (prefetching.active()) {
            prefetching.written(
                    offset >>> Protocol.PAGE_SHIFT,
                    (int) Math.min(Integer.MAX_VALUE, pages(offset, length)),
                    connection,
                    nanos);
            scheduleDecision();
        }
    }

    /** What the policy wants fetched; pages that no donor has are left out. */
    void prefetch(long[] candidates, int count) {
        for (int i = 0; i < count; i++) {
            if (fetching >= MAX_FETCHES) {
                prefetching.heldBack(count - i);
                return;
            }
            long offset = candidates[i] << Protocol.PAGE_SHIFT;
            Mapping mapping = loop.mappingOfWritten(offset);
            if (mapping != null) {
                int slot = cache.claim(candidates[i]);
                if (slot == PageCache.NO_ROOM) {
                    return;
                }
                if (slot >= 0) {
                    fetch(slot, offset, mapping);
                }
            }
        }
    }

    /** Decides at the end of this turn of the loop, when all demands have left and all replies too. */
    private void scheduleDecision() {
        if (!decideScheduled) {
            decideScheduled = true;
            loop.eventLoop.execute(decide);
        }
    }

    private void decide() {
        decideScheduled = false;
        boolean more = prefetching.decide(this);
        loop.flush();
        if (more) {
            scheduleDecision();
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
    private boolean serve(ClientRequest client, long offset, ByteBuf into, int index, long now) {
        long page = offset >>> Protocol.PAGE_SHIFT;
        int found = cache.lookup(page);
        if (PageCache.isInFlight(found)) {
            PageWaiter waiter = freeWaiters.pollLast();
            if (waiter == null) {
                waiter = new PageWaiter();
            }
            client.addPart();
            waiter.expect(client, offset, into, index, now);
            int slot = PageCache.inFlightSlot(found);
            if (cache.await(slot, page, waiter)) {
                hurry(slot, page, waiter);
                return true;
            }
            waiter.forget();
            client.removePart();
            found = cache.lookup(page);
        }
        if (found < 0) {
            return false;
        }
        take(found, into, index, now);
        return true;
    }

    /**
     * Copies a page into the reply and gives its slot back. The reply has its bytes from here on, so the slot need not be kept
     * until it has left.
     *
     * @param demanded when the client asked for it; a page that came later than that was hit at once
     */
    private void take(int slot, ByteBuf into, int index, long demanded) {
        long at = cache.offset(slot);
        long published = cache.publishedAt(slot);
        into.setBytes(index, windows[(int) (at / WINDOW)], (int) (at % WINDOW), PAGE);
        if (cache.consume(slot)) {
            loop.latencies.record(Operation.PREFETCH, Stage.TIMELINESS, demanded - published);
        }
    }

    /** Has a fetch that a demand waits for go ahead of those that nobody waits for. */
    private void hurry(int slot, long page, PageWaiter waiter) {
        CachedPages owner = owners.get(slot);
        if (owner == this) {
            promote(slot, page);
        } else if (owner != null) {
            waiter.askToHurry(slot, page, owner);
        }
    }

    private void promote(int slot, long page) {
        LinkRequest fetch = fetches[slot];
        if (fetch != null && fetch.position >>> Protocol.PAGE_SHIFT == page && fetch.attachment != null) {
            ((DonorLink) fetch.attachment).promote(fetch);
        }
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
        request.startNanos = System.nanoTime();
        request.deadlineNanos = loop.deadline(request.startNanos);
        request.completion = fetched;
        DonorLink link = loop.link(mapping.donor());
        request.attachment = link;
        fetches[slot] = request;
        fetching++;
        owners.set(slot, this);
        // In this order: who begins to wait sees this loop, or is seen by it.
        request.background = !cache.awaited(slot);
        link.post(request);
    }

    private void fetched(LinkRequest request, long now) {
        int slot = (int) request.version;
        boolean ok = request.outcome == LinkRequest.Outcome.OK;
        if (ok) {
            loop.latencies.record(Operation.PREFETCH, Stage.QUEUE, request.postNanos - request.startNanos);
            loop.latencies.record(Operation.PREFETCH, Stage.LINK, now - request.postNanos);
            if (prefetching.active()) {
                // With whatever decision comes next; there is no hurry.
                prefetching.fetchTook(now - request.startNanos);
            }
        }
        fetches[slot] = null;
        fetching--;
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
        private long demanded;
        private int slot;

        private final Runnable hurry = this::hurry;

        /** Page and slot of the fetch to be hurried up; by the loop that waits, read by the one that fetches. */
        private volatile long wanted;

        void expect(ClientRequest waiting, long at, ByteBuf buffer, int bufferIndex, long now) {
            client = waiting;
            offset = at;
            into = buffer;
            index = bufferIndex;
            demanded = now;
        }

        /**
         * Asks the loop that fetches. When that gets to it, this may be waiting for another page already: then the first
         * fetch has ended, and to hurry the other one up instead is as well.
         */
        void askToHurry(int fetchSlot, long page, CachedPages owner) {
            wanted = page << SLOT_BITS | fetchSlot;
            try {
                owner.loop.eventLoop.execute(hurry);
            } catch (RejectedExecutionException e) {
                // That loop is closing, and ends its fetches as it does.
                return;
            }
        }

        private void hurry() {
            int fetchSlot = (int) wanted & ((1 << SLOT_BITS) - 1);
            CachedPages owner = owners.get(fetchSlot);
            if (owner != null && owner.loop.eventLoop.inEventLoop()) {
                owner.promote(fetchSlot, wanted >>> SLOT_BITS);
                owner.loop.flush();
            }
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
            long since = demanded;
            int found = slot;
            forget();
            if (found == PageCache.MISS) {
                loop.read(waiting, position, PAGE, buffer, at);
                loop.flush();
            } else {
                take(found, buffer, at, since);
            }
            waiting.endPart();
        }
    }
}
