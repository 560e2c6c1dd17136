package io.leapnbd.prefetch;

/**
 * Leap's GetPrefetchWindowSize (Algorithm 2): how many pages to prefetch, by how many of those prefetched were wanted
 * since the last time.
 */
final class PrefetchWindow {

    private final int max;
    private int hits;
    private int previous;

    /** Never more than {@code max} pages: PW_max. */
    PrefetchWindow(int max) {
        this.max = max;
    }

    /** A prefetched page was demanded. */
    void hit() {
        hits++;
    }

    /**
     * The size of the next prefetch.
     *
     * @param followsTrend whether the page that is demanded now lies where the current trend says
     * @return pages beyond the demanded one; 0 suspends prefetching
     */
    int next(boolean followsTrend) {
        int size;
        if (hits == 0) {
            size = followsTrend ? 1 : 0;
        } else {
            // In two steps, because the power of two at or above a great many hits is no int.
            size = hits >= max ? max : Math.min(Integer.highestOneBit(hits) << 1, max);
        }
        // Shrinks by half at most, so that one irregular access does not suspend a good trend.
        size = Math.max(size, previous / 2);
        hits = 0;
        previous = size;
        return size;
    }

    /** What {@link #next} returned last. */
    int previous() {
        return previous;
    }
}
