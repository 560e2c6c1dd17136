package io.leapnbd.prefetch;

/**
 * A policy that says which pages to fetch ahead of demand, for one stream of look-ups.
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
     * A client demands a page. Called once for each page, in the order of the requests, after the cache has been asked and
     * before the next demand.
     *
     * @param page the page
     * @param hit whether the cache had the page or was fetching it
     * @param candidates takes the pages to fetch, most urgent first; {@link #MAX_CANDIDATES} long
     * @return how many pages were put there; may be 0
     */
    int demand(long page, boolean hit, long[] candidates);
}
