package io.leapnbd.donor.store;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A, F8: random servers observe, claim, join, grant, place, free, list and vanish; leases end; so many exports come by that tombstones are thrown
 * out. An oracle that is told only what was answered knows which claims may be accepted, and whose slabs are whose.
 */
class ExportHistoryTest {

    private static final int STEPS = 4000;
    private static final int SLABS = 24;
    private static final String[] EXPORTS = {"a", "b", "c"};

    private static final Held NOTHING = new Held(0, 0, false, 0, SlabCopies.ALONE);

    private final AtomicLong clock = new AtomicLong();
    private final Map<String, Truth> truths = new HashMap<>();

    /** Every export and epoch that a claim was accepted after. */
    private final Set<String> used = new HashSet<>();

    private SplittableRandom random = new SplittableRandom();
    private long servers;

    /** What the donor must hold of an export. */
    private static final class Truth {
        long highestEpoch;
        UUID content = HelloReply.NONE;
        long server;
        final Map<Integer, Held> slabs = new TreeMap<>();
        final Set<Claim> links = new HashSet<>();
        long lastLinkGone;
    }

    private record Held(int handle, long grant, boolean toBeFilled, long version, SlabCopies copies) {}

    private record Link(String export, long server, long epoch, UUID content, Claim claim) {}

    private record Seen(String export, HelloReply reply) {}

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void noObservationIsClaimedTwiceAndNoSlabsOfOtherContentsAreMet(long seed) throws IOException {
        random = new SplittableRandom(seed);
        for (String export : EXPORTS) {
            truths.put(export, new Truth());
        }
        List<Link> links = new ArrayList<>();
        List<Seen> observations = new ArrayList<>();
        try (SlabStore store = SlabStore.open(Settings.slabs(SLABS, clock).withMaxExports(8))) {
            long lease = StoreSettings.DEFAULT_LEASE.toNanos();
            for (int step = 0; step < STEPS; step++) {
                String export = EXPORTS[random.nextInt(EXPORTS.length)];
                switch (random.nextInt(24)) {
                    case 0, 1, 2 -> observations.add(observe(store, export));
                    case 3, 4, 5 -> claim(store, observations, links);
                    case 6 -> join(store, links);
                    case 7, 8, 9, 10 -> grant(store, links);
                    case 11, 12 -> free(store, links);
                    case 13, 14, 15 -> list(store, links);
                    case 16, 17 -> vanish(links);
                    case 18, 19, 20, 21 -> place(store, links);
                    case 22 -> pass(store, random.nextLong(lease), lease);
                    default -> {
                        if (random.nextInt(40) == 0) {
                            floodWithExports(store, lease);
                        }
                    }
                }
            }
            for (Link link : links) {
                link.claim.close();
            }
        }
    }

    private Seen observe(SlabStore store, String export) {
        HelloReply reply = reply(store.hello(Hellos.observe(export)));
        Truth truth = truth(export);
        assertThat(reply.epoch()).isGreaterThanOrEqualTo(truth.highestEpoch);
        assertThat(reply.content()).isEqualTo(truth.content);
        assertThat(reply.heldSlabs()).isEqualTo(truth.slabs.size());
        assertThat(reply.links()).isEqualTo(truth.links.size());
        return new Seen(export, reply);
    }

    private void claim(SlabStore store, List<Seen> observations, List<Link> links) {
        if (observations.isEmpty()) {
            return;
        }
        // Most claims come late.
        Seen seen = observations.get(Math.max(0, observations.size() - 1 - random.nextInt(6)));
        Truth truth = truth(seen.export);
        UUID found = seen.reply.content();
        boolean blank = random.nextInt(3) == 0;
        boolean fresh = found.equals(HelloReply.NONE) || (blank && random.nextBoolean());
        UUID content = fresh ? new UUID(random.nextLong(), 1) : found;
        long server = ++servers;
        HelloReply now = reply(store.hello(Hellos.observe(seen.export)));
        Admission admission = store.hello(Hellos.claim(seen.export, blank, seen.reply.epoch(), found, content, server));
        boolean asSeen = now.epoch() == seen.reply.epoch() && now.content().equals(found);
        assertThat(Status.name(admission.status())).isEqualTo(Status.name(asSeen ? Status.OK : Status.CONFLICT));
        if (!asSeen) {
            assertThat(reply(admission).epoch()).isEqualTo(now.epoch());
            return;
        }
        assertThat(used.add(seen.export + seen.reply.epoch()))
                .as("the same observation, claimed twice")
                .isTrue();
        long epoch = reply(admission).epoch();
        assertThat(epoch).isEqualTo(seen.reply.epoch() + 1).isGreaterThan(truth.highestEpoch);
        truth.highestEpoch = epoch;
        truth.content = content;
        truth.server = server;
        truth.links.clear();
        if (blank) {
            truth.slabs.clear();
        }
        Claim claim = claimOf(admission);
        truth.links.add(claim);
        links.add(new Link(seen.export, server, epoch, content, claim));
    }

    private void join(SlabStore store, List<Link> links) {
        if (links.isEmpty()) {
            return;
        }
        Link link = any(links);
        Truth truth = truth(link.export);
        Admission admission = store.hello(Hello.join(link.export, 1, link.epoch, Hellos.instance(link.server)));
        boolean owns = truth.server == link.server && !truth.content.equals(HelloReply.NONE);
        assertThat(admission.status()).isEqualTo(owns ? Status.OK : Status.FENCED);
        if (owns) {
            Claim claim = claimOf(admission);
            truth.links.add(claim);
            links.add(new Link(link.export, link.server, link.epoch, link.content, claim));
        }
    }

    private void grant(SlabStore store, List<Link> links) {
        if (links.isEmpty()) {
            return;
        }
        Link link = any(links);
        Truth truth = truth(link.export);
        int index = random.nextInt(12);
        int counter = random.nextInt(4);
        SlabCopies copies = random.nextInt(3) == 0 ? SlabCopies.FILLING : SlabCopies.ALONE;
        Granted granted = store.grant(link.claim, index, Version.ofGrant(link.server, counter), copies, new long[0]);
        if (!truth.links.contains(link.claim)) {
            assertThat(granted.status()).isEqualTo(Status.FENCED);
            return;
        }
        Held held = truth.slabs.getOrDefault(index, NOTHING);
        long version = Version.ofGrant(link.server, counter);
        if (version != held.grant && version <= held.version) {
            assertThat(granted.status()).isEqualTo(Status.STALE);
        } else if (version == held.grant) {
            boolean again = copies.filling() == held.toBeFilled;
            assertThat(granted)
                    .isEqualTo(again ? new Granted(Status.OK, held.handle) : new Granted(Status.BAD_REQUEST, 0));
        } else {
            truth.slabs.remove(index);
            if (granted.status() == Status.OK) {
                // Never the slab of somebody else, nor the older one of this index.
                assertThat(truths.values())
                        .allSatisfy(other -> assertThat(other.slabs.values())
                                .extracting(Held::handle)
                                .doesNotContain(granted.handle()));
                assertThat(granted.handle()).isNotEqualTo(held.handle);
                truth.slabs.put(index, new Held(granted.handle(), version, copies.filling(), version, copies));
            } else {
                assertThat(granted.status()).isEqualTo(Status.NO_SPACE);
            }
        }
    }

    private void place(SlabStore store, List<Link> links) {
        Truth of = truth(EXPORTS[random.nextInt(EXPORTS.length)]);
        if (links.isEmpty() || of.slabs.isEmpty()) {
            return;
        }
        Link link = any(links);
        Truth truth = truth(link.export);
        Map.Entry<Integer, Held> slab = of.slabs.entrySet().iterator().next();
        Held held = slab.getValue();
        long version = Version.ofGrant(link.server, random.nextInt(4));
        SlabName other = new SlabName(new UUID(random.nextInt(2), 5), 1, 1);
        // At times the handle is that of another grant.
        boolean mistaken = random.nextInt(4) == 0;
        SlabName own = new SlabName(store.incarnation(), held.handle, held.grant + (mistaken ? 1 : 0));
        SlabCopies copies = switch (random.nextInt(3)) {
            case 0 -> SlabCopies.live(List.of(own));
            case 1 -> SlabCopies.live(List.of(own, other));
            default -> SlabCopies.filling(List.of(other));
        };
        SlabCopies kept = copies.at(own);
        byte status = store.place(link.claim, held.handle, version, copies);
        if (!truth.links.contains(link.claim)) {
            assertThat(status).isEqualTo(Status.FENCED);
        } else if (!truth.equals(of) || (mistaken && !copies.filling())) {
            assertThat(status).isEqualTo(Status.NOT_OWNER);
        } else if (version < held.version) {
            assertThat(status).isEqualTo(Status.STALE);
        } else if (version == held.version) {
            assertThat(status).isEqualTo(kept.equals(held.copies) ? Status.OK : Status.BAD_REQUEST);
        } else {
            assertThat(status).isEqualTo(Status.OK);
            of.slabs.put(slab.getKey(), new Held(held.handle, held.grant, held.toBeFilled, version, kept));
        }
    }

    private void free(SlabStore store, List<Link> links) {
        Truth from = truth(EXPORTS[random.nextInt(EXPORTS.length)]);
        if (links.isEmpty() || from.slabs.isEmpty()) {
            return;
        }
        Link link = any(links);
        Truth truth = truth(link.export);
        Map.Entry<Integer, Held> slab = from.slabs.entrySet().iterator().next();
        long generation = slab.getValue().version - random.nextInt(2);
        byte status = store.free(link.claim, slab.getValue().handle, generation);
        if (!truth.links.contains(link.claim)) {
            assertThat(status).isEqualTo(Status.FENCED);
        } else if (!truth.equals(from)) {
            assertThat(status).isEqualTo(Status.NOT_OWNER);
        } else if (generation < slab.getValue().version) {
            assertThat(status).isEqualTo(Status.STALE);
        } else {
            assertThat(status).isEqualTo(Status.OK);
            from.slabs.remove(slab.getKey());
        }
    }

    private void list(SlabStore store, List<Link> links) {
        if (links.isEmpty()) {
            return;
        }
        Link link = any(links);
        Truth truth = truth(link.export);
        Listing listing = store.list(link.claim, 0);
        if (!truth.links.contains(link.claim)) {
            assertThat(listing.status()).isEqualTo(Status.FENCED);
            return;
        }
        SlabList slabs = listing.slabs();
        Map<Integer, Held> listed = new TreeMap<>();
        for (int i = 0; i < slabs.size(); i++) {
            Held known = truth.slabs.getOrDefault(slabs.index(i), NOTHING);
            listed.put(
                    slabs.index(i),
                    new Held(
                            slabs.handle(i),
                            slabs.grantVersion(i),
                            known.toBeFilled,
                            slabs.generation(i),
                            slabs.copies(i)));
        }
        assertThat(listed).isEqualTo(truth.slabs);
    }

    private void vanish(List<Link> links) {
        if (links.isEmpty()) {
            return;
        }
        Link link = links.remove(random.nextInt(links.size()));
        link.claim.close();
        Truth truth = truth(link.export);
        if (truth.links.remove(link.claim) && truth.links.isEmpty()) {
            truth.lastLinkGone = clock.get();
        }
    }

    /** Lets time pass; leases end. */
    private void pass(SlabStore store, long nanos, long lease) {
        clock.addAndGet(nanos);
        store.expireLeases();
        for (Truth truth : truths.values()) {
            if (truth.links.isEmpty() && clock.get() - truth.lastLinkGone >= lease) {
                truth.slabs.clear();
                truth.content = HelloReply.NONE;
                truth.server = 0;
            }
        }
    }

    /** More exports than there are tombstones come and go. */
    private void floodWithExports(SlabStore store, long lease) {
        for (int i = 0; i < Tombstones.MOST + 10; i++) {
            String name = "flood" + i;
            HelloReply found = reply(store.hello(Hellos.observe(name)));
            Admission admission = store.hello(Hellos.claim(name, found.epoch(), found.content(), 1_000_000 + i));
            assertThat(admission.status()).isEqualTo(Status.OK);
            claimOf(admission).close();
            if (i % 4 == 3) {
                pass(store, TimeUnit.SECONDS.toNanos(6), lease);
            }
        }
        pass(store, lease, lease);
    }

    private Link any(List<Link> links) {
        return links.get(random.nextInt(links.size()));
    }

    private Truth truth(String export) {
        return requireNonNull(truths.get(export));
    }

    private static HelloReply reply(Admission admission) {
        return requireNonNull(admission.reply());
    }

    private static Claim claimOf(Admission admission) {
        return requireNonNull(admission.claim());
    }
}
