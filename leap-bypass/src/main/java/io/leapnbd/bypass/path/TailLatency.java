package io.leapnbd.bypass.path;

/**
 * An estimate of the 95th percentile of how long reads take, in one number. It rises by {@value #UP} steps with each read that took longer, and falls by one with each
 * other read; so it stands still where one read in twenty takes longer. A step is a part of the number itself, so that it follows microseconds as well as
 * milliseconds: from ten times too high it is right after some 600 reads, from ten times too low after 32 that took longer.
 *
 * <p>This is a stochastic approximation (Robbins and Monro, <i>Annals of Mathematical Statistics</i> 22, 1951) of a quantile, with steps of a constant size so that
 * what was long ago is forgotten. Ma, Muthukrishnan and Sandler, <i>Frugal Streaming for Estimating Quantiles</i> (2013), show what such a single number is good
 * for.
 *
 * <p>For one thread; allocates nothing.
 */
final class TailLatency {

    /** What {@link #nanos} says before it knows. */
    static final long UNKNOWN = Long.MAX_VALUE;

    /** So many reads have to be seen first. */
    static final int LEAST_READS = 64;

    private static final int STEP_SHIFT = 8;
    private static final int UP = 19;

    /** A step of less than a nanosecond is none. */
    private static final long LEAST_NANOS = 1 << STEP_SHIFT;

    private long estimate;
    private int reads;

    /** A read has taken so many nanoseconds. */
    void add(long nanos) {
        if (reads < LEAST_READS) {
            reads++;
        }
        if (estimate == 0) {
            estimate = Math.max(LEAST_NANOS, 2 * nanos);
            return;
        }
        long step = estimate >> STEP_SHIFT;
        estimate = nanos > estimate ? estimate + UP * step : Math.max(LEAST_NANOS, estimate - step);
    }

    /** One read in twenty takes longer, in nanoseconds; or {@link #UNKNOWN}. */
    long nanos() {
        return reads < LEAST_READS ? UNKNOWN : estimate;
    }
}
