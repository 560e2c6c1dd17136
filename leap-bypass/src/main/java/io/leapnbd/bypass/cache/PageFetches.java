package io.leapnbd.bypass.cache;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.WriteWatch;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.bypass.path.Mending;
import io.leapnbd.bypass.path.PageSeals;
import io.leapnbd.bypass.path.ReadPath;
import io.leapnbd.bypass.path.WriteOrder;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.prefetch.PageCache;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.jspecify.annotations.Nullable;

/**
 * One loop's fetches of pages into the cache.
 *
 * <p>A fetch that is under way when its page's bytes change or go away does not reach the cache: {@link PageCache} says why for
 * writes. For a slab that is lost the same holds, because a fetch claims its slot first and looks for the slab afterwards, and a loss
 * unmaps the slab first and empties slots afterwards: whichever comes second sees the other. And a write that failed, and that a donor may still do, keeps the
 * cache's rule that it has not ended: its pages are in doubt before it ends there, and pages in doubt are not fetched.
 *
 * <p>Every method is called on the loop, unless it says otherwise.
 */
public final class PageFetches {

    private static final int PAGE = Protocol.PAGE_SIZE;

    /** Arenas above this many bytes are looked at through several buffers. */
    private static final int WINDOW = 1 << 30;

    /** Fetches that a loop has on the way or in its links' queues at most; a longer queue would only deliver too late. */
    private static final int MAX_FETCHES = 256;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final ReadPath reads;
    private final WriteOrder order;
    private final PageSeals seals;
    private final Mending mending;
    private final PageCache cache;
    private final Prefetching prefetching;
    private final FetchOwners owners;
    private final ByteBuf[] windows;
    private final LinkCompletion fetched = this::fetched;

    /** This loop's fetches by the slot that they go to. */
    private final @Nullable LinkRequest[] fetches;

    private int fetching;

    /** One loop's. */
    public PageFetches(
            DeviceLoop loop,
            AddressMap map,
            ReadPath reads,
            WriteOrder order,
            Mending mending,
            PageCache cache,
            Prefetching prefetching,
            FetchOwners owners) {
        this.loop = loop;
        this.map = map;
        this.reads = reads;
        this.order = order;
        seals = mending.seals();
        this.mending = mending;
        this.cache = cache;
        this.prefetching = prefetching;
        this.owners = owners;
        fetches = new LinkRequest[cache.capacity()];
        long size = cache.arena().byteSize();
        windows = new ByteBuf[(int) ((size + WINDOW - 1) / WINDOW)];
        for (int i = 0; i < windows.length; i++) {
            long at = (long) i * WINDOW;
            windows[i] = Unpooled.wrappedBuffer(
                    cache.arena().asSlice(at, Math.min(WINDOW, size - at)).asByteBuffer());
        }
    }

    /** Whose fetches these are. Any thread. */
    DeviceLoop loop() {
        return loop;
    }

    /** Whether there are as many under way as may be. */
    boolean full() {
        return fetching >= MAX_FETCHES;
    }

    /** Fetches a page, if a donor has it and it is not in the cache; false if the cache has no room for any. */
    boolean fetch(long offset) {
        if (reads.holderOf(offset) == null) {
            return true;
        }
        int slot = cache.claim(offset >>> Protocol.PAGE_SHIFT);
        if (slot < 0) {
            return slot != PageCache.NO_ROOM;
        }
        // Again, now that the claim can be seen.
        Member holder = reads.holderOf(offset);
        if (holder == null || order.doubtful(offset, PAGE)) {
            cache.abort(slot);
        } else {
            post(slot, offset, holder);
        }
        return true;
    }

    private void post(int slot, long offset, Member holder) {
        LinkRequest request = loop.newRequest();
        long at = cache.offset(slot);
        request.about(io.leapnbd.donor.protocol.Operation.READ, holder, offset, map.within(offset), PAGE);
        request.tag = slot;
        request.stamp = order.stamp(offset, PAGE);
        request.buffer = windows[(int) (at / WINDOW)];
        request.bufferIndex = (int) (at % WINDOW);
        request.startNanos = System.nanoTime();
        request.deadlineNanos = loop.deadline(request.startNanos);
        Placement placement = map.placement(map.slabOf(offset));
        // A demand that waits for it must not wait for a silent donor while another has the page.
        request.spare = placement != null && placement.live() > 1;
        request.completion = fetched;
        fetches[slot] = request;
        fetching++;
        owners.set(slot, this);
        // In this order: who begins to wait sees this loop, or is seen by it.
        request.background = !cache.awaited(slot);
        loop.post(request, holder.donor());
    }

    private void fetched(LinkRequest request, long now) {
        int slot = request.tag;
        boolean ok = request.outcome == LinkRequest.Outcome.OK;
        if (ok) {
            loop.latencies().record(Operation.PREFETCH, Stage.QUEUE, request.postNanos - request.startNanos);
            loop.latencies().record(Operation.PREFETCH, Stage.LINK, now - request.postNanos);
            if (prefetching.active()) {
                // With whatever decision comes next; there is no hurry.
                prefetching.fetchTook(now - request.startNanos);
            }
        }
        ok = ok && fits(request);
        fetches[slot] = null;
        fetching--;
        loop.release(request);
        try {
            if (ok) {
                cache.publish(slot, now);
            } else {
                cache.abort(slot);
            }
        } catch (RuntimeException | Error e) {
            loop.defect(e);
        }
    }

    /** What does not fit does not reach the cache. If no write was near, it is the donor's fault. */
    private boolean fits(LinkRequest request) {
        ByteBuf bytes = request.buffer;
        long offset = request.position;
        if (bytes == null) {
            return false;
        }
        if (!seals.openSurely(offset, bytes, request.bufferIndex)) {
            if (request.stamp != WriteWatch.BUSY && order.undisturbed(offset, PAGE, request.stamp)) {
                mending.behindTheBack(offset, false);
            }
            return false;
        }
        return true;
    }

    /** The first byte from here on that may have been written: whole slabs that are nowhere are passed over. */
    long skipUnmapped(long offset, long end) {
        long at = offset;
        while (at < end && map.placement(map.slabOf(at)) == null) {
            at = (at | (map.slabSize() - 1)) + 1;
        }
        return at;
    }

    /** Has a fetch that a demand waits for go ahead of those that nobody waits for; whichever loop's it is. */
    void hurry(int slot, long page, PageWaiter waiter) {
        PageFetches owner = owners.get(slot);
        if (owner == this) {
            promote(slot, page);
        } else if (owner != null) {
            waiter.askToHurry(slot, page, owner);
        }
    }

    /** The same for one of this loop's, if it is still under way. */
    void promote(int slot, long page) {
        LinkRequest fetch = fetches[slot];
        if (fetch != null && fetch.where != null && fetch.position >>> Protocol.PAGE_SHIFT == page) {
            loop.link(fetch.where.donor()).promote(fetch);
        }
    }

    /** Copies a page out of its slot, which is pinned. */
    void copy(int slot, ByteBuf into, int index) {
        long at = cache.offset(slot);
        into.setBytes(index, windows[(int) (at / WINDOW)], (int) (at % WINDOW), PAGE);
    }
}
