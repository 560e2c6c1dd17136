package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.Prefetcher;

/**
 * A policy that is played traces to: one of the project's, or of a jar.
 *
 * @param label its name in tables
 * @param maker makes a prefetcher of it
 */
record ReplayPolicy(String label, Maker maker) {

    /** Makes one for a device of so many pages. */
    @FunctionalInterface
    interface Maker {
        Prefetcher prefetcher(long pages, LeapSettings leap);
    }

    /** One of the project's. */
    static ReplayPolicy of(PrefetchPolicy policy) {
        return new ReplayPolicy(policy.label(), policy::prefetcher);
    }
}
