package io.leapnbd.prefetch;

/**
 * The one word that says everything about a slot; every transition is one compare-and-set of it.
 *
 * <pre>
 *  63            44   43   42    40 39                                0
 * +----------------+------+--------+-----------------------------------+
 * |  pins (20)     | used | state  |             page (40)             |
 * +----------------+------+--------+-----------------------------------+
 *
 *            claim            publish             last unpin of a used page,
 *   EMPTY ----------> FETCHING -------> READY ---- eviction, or a write -----> EMPTY
 *                        |                |
 *                        | write          | write while pinned
 *                        v                v
 *                      STALE            DOOMED ---- last unpin ----> EMPTY
 *                        '---- publish or abort ----> EMPTY
 * </pre>
 *
 * The page is part of the word, so a compare-and-set that takes a pin proves that the slot holds that very page and that
 * it is ready. A slot that was freed and refilled in between either has another page (the compare-and-set fails) or the
 * same page under the same guarantees (it may as well succeed): there is no ABA problem and no generation is needed.
 */
final class SlotWord {

    /** Pages are numbered below this: 4 PiB of device. */
    static final long PAGE_LIMIT = 1L << 40;

    /** A slot without a page; the whole word. */
    static final long EMPTY = 0;

    /** Claimed; a fetch is about to be issued or in flight, and only it touches the slot's memory. */
    static final long FETCHING = 1L << 40;

    /** As FETCHING, but the page is being or has been written since: invisible, freed when the fetch ends. */
    static final long STALE = 2L << 40;

    /** Holds the page's newest bytes. */
    static final long READY = 3L << 40;

    /** Being copied out when its page was written: invisible, freed when the last reader leaves. */
    static final long DOOMED = 4L << 40;

    /** A reader has consumed the page at least once. */
    static final long USED = 1L << 43;

    /** One reader. */
    static final long PIN = 1L << 44;

    private static final long PAGE_MASK = PAGE_LIMIT - 1;
    private static final long STATE_MASK = 7L << 40;
    private static final int PIN_SHIFT = 44;

    private SlotWord() {}

    static long page(long word) {
        return word & PAGE_MASK;
    }

    /** One of the five states. */
    static long state(long word) {
        return word & STATE_MASK;
    }

    static long withState(long word, long state) {
        return (word & ~STATE_MASK) | state;
    }

    static boolean used(long word) {
        return (word & USED) != 0;
    }

    static boolean pinned(long word) {
        return word >>> PIN_SHIFT != 0;
    }

    /** Whether one more pin would overflow into nothing. */
    static boolean pinsExhausted(long word) {
        return word >>> PIN_SHIFT == (1L << (Long.SIZE - PIN_SHIFT)) - 1;
    }

    /** Whether look-ups may be answered from the slot, now or when its fetch ends. */
    static boolean live(long word) {
        long state = state(word);
        return state == FETCHING || state == READY;
    }
}
