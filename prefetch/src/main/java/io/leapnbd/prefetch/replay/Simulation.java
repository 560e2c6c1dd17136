package io.leapnbd.prefetch.replay;

import io.leapnbd.prefetch.PageCache;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.Prefetcher;
import java.lang.foreign.Arena;

/**
 * Plays a trace to a policy, in simulated time: the server's own {@link PageCache} with its eager eviction, a
 * {@link SimulatedLink}, and one client that waits.
 *
 * <p>The client sends each request as long after the one before as the trace has it, plus what it has waited for that one: a
 * demand that misses delays all that follows. A demand for a page that is on its way waits for the rest and counts as a hit.
 * A request for several pages demands them all at once. Writes take no time; they make the cached pages worthless.
 * Deciding and serving a hit take no time either.
 *
 * <p>Deterministic: the same trace, policy and settings give the same result. For one thread.
 */
public final class Simulation {

    private static final int CONNECTION = 0;

    private final Trace trace;
    private final SimulationSettings settings;
    private final Prefetcher prefetcher;
    private final PageCache cache;
    private final SimulatedLink link;
    private final KnownPages known;
    private final long[] candidates = new long[Prefetcher.MAX_CANDIDATES];
    private final Distribution timeliness = new Distribution();
    private final Distribution latency = new Distribution();

    /** Whether a slot's page was fetched after the warm-up. */
    private final boolean[] counted;

    /** What the look-up of each page of a request has found. */
    private int[] found = new int[64];

    private long now;
    private long demandsSeen;
    private long countedFrom = -1;
    private long demands;
    private long hits;
    private long prefetched;
    private long used;

    private Simulation(Trace trace, Prefetcher prefetcher, SimulationSettings settings, Arena memory) {
        this.trace = trace;
        this.settings = settings;
        this.prefetcher = prefetcher;
        cache = new PageCache(memory.allocate((long) settings.cachePages() * PageCache.PAGE_SIZE));
        link = new SimulatedLink(
                settings.cachePages(),
                settings.latencyNanos(),
                settings.bytesPerSecond(),
                PageCache.PAGE_SIZE,
                this::arrived);
        known = new KnownPages(trace);
        counted = new boolean[settings.cachePages()];
    }

    /** Plays a trace to a policy. */
    public static SimulationResult run(Trace trace, PrefetchPolicy policy, SimulationSettings settings) {
        return run(trace, policy.prefetcher(Math.max(1, trace.devicePages()), settings.leap()), settings);
    }

    /** Plays a trace to a prefetcher for a device that has the trace's pages. */
    public static SimulationResult run(Trace trace, Prefetcher prefetcher, SimulationSettings settings) {
        try (Arena memory = Arena.ofConfined()) {
            return new Simulation(trace, prefetcher, settings, memory).run();
        }
    }

    private SimulationResult run() {
        long before = trace.size() == 0 ? 0 : trace.micros(0);
        for (int i = 0; i < trace.size(); i++) {
            now += Math.max(0, trace.micros(i) - before) * 1000;
            before = trace.micros(i);
            link.advance(now);
            long firstPage = trace.firstPage(i);
            int pages = trace.pages(i);
            switch (trace.operation(i)) {
                case READ -> read(firstPage, pages);
                case WRITE -> {
                    known.write(firstPage, pages);
                    overwrite(firstPage, pages);
                }
                case TRIM -> {
                    known.trim(firstPage, pages);
                    overwrite(firstPage, pages);
                }
            }
        }
        timeliness.seal();
        latency.seal();
        return new SimulationResult(
                demands,
                hits,
                demands - hits,
                prefetched,
                prefetched - used,
                timeliness,
                latency,
                countedFrom < 0 ? 0 : now - countedFrom);
    }

    private void overwrite(long firstPage, int pages) {
        cache.beginWrite(firstPage, pages);
        cache.endWrite(firstPage, pages);
        prefetcher.written(firstPage, pages, CONNECTION, now);
    }

    private void read(long firstPage, int pages) {
        if (found.length < pages) {
            found = new int[pages];
        }
        if (countedFrom < 0 && demandsSeen >= settings.warmUp()) {
            countedFrom = now;
        }
        long asked = now;
        long done = now;
        for (int i = 0; i < pages; i++) {
            int slot = cache.lookup(firstPage + i);
            found[i] = slot;
            if (slot >= 0) {
                hit(slot, asked);
                waited(0);
            } else if (slot == PageCache.MISS) {
                long there = link.demand(asked);
                done = Math.max(done, there);
                prefetcher.fetchTook(there - asked);
                waited(there - asked);
            }
        }
        // Those on their way: demands of the same request have gone ahead of them.
        for (int i = 0; i < pages; i++) {
            if (PageCache.isInFlight(found[i])) {
                long there = link.arrivesAt(PageCache.inFlightSlot(found[i]));
                done = Math.max(done, there);
                waited(there - asked);
            }
        }
        prefetcher.requested(firstPage, pages);
        for (int i = 0; i < pages; i++) {
            boolean hit = found[i] != PageCache.MISS;
            int n = prefetcher.demand(firstPage + i, hit, CONNECTION, asked, candidates);
            for (int j = 0; j < n; j++) {
                if (candidates[j] < firstPage || candidates[j] >= firstPage + pages) {
                    prefetch(candidates[j]);
                }
            }
        }
        now = done;
        link.advance(now);
        for (int i = 0; i < pages; i++) {
            if (PageCache.isInFlight(found[i])) {
                hit(cache.lookup(firstPage + i), now);
            }
        }
        demandsSeen += pages;
        demands += warm() ? pages : 0;
    }

    private boolean warm() {
        return countedFrom >= 0;
    }

    private void waited(long nanos) {
        if (warm()) {
            latency.add(nanos);
        }
    }

    private void hit(int slot, long at) {
        if (warm()) {
            hits++;
            timeliness.add(at - cache.publishedAt(slot));
        }
        if (cache.consume(slot) && counted[slot]) {
            used++;
        }
    }

    private void prefetch(long page) {
        if (!known.holds(page)) {
            return;
        }
        int slot = cache.claim(page);
        if (slot >= 0) {
            counted[slot] = warm();
            if (warm()) {
                prefetched++;
            }
            link.prefetch(slot, now);
        }
    }

    private void arrived(int slot, long askedAt, long nanos) {
        cache.publish(slot, nanos);
        prefetcher.fetchTook(nanos - askedAt);
    }
}
