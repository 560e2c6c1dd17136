package io.leapnbd.tools.registry;

import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** News of a pool's donors: a thread of its own posts them, and any thread may ask. */
public abstract class DonorNews implements AutoCloseable {

    private @Nullable DonorListing newest;

    /** How many there were. */
    private long posts;

    private @Nullable String complaint;

    DonorNews() {}

    /**
     * Listens to a registry from now on.
     *
     * @throws IllegalArgumentException of a list, which has no news
     */
    public static DonorNews open(DonorSource source, RegistryAccess access) {
        return switch (source) {
            case DonorSource.Etcd etcd -> new EtcdNews(etcd, access);
            case DonorSource.Dns dns -> new DnsNews(dns);
            case DonorSource.Named _ -> throw new IllegalArgumentException("a list of donors has no news");
        };
    }

    /** The newest that was heard, which stays when nothing is heard any more; null before the first. */
    public final synchronized @Nullable DonorListing newest() {
        return newest;
    }

    /**
     * Waits for another one than {@code known}.
     *
     * @param nanos how long at most
     * @return the newest, which may be {@code known}
     */
    public final synchronized @Nullable DonorListing await(@Nullable DonorListing known, long nanos)
            throws InterruptedException {
        long end = System.nanoTime() + nanos;
        long before = posts;
        boolean isKnown = Objects.equals(newest, known);
        for (long left = nanos; isKnown && posts == before && left > 0; left = end - System.nanoTime()) {
            TimeUnit.NANOSECONDS.timedWait(this, left);
        }
        return newest;
    }

    /** Why nothing is heard at the moment, in words that follow the name; null if all is well. */
    public final synchronized @Nullable String complaint() {
        return complaint;
    }

    /** Something is heard. */
    final synchronized void post(DonorListing listing) {
        complaint = null;
        if (!listing.equals(newest)) {
            newest = listing;
            posts++;
            notifyAll();
        }
    }

    /** Nothing is heard, for this reason. Returns whether that is new. */
    final synchronized boolean complain(String why) {
        boolean fresh = complaint == null;
        complaint = why;
        return fresh;
    }

    /** Hears nothing more. */
    @Override
    public abstract void close();
}
