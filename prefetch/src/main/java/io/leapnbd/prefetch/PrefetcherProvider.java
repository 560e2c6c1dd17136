package io.leapnbd.prefetch;

/**
 * A policy from outside this project, found by {@link java.util.ServiceLoader}: {@code leap-nbd replay --prefetch FILE.jar} compares it with the
 * others. The jar names its class in {@code META-INF/services/io.leapnbd.prefetch.PrefetcherProvider}. The class is public and has a public constructor
 * without parameters.
 */
public interface PrefetcherProvider {

    /** What tables call the policy: letters, digits, dots, hyphens and underscores. */
    String name();

    /**
     * Makes a prefetcher, for one trace.
     *
     * @param pages the device's size, 1 to 2^40; the prefetcher names no page outside it
     */
    Prefetcher prefetcher(long pages);
}
