package io.leapnbd.bypass.takeover;

import static java.util.Objects.requireNonNull;

import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.map.LockedStateFile;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.map.StateHeader;
import io.leapnbd.bypass.path.Versions;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.bypass.takeover.SimDonor.SimSlab;
import io.leapnbd.bypass.takeover.TakeoverExecution.PageMarks;
import io.leapnbd.bypass.takeover.Verdict.ClaimOrder;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import io.leapnbd.bypass.takeover.Verdict.Source;
import io.leapnbd.donor.protocol.SlabCopies;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A server's start, from its survey to {@code ready}: the order of {@link Takeover}, with the real check, plan, execution and state file. */
final class SimStart {

    /** What {@link Takeover} waits for after a donor's last answer to the owner before. */
    private static final long OWNER_NANOS = TimeUnit.MILLISECONDS.toNanos(Takeover.SELF_ANSWER_MILLIS + 100);

    private static final String AMONG_CLAIMS = "among its claims";

    private final TakeoverWorld world;
    private final SimNetwork network;
    private final SimHost host;
    private final TakeoverOptions options;
    private final List<Integer> named;
    private final UUID instance;
    private final LockedStateFile locked;

    /** By place, versions of the notes that were observed. */
    private final Map<Integer, Long> seenNotes = new HashMap<>();

    private long oldOwnerUntil;

    /** How the promise of --lose-missing is kept: the donors that it gives up do not come back; otherwise the other servers do not. */
    private boolean donorsAreDead;

    SimStart(TakeoverWorld world, SimHost host, TakeoverOptions options, List<Integer> named) throws IOException {
        this.world = world;
        this.host = host;
        this.options = options;
        this.named = named;
        network = world.network();
        instance = world.newId();
        locked = LockedStateFile.open(host.state(), options.fresh(), host.boot());
    }

    /** The server, if it gets to be ready. */
    @Nullable
    SimServer run() throws IOException {
        world.tally().starts++;
        Recorded recorded = RecordedFile.of(locked);
        Verdict verdict = TakeoverCheck.check(recorded, survey(), options);
        return switch (verdict) {
            case Refused refused -> {
                world.tally().refused++;
                world.say("  refused: " + refused.sentence());
                locked.close();
                yield null;
            }
            case Granted granted -> take(granted, recorded);
        };
    }

    private List<Greeting> survey() {
        List<Greeting> greetings = new ArrayList<>();
        for (int place = 0; place < named.size(); place++) {
            SimDonor donor = at(place);
            if (donor.reachableFrom(host.number())) {
                seenNotes.put(place, donor.noteVersion);
                Found found = donor.observe(network.ownerOf(donor) != null);
                greetings.add(Greeting.of(place, address(place), found));
            } else {
                greetings.add(Greeting.none(place, address(place), "cut off"));
            }
        }
        return greetings;
    }

    private SimDonor at(int place) {
        return network.at(named.get(place));
    }

    private String address(int place) {
        return SimNetwork.address(named.get(place));
    }

    private @Nullable SimServer take(Granted granted, @Nullable Recorded recorded) throws IOException {
        world.say("  goes on by " + granted.source() + (granted.complete() ? " (complete)" : "")
                + (granted.unheldLost() ? ", what nobody holds is lost" : "") + ", term " + granted.term());
        count(granted);
        if (granted.content() != null && !granted.givenUp().isEmpty()) {
            keepPromise(granted);
        }
        UUID known = granted.content();
        UUID content = known == null ? world.newId() : known;
        ExportNote note = TakeoverNotes.atClaim(
                granted, options.size(), 20, TakeoverNotes.lost(granted, locked.found()), this::address);
        StateFile file = intend(granted);
        if (killedHere("before its claims", file) || !claim(granted, file, content, note)) {
            return null;
        }
        List<DonorStanding> standings = execute(granted, recorded, file, content, note);
        if (standings == null || !awaitOldOwner(granted, file)) {
            return null;
        }
        giveUp(granted, true);
        return new SimServer(world, host, named, locked, file, note, standings, content, instance, granted.term());
    }

    private void count(Granted granted) {
        switch (granted.source()) {
            case BLANK -> world.tally().blank++;
            case FILE -> world.tally().fromFile++;
            case LISTS -> world.tally().fromLists++;
        }
    }

    private StateFile intend(Granted granted) throws IOException {
        StateFile file;
        if (granted.source() == Source.FILE) {
            file = locked.take();
            int _ = TakeoverExecution.loseGone(file, granted);
            file.claiming(instance, granted.term(), granted.complete() ? host.boot() : StateHeader.NOBODY);
        } else {
            file = locked.create(options.size(), 20);
            file.claiming(instance, granted.term(), host.boot());
        }
        return file;
    }

    private boolean claim(Granted granted, StateFile file, UUID content, ExportNote note) throws IOException {
        List<ClaimOrder> orders = new ArrayList<>(anyOrder(granted.members()));
        orders.addAll(anyOrder(granted.others()));
        for (ClaimOrder order : orders) {
            world.disturb(host);
            SimDonor donor = at(order.donor());
            boolean wasGivenUp = donor.givenUp;
            Map<Integer, SimSlab> back = isThere(order)
                    ? donor.claim(
                            order.epoch(),
                            order.found(),
                            requireNonNull(seenNotes.get(order.donor())),
                            order.blank(),
                            content,
                            new Owner(instance, granted.term(), host.id(), "host " + host.number(), 0),
                            note.now())
                    : null;
            if (back == null) {
                conflict("something has changed at", order, file);
                return false;
            }
            if (granted.source() != Source.BLANK) {
                // A donor process that has just begun does not know what the one before has answered.
                long answered = donor.answered < 0 ? network.now() : donor.answered;
                oldOwnerUntil = Math.max(oldOwnerUntil, answered + OWNER_NANOS);
            }
            network.claimed(donor, null);
            if (granted.content() == null || wasGivenUp) {
                world.truths().gone(back);
            } else if (!back.isEmpty()) {
                world.truths().requireUnused(content, back);
            }
            if (killedHere(AMONG_CLAIMS, file)) {
                return false;
            }
        }
        world.disturb(host);
        for (ClaimOrder order : granted.claims()) {
            if (!isThere(order) || !at(order.donor()).ownedBy(instance)) {
                conflict("nothing can be listed at", order, file);
                return false;
            }
        }
        return true;
    }

    /** The first alone, then the rest at once. */
    private List<ClaimOrder> anyOrder(List<ClaimOrder> orders) {
        List<ClaimOrder> all = new ArrayList<>(orders);
        if (all.size() > 2) {
            Collections.shuffle(all.subList(1, all.size()), world.random());
        }
        return all;
    }

    private boolean isThere(ClaimOrder order) {
        SimDonor donor = at(order.donor());
        return donor.reachableFrom(host.number()) && donor.incarnation.equals(order.incarnation());
    }

    private void conflict(String what, ClaimOrder order, StateFile file) throws IOException {
        world.say("  " + what + " the donor at " + named.get(order.donor()) + ": the start ends");
        world.tally().conflicts++;
        file.abandon();
        locked.close();
    }

    /** Answers null if it was killed. */
    private @Nullable List<DonorStanding> execute(
            Granted granted, @Nullable Recorded recorded, StateFile file, UUID content, ExportNote note)
            throws IOException {
        List<HeldSlabs> held = new ArrayList<>();
        for (ClaimOrder order : granted.claims()) {
            SimDonor donor = at(order.donor());
            HeldSlabs list = new HeldSlabs(order.donor(), order.incarnation(), donor.slabs.size());
            donor.slabs.forEach((index, slab) ->
                    list.add(index, slab.handle, slab.grantVersion, slab.grantVersion, slab.touched, SlabCopies.ALONE));
            held.add(list);
        }
        TakeoverPlan plan = TakeoverPlan.of(granted, recorded, Truths.SLABS, held);
        TakeoverNotes.putDonors(file, granted, this::address, place -> at(place).epoch, instance);
        TakeoverExecution execution = new TakeoverExecution(
                file, (place, handle) -> marks(granted, place, handle), Versions.beforeGrants(granted.term()));
        for (int slab = 0; slab < Truths.SLABS; slab++) {
            execution.apply(plan, slab);
            if (plan.fate(slab) == TakeoverPlan.Fate.LOST_WHOLE) {
                world.truths().wholeMayBeLost(content, slab);
            }
            if (killedHere("in the middle of its plan", file)) {
                return null;
            }
        }
        file.own(instance, content, granted.term(), host.boot());
        TakeoverNotes.forgetDonors(file, granted);
        if (killedHere("before it has told donors what is lost", file)) {
            return null;
        }
        TakeoverNotes.exact(note, granted, file);
        granted.claims().forEach(order -> at(order.donor()).tell(note.now()));
        for (TakeoverPlan.Superseded one : plan.superseded()) {
            SimSlab slab = at(one.donor()).slabs.get(one.index());
            if (slab != null && slab.handle == one.handle()) {
                world.truths().requireUnused(content, Map.of(one.index(), slab));
                at(one.donor()).slabs.remove(one.index());
            }
        }
        return TakeoverNotes.standings(file, granted, named.size(), place -> at(place).epoch);
    }

    /** Waits until the owner before can believe no more that it owns, and asks for the last word. */
    private boolean awaitOldOwner(Granted granted, StateFile file) throws IOException {
        world.disturb(host);
        network.pass(Math.max(0, oldOwnerUntil - network.now()));
        world.disturb(host);
        for (ClaimOrder order : granted.claims()) {
            if (!isThere(order) || !at(order.donor()).ownedBy(instance)) {
                conflict("the last word is not heard of", order, file);
                return false;
            }
        }
        return true;
    }

    private boolean killedHere(String where, StateFile file) throws IOException {
        if (!world.hazard(world.habits().killedInStart) && !(where.equals(AMONG_CLAIMS) && world.killedByScene())) {
            return false;
        }
        world.say("  killed " + where);
        world.tally().killedInStart++;
        file.abandon();
        locked.close();
        return true;
    }

    private @Nullable PageMarks marks(Granted granted, int place, int handle) {
        if (granted.waiting().containsValue(place)) {
            return null;
        }
        for (SimSlab slab : at(place).slabs.values()) {
            if (slab.handle == handle) {
                BitSet written = new BitSet();
                BitSet lost = new BitSet();
                for (int page = 0; page < SimSlab.PAGES; page++) {
                    written.set(page, slab.pages[page] > 0);
                    lost.set(page, slab.pages[page] == SimDonor.LOST);
                }
                return new PageMarks(written, lost);
            }
        }
        throw new AssertionError("the plan names a slab that its donor does not hold");
    }

    /**
     * What an operator says with --lose-missing: no other server lives on, or comes back, with what is given up. Either the donors are dead
     * for good, or the other servers are, with their files.
     */
    private void keepPromise(Granted granted) throws IOException {
        donorsAreDead = world.random().nextInt(3) != 0;
        for (SimHost other : world.hosts()) {
            if (!donorsAreDead && other != host) {
                other.loseFile();
                other.loseCopy();
            }
        }
        Set<UUID> kept = kept(granted);
        for (int i = 0; i < SimNetwork.DONORS; i++) {
            if (donorsAreDead && !kept.contains(network.at(i).incarnation)) {
                network.restart(i);
            }
        }
        giveUp(granted, false);
    }

    /** What is given up may be lost as soon as a start has begun, since its file says so. When the server is there it is. */
    private void giveUp(Granted granted, boolean forGood) {
        Set<UUID> kept = kept(granted);
        for (SimDonor donor : network.all()) {
            if (!donorsAreDead
                    && !kept.contains(donor.incarnation)
                    && donor.content.equals(granted.content())
                    && !granted.givenUp().isEmpty()) {
                donor.givenUp = true;
                if (forGood) {
                    world.truths().gone(donor.slabs);
                } else {
                    world.truths().mayBeLost(donor.slabs);
                }
            }
        }
    }

    private static Set<UUID> kept(Granted granted) {
        Set<UUID> kept = new HashSet<>(granted.waiting().keySet());
        granted.claims().forEach(order -> kept.add(order.incarnation()));
        return kept;
    }
}
