package io.leapnbd.tools.registry;

import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Where one thread posts the newest listing, and others read it. Any thread. */
final class NewsBoard {

    private @Nullable DonorListing newest;

    /** How many there were. */
    private long posts;

    private @Nullable String complaint;

    NewsBoard() {}

    synchronized void post(DonorListing listing) {
        complaint = null;
        if (!listing.equals(newest)) {
            newest = listing;
            posts++;
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
        long before = posts;
        boolean isKnown = Objects.equals(newest, known);
        for (long left = nanos; isKnown && posts == before && left > 0; left = end - System.nanoTime()) {
            TimeUnit.NANOSECONDS.timedWait(this, left);
        }
        return newest;
    }
}
