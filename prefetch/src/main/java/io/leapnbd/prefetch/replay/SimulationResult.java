package io.leapnbd.prefetch.replay;

/**
 * What a policy made of a trace, after the warm-up; by the definitions of the Leap paper (section 5).
 *
 * @param demands pages that clients read
 * @param hits those that were in the cache or on their way into it
 * @param misses those that were not
 * @param prefetched pages that were fetched ahead
 * @param wasted those of them that were never hit: evicted, overwritten, or there still at the end
 * @param timeliness nanoseconds from a page's arrival in the cache to its hit; 0 for one that was hit on its way
 * @param latency nanoseconds that a demanded page was waited for; 0 for a page at hand
 * @param simulatedNanos from the first counted demand to the end of the last request
 */
public record SimulationResult(
        long demands,
        long hits,
        long misses,
        long prefetched,
        long wasted,
        Distribution timeliness,
        Distribution latency,
        long simulatedNanos) {

    /** Hits over demands; NaN without demands. */
    public double coverage() {
        return (double) hits / demands;
    }

    /** Prefetched pages that were hit over prefetched pages; NaN if nothing was prefetched. */
    public double accuracy() {
        return prefetched == 0 ? Double.NaN : (double) (prefetched - wasted) / prefetched;
    }
}
