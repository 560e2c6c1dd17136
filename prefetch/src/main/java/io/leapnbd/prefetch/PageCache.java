package io.leapnbd.prefetch;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * The server's cache of prefetched pages: a fixed number of slots of 4 KiB in one off-heap arena, shared by all event
 * loops. It decides which page is in which slot; it never touches the slots' bytes, starts nothing and waits for nothing.
 * After construction it allocates nothing.
 *
 * <h2>Use</h2>
 *
 * <pre>
 * prefetch   slot = claim(page); if (slot &gt;= 0) fetch into address(slot), then publish(slot, now) or abort(slot)
 * demand     r = lookup(page)
 *            hit        copy from address(r) or send it from there, then consume(r)
 *            in flight  if (!await(inFlightSlot(r), page, request)) look up once more, then read from the donor
 *            miss       read from the donor; demand reads are not cached
 * write      beginWrite(pages), send it to the donors, wait for them, endWrite(pages), acknowledge
 * </pre>
 *
 * Every method may be called from any thread. A look-up that hits and its {@link #consume} take no lock and wait for
 * nobody; so do publish, abort and the two ends of a write. Claims take one short lock, and give up rather than wait
 * long: a prefetch is optional. {@link SlotClaims} says what the lock guards; all else is in the
 * {@linkplain SlotWord slot words}.
 *
 * <h2>Eviction</h2>
 *
 * As in the Leap paper (section 4.3): a page leaves as soon as it has been consumed and its last reader has left; pages
 * that nobody wanted leave in the order in which they were claimed, when room is wanted. Slots that are being fetched into
 * or read are passed over. {@link #eagerEviction} turns the first rule off.
 *
 * <h2>Why no read is ever stale</h2>
 *
 * What must hold: a read that starts after a write was acknowledged is never answered from bytes fetched before that write
 * was applied (invariants 1 and 3). Let W be a write to page P, from {@code beginWrite} to {@code endWrite}; the device
 * acknowledges it after {@code endWrite}, and sends it to donors after {@code beginWrite}.
 *
 * <p>{@code beginWrite} first counts W as {@linkplain PendingWrites pending} and then looks P up; whatever slot it finds
 * loses its page: ready ones are freed or, when pinned, doomed; fetching ones become stale. {@code claim} first makes
 * its slot visible (word, then index entry) and then looks whether a write is pending, and takes everything back if so. All
 * four are volatile accesses, which have one total order; hence for a claim C of P one of three holds:
 *
 * <ol>
 *   <li>C looked before W was counted. Then C's entry was visible when W looked, because C wrote before it looked and
 *       W counted before it looked. W made C's slot stale, doomed or empty, and no look-up that starts after W began is
 *       answered from it. Whether C's fetch has been issued yet, or comes back after W has ended, does not matter:
 *       {@code publish} frees a stale slot.
 *   <li>C looked while W was counted. Then C saw it and fetched nothing.
 *   <li>C looked after W's {@code endWrite}. Then its fetch is issued after every donor that must have W has it.
 * </ol>
 *
 * Only the third kind can answer a read that starts after W began, and it has W's bytes. A look-up that took its pin before
 * W began belongs to a read that started before W was acknowledged, which may return the old version; the bytes under
 * a pin do not change, because a slot is claimed again only after its last pin has gone. The same is true of the readers
 * that wait for a fetch: each found the slot on its way when it started, and {@code publish} serves them only when no write
 * to the page began before the slot became ready.
 *
 * <p>A write that fails ends too, with {@code endWrite}. If a donor may still apply it, because it was only given up at its
 * deadline, its pages must not be claimed from before {@code endWrite} on: what is fetched of them may change without a further write, and a
 * page in the cache would then be older than what another read has returned. Who fetches sees to that.
 *
 * <p>A waiter can be pushed to a slot that has moved on to another page between look-up and push. The stack is open
 * only while a fetch is in flight, and each waiter carries its page: whoever ends the fetch sends those with another page
 * to the donor.
 */
public final class PageCache {

    /** Bytes of a page and of a slot. */
    public static final int PAGE_SIZE = 4096;

    /** What {@link #lookup} returns when the page is neither at hand nor on its way. */
    public static final int MISS = -1;

    /** Claim refused: the page is at hand. */
    public static final int PRESENT = -1;

    /** Claim refused: the page is on its way. */
    public static final int IN_FLIGHT = -2;

    /** Claim refused: the page, or one near it, is being written. */
    public static final int BEING_WRITTEN = -3;

    /** Claim refused: every slot is being fetched into or read, or another claim took too long. */
    public static final int NO_ROOM = -4;

    private final MemorySegment arena;
    private final int capacity;
    private final AtomicLongArray words;
    private final WaiterStacks waiters;
    private final PageIndex index;
    private final SlotClaims claims;
    private final PendingWrites pendingWrites;
    private final CacheCounters counters = new CacheCounters();

    /** Nanoseconds; written by the publisher before the slot becomes ready, read under a pin. */
    private final long[] publishedAt;

    private volatile boolean eagerEviction = true;

    /**
     * A cache that uses all of an arena.
     *
     * @param arena native memory that outlives the cache; a multiple of 4 KiB, at least one page and at most 64 GiB
     */
    public PageCache(MemorySegment arena) {
        this(arena, new PendingWrites());
    }

    PageCache(MemorySegment arena, PendingWrites pendingWrites) {
        long size = arena.byteSize();
        if (!arena.isNative()) {
            throw new IllegalArgumentException("the cache's arena must be off-heap memory");
        }
        if (size < PAGE_SIZE || size % PAGE_SIZE != 0 || size / PAGE_SIZE > PageIndex.SLOT_LIMIT) {
            throw new IllegalArgumentException("the cache's arena has " + size
                    + " bytes; it must have a multiple of 4096, at least 4096 and less than 64 GiB");
        }
        this.arena = arena;
        this.pendingWrites = pendingWrites;
        capacity = (int) (size / PAGE_SIZE);
        words = new AtomicLongArray(capacity);
        waiters = new WaiterStacks(capacity);
        index = new PageIndex(capacity);
        claims = new SlotClaims(words, index, pendingWrites, counters);
        publishedAt = new long[capacity];
    }

    // ---- prefetches

    /**
     * Takes a slot for a page whose fetch is about to be issued. The caller then owns the slot's bytes and must end the
     * claim with {@link #publish} or {@link #abort}, on any thread, in bounded time.
     *
     * @param page below 2^40
     * @return the slot, or one of {@link #PRESENT}, {@link #IN_FLIGHT}, {@link #BEING_WRITTEN}, {@link #NO_ROOM}
     */
    public int claim(long page) {
        if (page < 0 || page >= SlotWord.PAGE_LIMIT) {
            throw new IllegalArgumentException("page " + page + " is out of range");
        }
        if (pendingWrites.covers(page)) {
            return BEING_WRITTEN;
        }
        int slot = claims.claim(page);
        if (slot >= 0) {
            // Who comes to wait before this is told to look again.
            waiters.open(slot);
        }
        return slot;
    }

    /**
     * Ends a claim whose page has landed in its slot. Wakes those who wait for it, before it returns.
     *
     * @param nanoTime now, as {@link System#nanoTime} has it, for {@link #publishedAt}
     * @return whether the page entered the cache; false when it was written since the claim, and the slot is free again
     */
    public boolean publish(int slot, long nanoTime) {
        publishedAt[slot] = nanoTime;
        long word;
        do {
            word = words.get(slot);
            if (SlotWord.state(word) == SlotWord.STALE) {
                endEmpty(slot);
                return false;
            }
            checkClaimed(slot, word);
            // Ready with a pin of our own, so that the slot stays ours until those who wait have theirs.
        } while (!words.compareAndSet(slot, word, SlotWord.page(word) | SlotWord.READY | SlotWord.PIN));
        counters.add(CacheCounters.ADDS);
        Waiter chain = waiters.close(slot);
        long page = SlotWord.page(word);
        int served = 0;
        for (Waiter waiter = chain; waiter != null; waiter = waiter.next) {
            if (waiter.page == page) {
                served++;
            }
        }
        if (served == 0) {
            unpin(slot, false);
        } else if (served > 1) {
            words.getAndAdd(slot, (served - 1) * SlotWord.PIN);
        }
        wake(chain, page, slot);
        return true;
    }

    /** Ends a claim whose fetch failed, or was never issued. Tells those who wait for it, before it returns. */
    public void abort(int slot) {
        long word = words.get(slot);
        if (SlotWord.state(word) != SlotWord.STALE) {
            checkClaimed(slot, word);
        }
        counters.add(CacheCounters.ABORTED);
        endEmpty(slot);
    }

    private static void checkClaimed(int slot, long word) {
        if (SlotWord.state(word) != SlotWord.FETCHING) {
            throw new IllegalStateException("slot " + slot + " is not claimed");
        }
    }

    private void endEmpty(int slot) {
        Waiter chain = waiters.close(slot);
        claims.free(slot);
        wake(chain, SlotWord.PAGE_LIMIT, MISS);
    }

    private void wake(@Nullable Waiter chain, long page, int slot) {
        Waiter waiter = chain;
        while (waiter != null) {
            // Once told, the waiter may be waiting somewhere else already.
            Waiter next = waiter.next;
            waiter.next = null;
            boolean served = waiter.page == page;
            counters.add(served ? CacheCounters.IN_FLIGHT_HITS : CacheCounters.MISSES);
            waiter.fetchEnded(served ? slot : MISS);
            waiter = next;
        }
    }

    // ---- demand reads

    /**
     * Looks for a page.
     *
     * @return {@code >= 0}: a hit, the slot that holds the page, pinned until {@link #consume} or {@link #release};
     *     {@link #MISS}; or below that: on its way, into {@link #inFlightSlot}
     */
    public int lookup(long page) {
        int end = index.bucket(page) + PageIndex.WAYS;
        for (int at = end - PageIndex.WAYS; at < end; at++) {
            long entry = index.entry(at);
            if (entry != 0 && PageIndex.page(entry) == page) {
                int result = pin(PageIndex.slot(entry), page);
                if (result != MISS) {
                    return result;
                }
            }
        }
        counters.add(CacheCounters.MISSES);
        return MISS;
    }

    private int pin(int slot, long page) {
        while (true) {
            long word = words.get(slot);
            long state = SlotWord.state(word);
            if (SlotWord.page(word) != page) {
                return MISS;
            }
            if (state == SlotWord.FETCHING) {
                return MISS - 1 - slot;
            }
            if (state != SlotWord.READY || SlotWord.pinsExhausted(word)) {
                return MISS;
            }
            if (words.compareAndSet(slot, word, word + SlotWord.PIN)) {
                counters.add(CacheCounters.HITS);
                return slot;
            }
        }
    }

    /** Whether a look-up found the page on its way. */
    public static boolean isInFlight(int lookup) {
        return lookup < MISS;
    }

    /** The slot that a page is on its way to, from a look-up that found it so. */
    public static int inFlightSlot(int lookup) {
        return MISS - 1 - lookup;
    }

    /**
     * Makes a demand read wait for the fetch into a slot.
     *
     * @param slot from {@link #inFlightSlot}
     * @param waiter told exactly once when the fetch ends, possibly before this returns, if this returns true
     * @return false when the fetch has just ended: look up again, and read from the donor if that finds no page
     */
    public boolean await(int slot, long page, Waiter waiter) {
        long word = words.get(slot);
        if (SlotWord.page(word) != page || SlotWord.state(word) != SlotWord.FETCHING) {
            return false;
        }
        waiter.page = page;
        return waiters.push(slot, waiter);
    }

    /** Whether a demand waits for the fetch into a slot; for whoever has claimed it. */
    public boolean awaited(int slot) {
        return waiters.anyIn(slot);
    }

    /**
     * Gives back a pin after the page has been handed to the client. With eager eviction the slot is free when the last
     * reader has done so.
     *
     * @return whether this was the first time that this page was consumed since it was fetched
     */
    public boolean consume(int slot) {
        return unpin(slot, true);
    }

    /** Gives back a pin of a page that was not handed to the client after all. */
    public void release(int slot) {
        unpin(slot, false);
    }

    private boolean unpin(int slot, boolean consumed) {
        while (true) {
            long word = words.get(slot);
            if (!SlotWord.pinned(word)) {
                throw new IllegalStateException("slot " + slot + " is not pinned");
            }
            long left = (word - SlotWord.PIN) | (consumed ? SlotWord.USED : 0);
            if (!SlotWord.pinned(left)
                    && (SlotWord.state(left) == SlotWord.DOOMED || (SlotWord.used(left) && eagerEviction))) {
                left = SlotWord.EMPTY;
            }
            if (words.compareAndSet(slot, word, left)) {
                if (left == SlotWord.EMPTY) {
                    claims.freed(slot);
                }
                boolean first = consumed && !SlotWord.used(word);
                if (first) {
                    counters.add(CacheCounters.PAGES_USED);
                }
                return first;
            }
        }
    }

    // ---- writes and trims

    /**
     * Makes pages unreadable from here and keeps them out until {@link #endWrite}. Called before a write or trim is sent to
     * the first donor.
     *
     * @param firstPage the first page that the range touches, even in part
     * @param count pages, above zero
     */
    public void beginWrite(long firstPage, long count) {
        pendingWrites.begin(firstPage, count);
        if (count <= capacity) {
            for (long page = firstPage; page < firstPage + count; page++) {
                int end = index.bucket(page) + PageIndex.WAYS;
                for (int at = end - PageIndex.WAYS; at < end; at++) {
                    long entry = index.entry(at);
                    if (entry != 0 && PageIndex.page(entry) == page) {
                        invalidate(PageIndex.slot(entry), page, 1);
                    }
                }
            }
        } else {
            for (int slot = 0; slot < capacity; slot++) {
                invalidate(slot, firstPage, count);
            }
        }
    }

    /**
     * Lets pages in again. Called with the range of a {@link #beginWrite}, once for each, when every donor that must have
     * the write has it, before it is acknowledged; or when it has failed.
     */
    public void endWrite(long firstPage, long count) {
        pendingWrites.end(firstPage, count);
    }

    private void invalidate(int slot, long firstPage, long count) {
        while (true) {
            long word = words.get(slot);
            long distance = SlotWord.page(word) - firstPage;
            if (!SlotWord.live(word) || distance < 0 || distance >= count) {
                return;
            }
            long after;
            if (SlotWord.state(word) == SlotWord.FETCHING) {
                after = SlotWord.withState(word, SlotWord.STALE);
            } else if (SlotWord.pinned(word)) {
                after = SlotWord.withState(word, SlotWord.DOOMED);
            } else {
                after = SlotWord.EMPTY;
            }
            if (words.compareAndSet(slot, word, after)) {
                counters.add(CacheCounters.INVALIDATED);
                if (after == SlotWord.EMPTY) {
                    claims.freed(slot);
                }
                return;
            }
        }
    }

    /** For tests. */
    WaiterStacks waiters() {
        return waiters;
    }

    // ---- the arena, settings, figures

    /** Where a slot's bytes are; a native address. */
    public long address(int slot) {
        return arena.address() + offset(slot);
    }

    /** Where a slot's bytes are in the {@link #arena}. */
    public long offset(int slot) {
        return (long) slot * PAGE_SIZE;
    }

    /** The memory that the cache was given. */
    public MemorySegment arena() {
        return arena;
    }

    /** When the page in a slot was published; for whoever has it pinned. */
    public long publishedAt(int slot) {
        return publishedAt[slot];
    }

    /** Slots that the arena has room for. */
    public int capacity() {
        return capacity;
    }

    /** Whether consumed pages leave at once (as at the start) or in their turn. */
    public void eagerEviction(boolean eager) {
        eagerEviction = eager;
    }

    /**
     * Changes how many slots may be used, while the cache is in use. What is over the new number leaves at once as far as it
     * is neither being fetched nor read, and as soon as it is not otherwise. May wait briefly: not for an event loop.
     *
     * @param budget 0 to {@link #capacity}
     */
    public void resize(int budget) {
        if (budget < 0 || budget > capacity) {
            throw new IllegalArgumentException(
                    "a cache of " + budget + " pages does not fit: the arena has room for 0 to " + capacity);
        }
        claims.resize(budget);
    }

    /** Whether no slot is in use: then a look-up can be spared. */
    public boolean isEmpty() {
        return claims.inUse() == 0;
    }

    /** What the cache has done and holds. */
    public CacheFigures figures() {
        return new CacheFigures(
                counters.sum(CacheCounters.ADDS),
                counters.sum(CacheCounters.HITS),
                counters.sum(CacheCounters.MISSES),
                counters.sum(CacheCounters.IN_FLIGHT_HITS),
                counters.sum(CacheCounters.PAGES_USED),
                counters.sum(CacheCounters.EVICTED),
                counters.sum(CacheCounters.EVICTED_UNUSED),
                counters.sum(CacheCounters.INVALIDATED),
                counters.sum(CacheCounters.ABORTED),
                counters.sum(CacheCounters.NO_ROOM),
                claims.inUse(),
                claims.budget());
    }
}
