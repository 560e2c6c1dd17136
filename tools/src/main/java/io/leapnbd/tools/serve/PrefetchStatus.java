package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.cache.PrefetchFigures;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.prefetch.CacheFigures;
import io.leapnbd.prefetch.PageCache;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.Size;
import java.util.Locale;
import org.HdrHistogram.Histogram;

/**
 * How well an export's pages are prefetched, by the definitions of the Leap paper (section 5): coverage is hits on prefetched
 * pages over pages demanded, accuracy hits on prefetched pages over pages prefetched, timeliness the time from a page's arrival
 * to its first hit. A demand that waits for a fetch on its way is a hit. Demands count while a policy is in use or the cache
 * holds pages.
 *
 * @param policy what decides
 * @param cache what the cache has done
 * @param limit bytes that the cache can be given
 * @param timeliness nanoseconds
 */
record PrefetchStatus(PrefetchFigures policy, CacheFigures cache, long limit, Histogram timeliness) {

    static PrefetchStatus of(RemoteDevice device) {
        return new PrefetchStatus(
                device.prefetching().figures(),
                device.cache().figures(),
                (long) device.cache().capacity() * PageCache.PAGE_SIZE,
                device.latencies().snapshot(Operation.PREFETCH, Stage.TIMELINESS));
    }

    /** Demands that were answered from a prefetched page. */
    long hits() {
        return cache.hits() + cache.inFlightHits();
    }

    /** Pages demanded. */
    long demands() {
        return hits() + cache.misses();
    }

    /** 0 to 1; NaN if nothing was demanded. */
    double coverage() {
        return (double) hits() / demands();
    }

    /** 0 to 1; NaN if nothing was prefetched. */
    double accuracy() {
        return (double) cache.pagesUsed() / cache.adds();
    }

    /** Pages that were fetched, or on their way, and that nobody will read. */
    long wasted() {
        return cache.evictedUnused() + cache.invalidated();
    }

    void putInto(Json json) {
        json.object("prefetch");
        settings().putInto(json);
        json.array("policies");
        for (PrefetchPolicy each : PrefetchPolicy.values()) {
            json.add(each.label());
        }
        json.endArray();
        json.put("cache_used", (long) cache.slotsInUse() * PageCache.PAGE_SIZE);
        ratio(json, "coverage", coverage());
        ratio(json, "accuracy", accuracy());
        json.object("timeliness_us").put("count", timeliness.getTotalCount());
        for (int percentile : new int[] {50, 95, 99}) {
            if (timeliness.getTotalCount() > 0) {
                json.put("p" + percentile, timeliness.getValueAtPercentile(percentile) / 1e3);
            } else {
                json.putNull("p" + percentile);
            }
        }
        json.endObject()
                .put("demands", demands())
                .put("hits", hits())
                .put("hits_in_flight", cache.inFlightHits())
                .put("misses", cache.misses())
                .put("adds", cache.adds())
                .put("used", cache.pagesUsed())
                .put("wasted", wasted())
                .put("evicted_unused", cache.evictedUnused())
                .put("invalidated", cache.invalidated())
                .put("failed", cache.aborted())
                .put("no_room", cache.noRoom())
                .put("held_back", policy.heldBack())
                .put("overlooked", policy.overlooked())
                .put("trends_found", policy.trendsFound())
                .put("window", policy.windowInUse())
                .endObject();
    }

    private static void ratio(Json json, String name, double value) {
        if (Double.isNaN(value)) {
            json.putNull(name);
        } else {
            json.put(name, Math.rint(value * 1e4) / 1e4);
        }
    }

    /** A paragraph for people. */
    String text() {
        StringBuilder out = new StringBuilder();
        out.append(String.format(
                Locale.ROOT,
                "prefetch %s (history %d, split %d, max-window %d), cache of %s, of which %s are in use%n",
                policy.policy().label(),
                policy.settings().history(),
                policy.settings().split(),
                policy.settings().maxWindow(),
                Size.approximate((long) cache.slots() * PageCache.PAGE_SIZE),
                Size.approximate((long) cache.slotsInUse() * PageCache.PAGE_SIZE)));
        if (cache.adds() > 0) {
            out.append(String.format(
                    Locale.ROOT,
                    "  prefetched %,d pages, of which %,d were used and %,d wasted; %,d of %,d look-ups hit%n",
                    cache.adds(),
                    cache.pagesUsed(),
                    wasted(),
                    hits(),
                    demands()));
            out.append(String.format(
                    Locale.ROOT,
                    "  coverage %s, accuracy %s, timeliness p50 %s, p95 %s, p99 %s; %,d trends found, window %d%n",
                    percent(coverage()),
                    percent(accuracy()),
                    percentile(50),
                    percentile(95),
                    percentile(99),
                    policy.trendsFound(),
                    policy.windowInUse()));
        }
        return out.toString();
    }

    private String percentile(double of) {
        return timeliness.getTotalCount() == 0 ? "-" : Durations.approximate(timeliness.getValueAtPercentile(of));
    }

    private static String percent(double share) {
        return Double.isNaN(share) ? "-" : String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }

    private PrefetchSettings settings() {
        return new PrefetchSettings(
                policy.policy(), policy.settings(), (long) cache.slots() * PageCache.PAGE_SIZE, limit);
    }
}
