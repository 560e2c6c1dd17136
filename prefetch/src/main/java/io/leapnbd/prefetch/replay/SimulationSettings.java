package io.leapnbd.prefetch.replay;

import io.leapnbd.prefetch.LeapSettings;

/**
 * The machine that a {@link Simulation} imagines.
 *
 * @param cachePages slots of the page cache; 1 to 2^24 - 2
 * @param latencyNanos from the end of a page's transfer to its arrival: what a fetch takes on an idle link, apart from the
 *     transfer itself
 * @param bytesPerSecond the link's bandwidth
 * @param warmUp how many demanded pages at the start are simulated, but not counted
 * @param leap for the policy {@code leap}
 */
public record SimulationSettings(
        int cachePages, long latencyNanos, long bytesPerSecond, long warmUp, LeapSettings leap) {

    /** What the project's bars are measured with: 1,024 pages, 50 µs, 1 GiB/s, after the first 1,000 demands. */
    public static final SimulationSettings STANDARD =
            new SimulationSettings(1024, 50_000, 1L << 30, 1000, LeapSettings.PUBLISHED);

    private static final int MAX_CACHE_PAGES = (1 << 24) - 2;

    /** Refuses what is out of range, in one sentence for people. */
    public SimulationSettings {
        if (cachePages < 1 || cachePages > MAX_CACHE_PAGES) {
            throw new IllegalArgumentException(
                    "a cache of " + cachePages + " pages is out of range: 1 to " + MAX_CACHE_PAGES);
        }
        if (latencyNanos < 0 || bytesPerSecond < 1 || warmUp < 0) {
            throw new IllegalArgumentException("latency, bandwidth and warm-up must not be negative, nor bandwidth 0");
        }
    }

    /** The same with another number of demands at the start that are not counted. */
    public SimulationSettings withWarmUp(long demands) {
        return new SimulationSettings(cachePages, latencyNanos, bytesPerSecond, demands, leap);
    }
}
