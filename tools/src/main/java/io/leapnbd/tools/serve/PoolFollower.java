package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.registry.DonorListing;
import io.leapnbd.tools.registry.DonorRecord;
import io.leapnbd.tools.registry.DonorWishes.Add;
import io.leapnbd.tools.registry.DonorWishes.Present;
import io.leapnbd.tools.registry.DonorWishes.Wish;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has a running server use the donors that a registry names, by the way that {@code leap-nbd set donors+=} and {@code donors-=} take, with all their checks. Has a thread of
 * its own, and nothing waits for that.
 */
final class PoolFollower implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(PoolFollower.class);

    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long FIRST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(60);

    private final RegistryFeed feed;
    private final RemoteDevice device;
    private final SettingsControl control;
    private final Thread thread;

    /** By wish: what speaks against it, and when it is tried again. The thread's, but others read the sentences. */
    private final Map<String, Refusal> refusals = new ConcurrentHashMap<>();

    private record Refusal(String sentence, long pause, long again) {}

    /** Follows from now on. */
    PoolFollower(RegistryFeed feed, RemoteDevice device, SettingsControl control) {
        this.feed = feed;
        this.device = device;
        this.control = control;
        // Before anything can be placed there.
        feed.remembered().write(control.donorNames());
        thread = Thread.ofPlatform().name("pool").daemon().start(this::run);
    }

    private void run() {
        DonorListing listing = null;
        while (!Thread.currentThread().isInterrupted()) {
            try {
                listing = feed.news().await(listing, LOOK_NANOS);
                feed.remembered().write(control.donorNames());
                if (listing != null) {
                    follow(listing);
                }
            } catch (InterruptedException _) {
                // It is closed.
                return;
            } catch (RuntimeException e) {
                log.error("what registry {} names was not looked at, by a defect", feed.source(), e);
                if (!pause()) {
                    return;
                }
            }
        }
    }

    private static boolean pause() {
        try {
            TimeUnit.NANOSECONDS.sleep(FIRST_PAUSE_NANOS);
            return true;
        } catch (InterruptedException _) {
            return false;
        }
    }

    private void follow(DonorListing listing) {
        List<Wish> wishes = feed.wishes().of(listing, present(), device.donors().size());
        Map<String, Wish> wanted = new HashMap<>();
        wishes.forEach(wish -> wanted.put(key(wish), wish));
        refusals.keySet().retainAll(wanted.keySet());
        for (Map.Entry<String, Wish> one : wanted.entrySet()) {
            Refusal before = refusals.get(one.getKey());
            if (Thread.currentThread().isInterrupted()) {
                return;
            }
            if (before == null || System.nanoTime() - before.again() >= 0) {
                make(one.getKey(), one.getValue(), before);
            }
        }
    }

    private void make(String key, Wish wish, @Nullable Refusal before) {
        boolean add = wish instanceof Add;
        io.leapnbd.tools.cli.DonorAddress donor = wish.donor();
        try {
            log.info("registry {} names donor {}, which {}", feed.source(), donor, add ? "is new" : "leaves");
            var _ = control.make(Map.of(add ? DonorSettings.MORE : DonorSettings.LESS, text(donor)));
            if (wish instanceof Add added) {
                feed.wishes().added(added);
            }
            refusals.remove(key);
        } catch (IllegalArgumentException e) {
            String sentence = String.valueOf(e.getMessage());
            if (before == null || !before.sentence().equals(sentence)) {
                log.warn(
                        "donor {} of registry {} is not {}: {}",
                        donor,
                        feed.source(),
                        add ? "added" : "left",
                        sentence);
            }
            long pause = before == null ? FIRST_PAUSE_NANOS : Math.min(LONGEST_PAUSE_NANOS, 2 * before.pause());
            refusals.put(key, new Refusal(sentence, pause, System.nanoTime() + pause));
        }
    }

    private static String key(Wish wish) {
        return (wish instanceof Add add
                ? "donor " + add.donor() + " is not added"
                : "donor " + wish.donor() + " is not left");
    }

    private static String text(io.leapnbd.tools.cli.DonorAddress donor) {
        return donor.zone().isEmpty() ? donor.toString() : donor + "?zone=" + donor.zone();
    }

    private List<Present> present() {
        List<Present> present = new ArrayList<>();
        for (Donor donor : device.donorSet().present()) {
            DonorAddress address = device.donorSet().addressOf(donor);
            if (address != null) {
                UUID incarnation = donor.incarnation();
                present.add(new Present(
                        new io.leapnbd.tools.cli.DonorAddress(
                                address.transport(), new HostPort(address.host(), address.port()), address.zone()),
                        incarnation == null ? "" : DonorRecord.processOf(incarnation),
                        donor.use() == Donor.Use.LEAVING || donor.use() == Donor.Use.DISOWNED));
            }
        }
        return present;
    }

    /** What is not as it should be, a sentence each. Any thread. */
    List<String> complaints() {
        List<String> complaints = new ArrayList<>();
        String why = feed.news().complaint();
        if (why != null) {
            complaints.add("registry " + feed.source() + " gives no news (" + why + "); donors stay as they are");
        }
        refusals.forEach((wish, refusal) -> complaints.add(wish + ": " + refusal.sentence()));
        DonorListing listing = feed.news().newest();
        if (listing != null) {
            complaints.addAll(listing.unfit());
        }
        return complaints;
    }

    /** In a line, for people. Any thread. */
    String text() {
        DonorListing listing = feed.news().newest();
        return "donors are named by " + feed.source() + ": "
                + (listing == null ? "no news yet" : listing.donors().size() + " now")
                + (feed.news().complaint() == null ? "" : ", which is not heard");
    }

    /** Puts it into an open JSON object. Any thread. */
    void putInto(Json json) {
        DonorListing listing = feed.news().newest();
        json.object("registry")
                .put("source", feed.source().toString())
                .put("heard", feed.news().complaint() == null && listing != null)
                .put("donors", listing == null ? -1 : listing.donors().size())
                .endObject();
    }

    @Override
    public void close() {
        thread.interrupt();
        feed.close();
        try {
            // It may be in the middle of a change, which takes seconds at most.
            boolean _ = thread.join(java.time.Duration.ofSeconds(5));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
