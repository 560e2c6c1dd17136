package io.leapnbd.bypass.cache;

import io.leapnbd.bypass.path.ClientRequest;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.prefetch.Waiter;
import io.netty.buffer.ByteBuf;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/** A page of a client's read whose fetch is on its way. Pooled by the loop that waits. */
final class PageWaiter extends Waiter implements Runnable {

    /** Slots are numbered below 2^24, pages below 2^40. */
    private static final int SLOT_BITS = 24;

    private final CachedPages pages;
    private final DeviceLoop loop;
    private final Runnable hurry = this::hurry;

    private @Nullable ClientRequest client;
    private long offset;
    private @Nullable ByteBuf into;
    private int index;
    private long demanded;
    private int slot;

    /** Page and slot of the fetch to be hurried up; by the loop that waits, read by the one that fetches. */
    private volatile long wanted;

    /** Whose fetch that was when it was asked to. */
    private volatile @Nullable PageFetches fetching;

    PageWaiter(CachedPages pages, DeviceLoop loop) {
        this.pages = pages;
        this.loop = loop;
    }

    void expect(ClientRequest waiting, long at, ByteBuf buffer, int bufferIndex, long now) {
        client = waiting;
        offset = at;
        into = buffer;
        index = bufferIndex;
        demanded = now;
    }

    void forget() {
        client = null;
        into = null;
    }

    /**
     * Asks the loop that fetches. When that gets to it, this may be waiting for another page already: then the first
     * fetch has ended, and to hurry the other one up instead is as well.
     */
    void askToHurry(int fetchSlot, long page, PageFetches owner) {
        wanted = page << SLOT_BITS | fetchSlot;
        fetching = owner;
        try {
            owner.loop().eventLoop().execute(hurry);
        } catch (RejectedExecutionException e) {
            // That loop is closing, and ends its fetches as it does.
            return;
        }
    }

    private void hurry() {
        PageFetches owner = fetching;
        long now = wanted;
        if (owner != null && owner.loop().eventLoop().inEventLoop()) {
            owner.promote((int) now & ((1 << SLOT_BITS) - 1), now >>> SLOT_BITS);
            owner.loop().flush();
        }
    }

    @Override
    protected void fetchEnded(int found) {
        slot = found;
        if (loop.eventLoop().inEventLoop()) {
            run();
            return;
        }
        try {
            loop.eventLoop().execute(this);
        } catch (RejectedExecutionException e) {
            // The loop has ended, and its clients' connections have gone with it.
            return;
        }
    }

    @Override
    public void run() {
        ClientRequest waiting = client;
        ByteBuf buffer = into;
        if (waiting == null || buffer == null) {
            throw new IllegalStateException("woken without having waited");
        }
        forget();
        pages.fetchEnded(this, waiting, offset, buffer, index, slot, demanded);
    }
}
