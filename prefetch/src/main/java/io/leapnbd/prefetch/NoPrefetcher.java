package io.leapnbd.prefetch;

/** Prefetches nothing. */
final class NoPrefetcher implements Prefetcher {

    @Override
    public int demand(long page, boolean hit, int connection, long nanos, long[] candidates) {
        return 0;
    }
}
