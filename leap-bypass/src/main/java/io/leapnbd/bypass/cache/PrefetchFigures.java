package io.leapnbd.bypass.cache;

import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import org.jspecify.annotations.Nullable;

/**
 * How a device prefetches, and what its policy has done since the device was opened.
 *
 * @param policy in use
 * @param settings of the policies that have some
 * @param trendsFound demands at which the policy saw a trend
 * @param windowInUse pages of the last prefetch; 0 when suspended, or when the policy has no window
 * @param overlooked accesses that the policy was not told of, because they came faster than it decides
 * @param heldBack pages that it wanted and that were not fetched, because too many fetches were on their way
 * @param failure why nothing is prefetched any more, in one sentence; null if all is well
 */
public record PrefetchFigures(
        PrefetchPolicy policy,
        LeapSettings settings,
        long trendsFound,
        int windowInUse,
        long overlooked,
        long heldBack,
        @Nullable String failure) {}
