package io.leapnbd.bypass.cache;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.path.ClientRequest;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.bypass.path.ReadPath;
import io.leapnbd.bypass.path.WritePath;
import io.leapnbd.bypass.path.ZeroPath;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.prefetch.PageCache;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;

/**
 * One loop's way through the cache of prefetched pages, which it shares with the others. A read takes from the cache what is
 * there, waits for what is on its way, and has the rest read from donors in as few parts as it makes. Whatever changes pages goes
 * through here too, and keeps them out of the cache while it does.
 *
 * <p>Every method is called on the loop.
 */
public final class CachedPages {

    private static final int PAGE = Protocol.PAGE_SIZE;

    private final DeviceLoop loop;
    private final ReadPath reads;
    private final WritePath writes;
    private final ZeroPath zeros;
    private final PageCache cache;
    private final Prefetching prefetching;
    private final PageFetches fetches;
    private final ArrayDeque<PageWaiter> freeWaiters = new ArrayDeque<>();
    private final ClientRequest.ChangeEnd changeEnd = this::endChange;
    private final Runnable decide = this::decide;
    private boolean decideScheduled;

    /** In front of one loop's paths. */
    public CachedPages(
            DeviceLoop loop,
            ReadPath reads,
            WritePath writes,
            ZeroPath zeros,
            PageCache cache,
            Prefetching prefetching,
            PageFetches fetches) {
        this.loop = loop;
        this.reads = reads;
        this.writes = writes;
        this.zeros = zeros;
        this.cache = cache;
        this.prefetching = prefetching;
        this.fetches = fetches;
    }

    /** Reads a range that lies in one slab and fits one frame, for the client's connection of a number. */
    public void read(ClientRequest client, int connection, long offset, int length, ByteBuf into, int index) {
        boolean told = prefetching.active();
        if (!told && cache.isEmpty()) {
            reads.read(client, offset, length, into, index);
            return;
        }
        // Without a proof that this server is still the owner a cached page may be old, and the donor is asked.
        boolean served = loop.lease().valid(client.startNanos());
        long begin = System.nanoTime();
        long end = offset + length;
        long missFrom = offset;
        long at = offset;
        while (at < end) {
            long next = Math.min(end, (at | (PAGE - 1)) + 1);
            if (next - at == PAGE) {
                boolean hit = served && serve(client, at, into, index + (int) (at - offset), begin);
                if (hit) {
                    readMissed(client, missFrom, at, into, index + (int) (missFrom - offset));
                    missFrom = next;
                }
                if (told && !prefetching.announced().take(at >>> Protocol.PAGE_SHIFT)) {
                    prefetching.demanded(
                            at >>> Protocol.PAGE_SHIFT,
                            (int) ((end - at) >>> Protocol.PAGE_SHIFT),
                            hit,
                            connection,
                            begin);
                }
            }
            at = next;
        }
        if (told) {
            scheduleDecision();
        }
        loop.latencies().record(Operation.READ, Stage.LOOKUP, System.nanoTime() - begin);
        readMissed(client, missFrom, end, into, index + (int) (missFrom - offset));
    }

    private void readMissed(ClientRequest client, long from, long to, ByteBuf into, int index) {
        if (from < to) {
            reads.read(client, from, (int) (to - from), into, index);
        }
    }

    /**
     * Takes note that a client's request changes the pages of a range, of any length: they leave the cache, and stay out of it until
     * the request has ended. Once for a request, before its first {@link #write} or {@link #zero}.
     */
    public void beginChange(ClientRequest client, long offset, long length) {
        long first = offset >>> Protocol.PAGE_SHIFT;
        long count = pages(offset, length);
        client.changes(changeEnd, offset, length);
        cache.beginWrite(first, count);
    }

    private void endChange(long offset, long length) {
        cache.endWrite(offset >>> Protocol.PAGE_SHIFT, pages(offset, length));
    }

    /** Tells the policy of a client's write or trim. */
    public void changed(int connection, long offset, long length, long nanos) {
        if (prefetching.active()) {
            prefetching.written(
                    offset >>> Protocol.PAGE_SHIFT,
                    (int) Math.min(Integer.MAX_VALUE, pages(offset, length)),
                    connection,
                    nanos);
            scheduleDecision();
        }
    }

    /** Writes a range that lies in one slab and fits one frame, of a change that has begun. */
    public void write(ClientRequest client, long offset, int length, ByteBuf from, int index) {
        writes.write(client, offset, length, from, index);
    }

    /** Makes a range of one slab read as zeros, of a change that has begun; see {@link ZeroPath#zero}. */
    public void zero(ClientRequest client, long offset, int length, boolean allocate, boolean exact) {
        zeros.zero(client, offset, length, allocate, exact);
    }

    /**
     * Whether a range of one slab reads as zeros, and this loop may say so, because the slab is nowhere. The cache has no page of
     * such a range: it is told of every loss and every change.
     */
    public boolean zeroAnyway(ClientRequest client, long offset, int length) {
        return zeros.unmappedAndBlank(offset, length) && loop.lease().valid(client.startNanos());
    }

    private static long pages(long offset, long length) {
        return ((offset + length + PAGE - 1) >>> Protocol.PAGE_SHIFT) - (offset >>> Protocol.PAGE_SHIFT);
    }

    /**
     * Fetches the whole pages of a range that a donor has, behind all demands: so many at most, and no more when enough fetches are
     * under way. The client has said that it will read them, and the policy learns nothing when it does.
     *
     * @return where to go on; {@code end} when that is all, or all that the cache has room for
     */
    public long prefetch(long offset, long end, int pages) {
        long at = fetches.skipUnmapped((offset + PAGE - 1) & -PAGE, end);
        for (int i = 0; at + PAGE <= end; i++) {
            if (i == pages || fetches.full()) {
                return at;
            }
            if (prefetching.active()) {
                prefetching.announced().add(at >>> Protocol.PAGE_SHIFT);
            }
            if (!fetches.fetch(at)) {
                return end;
            }
            at = fetches.skipUnmapped(at + PAGE, end);
        }
        return end;
    }

    /** What the policy wants fetched; pages that no donor has are left out. */
    void prefetch(long[] candidates, int count) {
        for (int i = 0; i < count; i++) {
            if (fetches.full()) {
                prefetching.heldBack(count - i);
                return;
            }
            if (!fetches.fetch(candidates[i] << Protocol.PAGE_SHIFT)) {
                return;
            }
        }
    }

    /** Decides at the end of this turn of the loop, when all demands have left and all replies too. */
    private void scheduleDecision() {
        if (!decideScheduled) {
            decideScheduled = true;
            loop.eventLoop().execute(decide);
        }
    }

    /** What does not fit into one turn goes on in the next iteration: a loop takes up plain tasks before its sockets. */
    private void decide() {
        decideScheduled = false;
        boolean more = prefetching.decide(this);
        loop.flush();
        if (more && !decideScheduled) {
            decideScheduled = true;
            loop.steps().add(decide);
        }
    }

    /** Whether the cache answers for a page: now, or when its fetch has ended. */
    private boolean serve(ClientRequest client, long offset, ByteBuf into, int index, long now) {
        long page = offset >>> Protocol.PAGE_SHIFT;
        int found = cache.lookup(page);
        if (PageCache.isInFlight(found)) {
            PageWaiter waiter = freeWaiters.pollLast();
            if (waiter == null) {
                waiter = new PageWaiter(this, loop);
            }
            client.addPart();
            waiter.expect(client, offset, into, index, now);
            int slot = PageCache.inFlightSlot(found);
            if (cache.await(slot, page, waiter)) {
                fetches.hurry(slot, page, waiter);
                return true;
            }
            waiter.forget();
            freeWaiters.addLast(waiter);
            client.removePart();
            found = cache.lookup(page);
        }
        if (PageCache.isInFlight(found) || found == PageCache.MISS) {
            return false;
        }
        take(found, into, index, now);
        return true;
    }

    /** A fetch has ended that a read waited for: takes the page, or has it read. */
    void fetchEnded(
            PageWaiter waiter, ClientRequest client, long offset, ByteBuf into, int index, int slot, long demanded) {
        freeWaiters.addLast(waiter);
        try {
            if (slot == PageCache.MISS) {
                reads.read(client, offset, PAGE, into, index);
                loop.flush();
            } else if (loop.lease().valid(client.startNanos())) {
                take(slot, into, index, demanded);
            } else {
                // The donor may have answered before the client asked, and the page may be another server's since.
                cache.release(slot);
                reads.read(client, offset, PAGE, into, index);
                loop.flush();
            }
        } catch (RuntimeException | Error e) {
            client.fail(e);
        }
        client.endPart();
    }

    /**
     * Copies a page into the reply and gives its slot back. The reply has its bytes from here on, so the slot need not be kept
     * until it has left.
     *
     * @param demanded when the client asked for it; a page that came later than that was hit at once
     */
    private void take(int slot, ByteBuf into, int index, long demanded) {
        long published = cache.publishedAt(slot);
        fetches.copy(slot, into, index);
        if (cache.consume(slot)) {
            loop.latencies().record(Operation.PREFETCH, Stage.TIMELINESS, demanded - published);
        }
    }
}
