package io.leapnbd.bypass.takeover;

import static java.util.Objects.requireNonNull;

import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.map.LockedStateFile;
import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.map.StateHeader;
import io.leapnbd.bypass.path.Versions;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.TakeoverExecution.PageMarks;
import io.leapnbd.bypass.takeover.Verdict.ClaimOrder;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import io.leapnbd.bypass.takeover.Verdict.Source;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.MarkedPages;
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

    /** By place, of the donors that are claimed. */
    private final Map<Integer, Claim> claims = new HashMap<>();

    private final Map<Integer, Long> epochs = new HashMap<>();

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
                seenNotes.put(place, donor.describe().noteVersion());
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
        if (!granted.waiting().isEmpty()) {
            world.say("  waits for " + granted.waiting());
        }
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
        if (standings == null || !awaitOldOwner(granted, file, note)) {
            return null;
        }
        giveUp(granted);
        if (waitsForTwoAtOneAddress(granted)) {
            world.say("  two processes are waited for at one address: the start fails");
            world.tally().ambiguous++;
            file.abandon();
            locked.close();
            return null;
        }
        return new SimServer(
                world, host, named, locked, file, note, standings, content, instance, granted.term(), world.copies());
    }

    /** After addresses were changed, a file may name two processes where one does not answer. A server has one link there, and does not start. */
    private static boolean waitsForTwoAtOneAddress(Granted granted) {
        return new HashSet<>(granted.waiting().values()).size()
                < granted.waiting().size();
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
            List<@Nullable SlabRow> before = rows(file);
            int _ = TakeoverExecution.loseGone(file, granted);
            for (int slab = 0; slab < Truths.SLABS; slab++) {
                SlabRow row = before.get(slab);
                UUID content = granted.content();
                if (row != null && file.row(slab) == null && content != null) {
                    boolean held = believed(row).stream().anyMatch(copy -> network.holds(copy, content));
                    world.lost(content, slab, false, held, "the start, before its claims");
                }
            }
            file.claiming(instance, granted.term(), granted.complete() ? host.boot() : StateHeader.NOBODY);
        } else {
            file = locked.create(options.size(), 20);
            file.claiming(instance, granted.term(), host.boot());
        }
        return file;
    }

    private static List<@Nullable SlabRow> rows(StateFile file) {
        List<@Nullable SlabRow> rows = new ArrayList<>();
        for (int slab = 0; slab < Truths.SLABS; slab++) {
            rows.add(file.row(slab));
        }
        return rows;
    }

    private static List<SlabName> believed(SlabRow row) {
        return row.copies().stream()
                .filter(copy -> copy.state() != State.FILLING)
                .map(copy -> new SlabName(copy.incarnation(), copy.handle(), copy.grantVersion()))
                .toList();
    }

    private boolean claim(Granted granted, StateFile file, UUID content, ExportNote note) throws IOException {
        List<ClaimOrder> orders = new ArrayList<>(anyOrder(granted.members()));
        orders.addAll(anyOrder(granted.others()));
        for (ClaimOrder order : orders) {
            world.disturb(host);
            SimDonor donor = at(order.donor());
            Claim claim = isThere(order)
                    ? donor.hello(Hello.claim(
                                    "e",
                                    0,
                                    order.blank(),
                                    order.epoch(),
                                    order.found(),
                                    requireNonNull(seenNotes.get(order.donor())),
                                    content,
                                    instance,
                                    granted.term(),
                                    host.id(),
                                    "host " + host.number(),
                                    note.encode()))
                            .claim()
                    : null;
            if (claim == null) {
                conflict("something has changed at", order, file);
                return false;
            }
            claims.put(order.donor(), claim);
            epochs.put(order.donor(), donor.describe().epoch());
            if (granted.source() != Source.BLANK) {
                // A donor process that has just begun does not know what the one before has answered.
                long answered = donor.answered < 0 ? network.now() : donor.answered;
                oldOwnerUntil = Math.max(oldOwnerUntil, answered + OWNER_NANOS);
            }
            network.claimed(donor, null);
            if (killedHere(AMONG_CLAIMS, file)) {
                return false;
            }
        }
        world.disturb(host);
        return allAreOurs("nothing can be listed at", granted, file);
    }

    private boolean allAreOurs(String otherwise, Granted granted, StateFile file) throws IOException {
        for (ClaimOrder order : granted.claims()) {
            if (!isOurs(order)) {
                conflict(otherwise, order, file);
                return false;
            }
        }
        return true;
    }

    private boolean isOurs(ClaimOrder order) {
        return isThere(order) && !requireNonNull(claims.get(order.donor())).fenced();
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

    /** Answers null if it did not get to its end. */
    private @Nullable List<DonorStanding> execute(
            Granted granted, @Nullable Recorded recorded, StateFile file, UUID content, ExportNote note)
            throws IOException {
        List<HeldSlabs> held = new ArrayList<>();
        for (ClaimOrder order : granted.claims()) {
            SlabList slabs = at(order.donor())
                    .store
                    .list(requireNonNull(claims.get(order.donor())), 0)
                    .slabs();
            HeldSlabs list = new HeldSlabs(order.donor(), order.incarnation(), slabs.size());
            for (int i = 0; i < slabs.size(); i++) {
                list.add(
                        slabs.index(i),
                        slabs.handle(i),
                        slabs.grantVersion(i),
                        slabs.generation(i),
                        slabs.touched(i),
                        slabs.copies(i));
            }
            held.add(list);
        }
        TakeoverPlan plan = TakeoverPlan.of(granted, recorded, Truths.SLABS, held);
        judge(granted, content, file, plan, held);
        if (!tellCopies(granted, plan, file)) {
            return null;
        }
        TakeoverNotes.putDonors(file, granted, this::address, place -> requireNonNull(epochs.get(place)), instance);
        TakeoverExecution execution = new TakeoverExecution(
                file, (place, handle) -> marks(granted, place, handle), Versions.beforeGrants(granted.term()));
        for (int slab = 0; slab < Truths.SLABS; slab++) {
            if (!allAreOurs("pages cannot be asked for at", granted, file)) {
                return null;
            }
            execution.apply(plan, slab);
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
        if (!tellNote("the note cannot be told to", granted, file, note) || !free(plan, granted, file)) {
            return null;
        }
        return TakeoverNotes.standings(file, granted, named.size(), place -> requireNonNull(epochs.get(place)));
    }

    /** Whether what the plan calls lost has to be. */
    private void judge(Granted granted, UUID content, StateFile file, TakeoverPlan plan, List<HeldSlabs> held) {
        boolean truth = granted.source() == Source.FILE && granted.complete();
        Set<SlabName> there = new HashSet<>();
        Set<SlabName> touched = new HashSet<>();
        for (HeldSlabs list : held) {
            for (int i = 0; i < list.count() && !granted.abandoned().contains(list.donor()); i++) {
                there.add(list.name(i));
                if (list.touched(i)) {
                    touched.add(list.name(i));
                }
            }
        }
        for (int slab = 0; slab < Truths.SLABS; slab++) {
            TakeoverPlan.Fate fate = plan.fate(slab);
            if (fate != TakeoverPlan.Fate.LOST_AS_WRITTEN && fate != TakeoverPlan.Fate.LOST_WHOLE) {
                continue;
            }
            SlabRow row = truth ? file.row(slab) : null;
            boolean needless;
            if (row != null) {
                needless = believed(row).stream()
                        .anyMatch(copy ->
                                there.contains(copy) || granted.waiting().containsKey(copy.incarnation()));
            } else {
                Set<SlabName> needed = world.truths().needed(content, slab);
                needless =
                        !truth && there.containsAll(needed) && needed.stream().anyMatch(touched::contains);
            }
            world.say("  slab " + slab + " is lost: " + fate);
            for (HeldSlabs list : held) {
                int at = list.find(slab);
                if (at >= 0) {
                    world.say("    " + list.name(at) + ", generation " + Long.toHexString(list.generation(at))
                            + (list.filling(at) ? ", filling" : "") + (list.touched(at) ? "" : ", untouched")
                            + ", of " + list.names(at));
                }
            }
            world.lost(content, slab, fate == TakeoverPlan.Fate.LOST_WHOLE, needless, "the start");
        }
    }

    /** As {@link Takeover} does it: before any row names a copy, the others are told of it. */
    private boolean tellCopies(Granted granted, TakeoverPlan plan, StateFile file) throws IOException {
        for (ClaimOrder order : anyOrder(granted.claims())) {
            for (int slab = 0; slab < Truths.SLABS; slab++) {
                PlannedSlab planned = plan.planned(slab);
                if (planned == null || !planned.untold()) {
                    continue;
                }
                for (PlannedSlab.Copy copy : planned.copies()) {
                    if (copy.donor() != order.donor() || !copy.heard() || copy.state() != State.LIVE) {
                        continue;
                    }
                    world.disturb(host);
                    byte status = isThere(order)
                            ? at(copy.donor())
                                    .store
                                    .place(
                                            requireNonNull(claims.get(copy.donor())),
                                            copy.handle(),
                                            Versions.beforeGrants(granted.term()),
                                            SlabCopies.live(planned.live()))
                            : Status.FENCED;
                    if (status != Status.OK) {
                        conflict("a placement is not taken by", order, file);
                        return false;
                    }
                    world.say("  slab " + slab + ": donor " + named.get(copy.donor()) + " is told of its copies");
                    if (killedHere("while it tells of copies", file)) {
                        return false;
                    }
                }
            }
        }
        return true;
    }

    private boolean tellNote(String otherwise, Granted granted, StateFile file, ExportNote note) throws IOException {
        for (ClaimOrder order : granted.claims()) {
            byte status = isThere(order)
                    ? at(order.donor())
                            .store
                            .note(requireNonNull(claims.get(order.donor())), note.version(), note.encode())
                    : Status.FENCED;
            if (status != Status.OK) {
                conflict(otherwise, order, file);
                return false;
            }
        }
        return true;
    }

    private boolean free(TakeoverPlan plan, Granted granted, StateFile file) throws IOException {
        for (TakeoverPlan.Superseded one : plan.superseded()) {
            if (!allAreOurs("a slab cannot be given back to", granted, file)) {
                return false;
            }
            byte _ =
                    at(one.donor()).store.free(requireNonNull(claims.get(one.donor())), one.handle(), one.generation());
            if (killedHere("among slabs that it gives back", file)) {
                return false;
            }
        }
        return true;
    }

    /** Waits until the owner before can believe no more that it owns, and asks for the last word. */
    private boolean awaitOldOwner(Granted granted, StateFile file, ExportNote note) throws IOException {
        world.disturb(host);
        network.pass(Math.max(0, oldOwnerUntil - network.now()));
        world.disturb(host);
        return tellNote("the last word is not heard of", granted, file, note);
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
        MarkedPages told = at(place).store.pages(requireNonNull(claims.get(place)), handle, 0, SimDonor.SLAB_SIZE);
        if (told.status() != Status.OK) {
            throw new AssertionError("the plan names a slab that its donor does not hold");
        }
        BitSet written = new BitSet();
        BitSet lost = new BitSet();
        for (int page = 0; page < told.marks().pages(); page++) {
            written.set(page, told.marks().written(page));
            lost.set(page, told.marks().lost(page));
        }
        return new PageMarks(written, lost);
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
        giveUp(granted);
    }

    private void giveUp(Granted granted) {
        Set<UUID> kept = kept(granted);
        for (SimDonor donor : network.all()) {
            if (!donorsAreDead
                    && !kept.contains(donor.incarnation)
                    && donor.describe().content().equals(granted.content())
                    && !granted.givenUp().isEmpty()) {
                donor.givenUp = true;
            }
        }
    }

    private static Set<UUID> kept(Granted granted) {
        Set<UUID> kept = new HashSet<>(granted.waiting().keySet());
        granted.claims().forEach(order -> kept.add(order.incarnation()));
        return kept;
    }
}
