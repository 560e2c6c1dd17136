package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterEach;

/** A cache of four pages, and what its tests do with it. */
abstract class PageCacheFixture {

    static final int SLOTS = 4;

    final Arena memory = Arena.ofConfined();
    final PageCache cache = new PageCache(memory.allocate((long) SLOTS * PageCache.PAGE_SIZE));

    @AfterEach
    void free() {
        memory.close();
    }

    int fetched(long page) {
        int slot = cache.claim(page);
        assertThat(slot).isNotNegative();
        assertThat(cache.publish(slot, 0)).isTrue();
        return slot;
    }

    /** Whether a page is at hand, leaving it there. */
    boolean holds(long page) {
        int slot = cache.lookup(page);
        if (slot >= 0) {
            cache.release(slot);
        }
        return slot >= 0;
    }

    static void awaitIn(PageCache cache, long page, Waiter waiter) {
        int lookup = cache.lookup(page);
        assertThat(PageCache.isInFlight(lookup)).isTrue();
        assertThat(cache.await(PageCache.inFlightSlot(lookup), page, waiter)).isTrue();
    }
}
