package io.leapnbd.prefetch;

/**
 * What a {@link PageCache} has done since it was made, and what it holds. The counts are read one after the other while
 * the cache goes on, so they may be off against each other by what happened meanwhile.
 *
 * @param adds pages that were fetched and entered the cache
 * @param hits look-ups that were answered from a page at hand
 * @param misses look-ups that had to go to the donor, including those whose awaited fetch came to nothing
 * @param inFlightHits look-ups that were answered by a fetch they waited for
 * @param pagesUsed pages that were consumed at least once; over {@code adds} it is the accuracy
 * @param evicted pages that left to make room
 * @param evictedUnused those among them that nobody ever wanted: wasted fetches
 * @param invalidated pages, at hand or on their way, that a write or trim made worthless
 * @param aborted fetches that failed
 * @param noRoom claims refused because nothing could be evicted
 * @param slotsInUse slots that hold a page or wait for one
 * @param slots slots that may be used: the budget
 */
public record CacheFigures(
        long adds,
        long hits,
        long misses,
        long inFlightHits,
        long pagesUsed,
        long evicted,
        long evictedUnused,
        long invalidated,
        long aborted,
        long noRoom,
        int slotsInUse,
        int slots) {}
