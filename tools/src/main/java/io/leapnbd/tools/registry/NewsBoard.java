package io.leapnbd.tools.registry;

import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Where one thread posts the newest listing, and others read it. Any thread. */
final class NewsBoard {

    private @Nullable DonorListing newest;
    private @Nullable String complaint;

    NewsBoard() {}

    synchronized void post(DonorListing listing) {
        complaint = null;
        if (!listing.equals(newest)) {
            newest = listing;
            notifyAll();
        }
    }

    /** Nothing is heard, for this reason. Returns whether that is new. */
    synchronized boolean complain(String why) {
        boolean fresh = complaint == null;
        complaint = why;
        return fresh;
    }

    synchronized @Nullable DonorListing newest() {
        return newest;
    }

    synchronized @Nullable String complaint() {
        return complaint;
    }

    synchronized @Nullable DonorListing await(@Nullable DonorListing known, long nanos) throws InterruptedException {
        long end = System.nanoTime() + nanos;
        for (long left = nanos; newest == known && left > 0; left = end - System.nanoTime()) {
            TimeUnit.NANOSECONDS.timedWait(this, left);
        }
        return newest;
    }
}
