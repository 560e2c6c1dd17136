package io.leapnbd.prefetch.push;

import io.leapnbd.prefetch.LeapPrefetcher;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.Prefetcher;

/**
 * Leap as published ({@link LeapPrefetcher}), over the virtual pages of one process: one history and one window for all its threads. A fault
 * on a page that was pushed is a hit; any other is a miss, at which the next window is asked for. A page's distance from the last is then a
 * distance in the process's memory, as the paper has it, and not one on the device.
 */
final class LeapPushPolicy implements PushPolicy {

    /** More pages than an address space of 57 bits has. */
    private static final long PAGES = 1L << 45;

    private final TargetMemory memory;
    private LeapPrefetcher leap;
    private final LeapSettings settings;
    private final long[] candidates = new long[Prefetcher.MAX_CANDIDATES];
    private final long[] one = new long[1];
    private int count;
    private int next;
    private long last;
    private long trend;

    /** Nobody is pushed for before the process has waited for the device. */
    private boolean swapping;

    LeapPushPolicy(TargetMemory memory, LeapSettings settings) {
        this.memory = memory;
        this.settings = settings;
        leap = new LeapPrefetcher(PAGES, settings);
    }

    @Override
    public void fault(long page, long ticket, long nanos) {
        if (page == last) {
            return; // another thread, or the same fault again
        }
        last = page;
        boolean hit = ticket != NO_TICKET;
        int proposed = leap.demand(page, hit, 0, nanos, candidates);
        if (!hit) {
            count = proposed;
            next = 0;
            trend = proposed > 0 ? candidates[0] - page : 0;
        }
    }

    @Override
    public void major(long page) {
        swapping = true;
    }

    @Override
    public int next(long[] pages, int most, int batch, long latencyNanos) {
        int taken = 0;
        while (swapping && next < count && taken < most) {
            if (memory.swapped(candidates[next], 1, 1, one) == 1) {
                pages[taken++] = candidates[next];
            }
            next++;
        }
        return taken;
    }

    @Override
    public long ticket(int index) {
        return 0;
    }

    @Override
    public void taken(int count, int asked) {}

    @Override
    public void unused(long ticket) {}

    @Override
    public long patience(int batch, long latencyNanos) {
        return Long.MAX_VALUE;
    }

    @Override
    public void forget() {
        leap = new LeapPrefetcher(PAGES, settings); // a process that executes another program is rare enough
        count = 0;
        next = 0;
        swapping = false;
    }

    @Override
    public int streams() {
        return trend == 0 ? 0 : 1;
    }

    @Override
    public long trend() {
        return trend;
    }

    @Override
    public int lead() {
        return leap.windowInUse();
    }
}
