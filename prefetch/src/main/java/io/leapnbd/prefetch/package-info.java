/**
 * Access history, trends, windows, candidates, and the cache of prefetched pages: pure algorithms, no I/O, no threads.
 *
 * <h2>How a device uses it</h2>
 *
 * One {@link io.leapnbd.prefetch.PageCache} for each device, shared by all its queues, over a part of the arena; one
 * {@link io.leapnbd.prefetch.Prefetcher} for each queue (one connection on one event loop), from a
 * {@link io.leapnbd.prefetch.PrefetchPolicy}; one {@code long[Prefetcher.MAX_CANDIDATES]} for each loop. The request
 * object extends {@link io.leapnbd.prefetch.Waiter}.
 *
 * <pre>
 * read(page):
 *     found = cache.lookup(page)
 *     if (found &gt;= 0)                                  copy cache.address(found), reply, cache.consume(found)
 *     else if (isInFlight(found) &amp;&amp; cache.await(inFlightSlot(found), page, request))   nothing: request.fetchEnded follows
 *     else                                             read from the donor                // before any prefetch
 *     n = prefetcher.demand(page, found != MISS, candidates)
 *     for each candidate:
 *         slot = cache.claim(candidate)
 *         if (slot &gt;= 0)                               read from the donor into cache.address(slot), at low priority
 *
 * prefetch done(slot):   ok ? cache.publish(slot, System.nanoTime()) : cache.abort(slot)
 *
 * request.fetchEnded(slot), on whatever loop ended the fetch: go to the request's loop; there
 *     slot &gt;= 0 ? copy, reply, cache.consume(slot) : read from the donor
 *
 * write, trim or zeroes of pages:
 *     cache.beginWrite(first, count)                      // whole pages that the range touches, before the first donor
 *     ... all replicas have it, or it has failed for good
 *     cache.endWrite(first, count), then acknowledge
 * </pre>
 *
 * <ul>
 *   <li>A read of several pages asks for each page; the prefetcher is told all of them, in order, after it has been told
 *       that they are one request; candidates that are in the request are passed over.
 *   <li>A page that no donor has ever been given (it reads as zeros) need not be claimed.
 *   <li>A slot stays pinned while a reply is sent from it; {@code consume} when it has left, {@code release} when the
 *       connection went away first.
 *   <li>Every claim must end. A fetch at its deadline is aborted only when nothing can write to the slot any more, as
 *       with a write that was given up (see {@code PageCache}).
 *   <li>Sub-page writes that read the page first and write it back count from before the read to after the write.
 * </ul>
 */
@NullMarked
package io.leapnbd.prefetch;

import org.jspecify.annotations.NullMarked;
