package io.leapnbd.bypass;

import io.leapnbd.bypass.cache.CachedPages;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.nbd.spi.Completion;
import java.util.concurrent.TimeUnit;

/**
 * A client's advice to cache a range, on its way through its pages: some at a time, and no more while enough fetches are under way. It is
 * advice, and given up when its time is over. For the loop's thread.
 */
final class CacheWalk implements Runnable {

    /** Pages that one step looks at. */
    private static final int PAGES_A_STEP = 2048;

    private static final long LATER_MICROS = 500;

    private final DeviceLoop loop;
    private final CachedPages pages;
    private final long end;
    private final long deadlineNanos;
    private final Completion completion;
    private long next;

    CacheWalk(DeviceLoop loop, CachedPages pages, long offset, long length, Completion completion) {
        this.loop = loop;
        this.pages = pages;
        this.completion = completion;
        next = offset;
        end = offset + length;
        deadlineNanos = loop.deadline(System.nanoTime());
    }

    /** Fetches a range. One that is done at once, as a few pages are, allocates nothing. */
    static void walk(DeviceLoop loop, CachedPages pages, long offset, long length, Completion completion) {
        long end = offset + length;
        long next = step(loop, pages, offset, end);
        if (next == end) {
            completion.complete(0);
        } else {
            new CacheWalk(loop, pages, next, end - next, completion).goOn(next > offset);
        }
    }

    private static long step(DeviceLoop loop, CachedPages pages, long from, long end) {
        try {
            return pages.prefetch(from, end, PAGES_A_STEP);
        } catch (RuntimeException | Error e) {
            loop.defect(e);
            return end;
        }
    }

    /** Goes on for a bit. */
    @Override
    public void run() {
        long before = next;
        next = step(loop, pages, before, end);
        if (next == end || System.nanoTime() - deadlineNanos >= 0) {
            completion.complete(0);
        } else {
            goOn(next > before);
        }
    }

    private void goOn(boolean atOnce) {
        if (atOnce) {
            loop.steps().add(this);
        } else {
            loop.later(() -> loop.steps().add(this), LATER_MICROS, TimeUnit.MICROSECONDS);
        }
    }
}
