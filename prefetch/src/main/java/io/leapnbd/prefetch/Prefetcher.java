package io.leapnbd.prefetch;

/**
 * A policy that says which pages to fetch ahead of demand, for the look-ups of one device.
 *
 * <p>A prefetcher belongs to one thread at a time. It allocates nothing once made and decides in well under a microsecond. It
 * knows the device's size and never names a page outside it, nor the page that was just demanded; it does not know what
 * the cache holds and may name pages that are there, which {@link PageCache#claim} refuses.
 *
 * <p>The policies that imitate a kernel decide on misses only, because a kernel enters its read-ahead only when a page is
 * not in the swap cache; hits tell them how well they did.
 */
public interface Prefetcher {

    /** Room that an array of candidates needs, whatever the policy and its settings. */
    int MAX_CANDIDATES = 64;

    /**
     * A client's read of several pages begins: the next demands are those for its pages, in ascending order, all at the same
     * time. Nobody fetches any of them ahead any more, even if {@link #demand} names it. May be left out for a read of one
     * page.
     *
     * @param firstPage the first of them
     * @param pages how many, at least 1
     */
    default void requested(long firstPage, int pages) {}

    /**
     * A client demands a page. Called once for each page, in the order of the requests, after the cache has been asked and
     * before the next demand.
     *
     * @param page the page
     * @param hit whether the cache had the page or was fetching it, or would be fetching it if it were not demanded already: a
     *     page that was named, and has been demanded before it could be fetched
     * @param connection which of the clients' connections asks; a small number, 0 or more, that stays with a connection
     * @param nanos when, on a clock that only runs forwards
     * @param candidates takes the pages to fetch, most urgent first; {@link #MAX_CANDIDATES} long
     * @return how many pages were put there; may be 0
     */
    int demand(long page, boolean hit, int connection, long nanos, long[] candidates);

    /**
     * A client writes or trims pages. Called in the order of the requests.
     *
     * @param firstPage the first of them
     * @param pages how many, at least 1
     * @param connection as for {@link #demand}
     * @param nanos as for {@link #demand}
     */
    default void written(long firstPage, int pages, int connection, long nanos) {}

    /**
     * A fetch has ended.
     *
     * @param nanos what it took, from when it was asked for to when the page was there
     */
    default void fetchTook(long nanos) {}

    /** Demands at which there was a trend, for people to see. Any thread. */
    default long trendsFound() {
        return 0;
    }

    /** Pages of the last prefetch, or how far ahead of demand it is, 0 when suspended, for people to see. Any thread. */
    default int windowInUse() {
        return 0;
    }
}
