package io.leapnbd.prefetch;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A cache of one slot, the donor behind it and the slot's content, each a number that stands for a page's bytes. */
class CacheUnderStress {

    static final int PAGE = 5;
    static final int OTHER_PAGE = 77;
    static final int OTHER_BYTES = 9;

    /** Nothing was found or refused. */
    static final int NOTHING = -1;

    /** The cache never looks into it. */
    private static final MemorySegment MEMORY = Arena.global().allocate(PageCache.PAGE_SIZE);

    final PageCache cache = new PageCache(MEMORY, new PendingWrites(1));

    /** What the donor has for the page: version 0, then 1. */
    volatile int donor;

    /** Plain, as off-heap bytes are. */
    int slotBytes = NOTHING;

    /** Fetches a page as a loop does. */
    final void fetch(int page) {
        int slot = cache.claim(page);
        if (slot >= 0) {
            slotBytes = page == PAGE ? donor : OTHER_BYTES;
            cache.publish(slot, 0);
        }
    }

    /** Writes version 1 of the page; has acknowledged it when this returns. */
    final void write() {
        cache.beginWrite(PAGE, 1);
        donor = 1;
        cache.endWrite(PAGE, 1);
    }

    /** What a read gets from the cache. */
    final int read() {
        int found = cache.lookup(PAGE);
        if (found < 0) {
            return NOTHING;
        }
        int bytes = slotBytes;
        cache.consume(found);
        return bytes;
    }

    /** Waits for a fetch of the page if it is on its way. */
    final void readOrAwait(Told told) {
        int found = cache.lookup(PAGE);
        if (PageCache.isInFlight(found)) {
            if (cache.await(PageCache.inFlightSlot(found), PAGE, told)) {
                return;
            }
            found = cache.lookup(PAGE);
        }
        told.answer(found >= 0 ? found : PageCache.MISS);
    }

    /** Counts how often it was answered, and with what. */
    static final class Told extends Waiter {

        private final CacheUnderStress world;
        private int times;
        private int bytes = NOTHING;

        Told(CacheUnderStress world) {
            this.world = world;
        }

        @Override
        protected void fetchEnded(int slot) {
            answer(slot);
        }

        void answer(int slot) {
            times++;
            if (slot >= 0) {
                bytes = world.slotBytes;
                world.cache.consume(slot);
            }
        }

        int times() {
            return times;
        }

        int bytes() {
            return bytes;
        }
    }
}
