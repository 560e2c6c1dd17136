package io.leapnbd.tools.registry;

import io.leapnbd.tools.cli.DonorAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The donors that a server begins with, when a registry names them. One that had donors begins with these, and does not need the registry. One that had none waits until
 * those that are registered have room for it. What a registry says cannot make a server begin blank: who has to be heard is decided later, by the state file and the donors.
 */
public final class FirstDonors {

    private static final Logger log = LoggerFactory.getLogger(FirstDonors.class);

    /** How long a server that knows its donors waits for news of others. */
    private static final long NEWS_NANOS = TimeUnit.SECONDS.toNanos(2);

    private static final long TELL_NANOS = TimeUnit.SECONDS.toNanos(5);

    private FirstDonors() {}

    /**
     * Waits for them.
     *
     * @param source who is asked, for people
     * @param remembered those of the last server of the export
     * @param bytes that the device and its copies need
     * @param machines on so many they have to be
     * @param patience how long to wait at most
     * @return at least one
     * @throws NoDonorsException if nobody is known when the time is over
     */
    public static List<DonorAddress> await(
            DonorSource source,
            DonorNews news,
            DonorWishes wishes,
            List<DonorAddress> remembered,
            long bytes,
            int machines,
            Duration patience)
            throws NoDonorsException, InterruptedException {
        long begin = System.nanoTime();
        long most = remembered.isEmpty() ? patience.toNanos() : Math.min(NEWS_NANOS, patience.toNanos());
        DonorListing listing = news.newest();
        long told = begin;
        while (true) {
            long now = System.nanoTime();
            boolean over = now - begin >= most;
            List<DonorAddress> usable = listing == null ? List.of() : wishes.usable(listing);
            if (!remembered.isEmpty() && (over || listing != null)) {
                if (listing == null) {
                    log.warn(
                            "registry {} gives no news ({}); this server begins with the donors that it had",
                            source,
                            why(news));
                }
                return DonorWishes.join(remembered, usable);
            }
            if (listing != null && !usable.isEmpty() && (over || isEnough(listing, usable, bytes, machines))) {
                return usable;
            }
            if (over) {
                throw new NoDonorsException(
                        listing == null
                                ? "no donor is known: " + source + " gives no news (" + why(news)
                                        + "); start it, or name donors"
                                : "no donor is registered in " + source + unfit(listing)
                                        + "; start one with 'leap-nbd donor --registry', or name donors");
            }
            if (now - told >= TELL_NANOS) {
                told = now;
                log.info(
                        "waits for donors: {}",
                        listing == null
                                ? source + " gives no news (" + why(news) + ")"
                                : "those in " + source + " have too little room, or are on too few machines");
            }
            listing = news.await(listing, Math.min(TELL_NANOS, begin + most - now));
        }
    }

    private static boolean isEnough(DonorListing listing, List<DonorAddress> usable, long bytes, int machines) {
        return room(listing) >= bytes
                && usable.stream().map(DonorAddress::machine).distinct().count() >= machines;
    }

    private static String unfit(DonorListing listing) {
        return listing.unfit().isEmpty()
                ? ""
                : " that can be used (" + listing.unfit().getFirst() + ")";
    }

    private static String why(DonorNews news) {
        @Nullable String why = news.complaint();
        return why == null ? "it has not answered yet" : why;
    }

    /** What they would lend; without limit if one of them does not say. */
    private static long room(DonorListing listing) {
        long sum = 0;
        for (DonorRecord one : listing.donors()) {
            if (one.state() == DonorRecord.State.READY) {
                if (one.free() < 0) {
                    return Long.MAX_VALUE;
                }
                // Anybody may write anything there.
                sum = Math.min(Long.MAX_VALUE / 2, sum + Math.min(Long.MAX_VALUE / 4, one.free()));
            }
        }
        return sum;
    }
}
