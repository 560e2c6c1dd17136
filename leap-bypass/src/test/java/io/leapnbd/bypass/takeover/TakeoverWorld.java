package io.leapnbd.bypass.takeover;

import static java.util.Objects.requireNonNull;

import io.leapnbd.bypass.map.LockedStateFile;
import io.leapnbd.bypass.map.PageProbe;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.map.StateHeader;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.bypass.takeover.SimDonor.SimSlab;
import io.leapnbd.bypass.takeover.TakeoverExecution.PageMarks;
import io.leapnbd.bypass.takeover.Verdict.ClaimOrder;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import io.leapnbd.bypass.takeover.Verdict.Source;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Hosts, donors and servers of one export, and an oracle that knows what was acknowledged. Servers use the real check, plan, execution and
 * state file; donors are {@link SimDonor}s. One seed is one history.
 */
final class TakeoverWorld implements AutoCloseable {

    private static final int HOSTS = 2;
    private static final int DONORS = 3;
    private static final int SLABS = 4;
    private static final long SIZE = (long) SLABS * SimDonor.SLAB_SIZE;
    private static final int PAGES = SLABS * SimSlab.PAGES;
    private static final int STEPS = 60;

    private final Random random;
    private final Habits habits;
    private final Tally tally;
    private final Path folder;
    private final List<String> story = new ArrayList<>();
    private final SimDonor[] donors = new SimDonor[DONORS];
    private final Host[] hosts = new Host[HOSTS];

    /** What was acknowledged last, and what may be read besides, of each content. */
    private final Map<UUID, Truth[]> truths = new HashMap<>();

    private long lastValue;
    private boolean disturbing;

    /** Donors have other addresses than the last server knew. */
    private boolean moved;

    TakeoverWorld(Path folder, long seed, Tally tally) throws IOException {
        this.folder = Files.createDirectories(folder);
        this.tally = tally;
        random = new Random(seed * 0x9E3779B97F4A7C15L);
        habits = new Habits(random);
        for (int i = 0; i < DONORS; i++) {
            donors[i] = new SimDonor(newId());
        }
        for (int i = 0; i < HOSTS; i++) {
            hosts[i] = new Host(i);
        }
    }

    private Truth[] truth(UUID content) {
        return truths.computeIfAbsent(content, fresh -> {
            Truth[] blank = new Truth[PAGES];
            for (int i = 0; i < PAGES; i++) {
                blank[i] = new Truth();
            }
            return blank;
        });
    }

    String story() {
        return String.join("\n", story);
    }

    void run() throws IOException {
        for (int step = 0; step < STEPS; step++) {
            step();
        }
        for (SimDonor donor : donors) {
            donor.cutFrom.clear();
        }
        for (Host host : hosts) {
            if (host.server != null) {
                host.server.readAll();
            }
        }
    }

    @Override
    public void close() throws IOException {
        for (Host host : hosts) {
            host.kill("the end");
        }
    }

    private void step() throws IOException {
        Host host = hosts[random.nextInt(HOSTS)];
        SimServer server = host.server;
        // While it starts, only what happens to donors.
        switch (host.starting ? habits.ofDonors(random) : habits.any(random)) {
            case CHANGE -> {
                if (server != null) {
                    server.change(random.nextInt(PAGES), random.nextInt(5) == 0);
                }
            }
            case READ -> {
                if (server != null) {
                    server.readAll();
                }
            }
            case START -> {
                if (server == null) {
                    host.start();
                }
            }
            case KILL -> host.kill("kill -9");
            case CLOSE -> host.closeInOrder();
            case CUT -> cutOrMend(random.nextInt(DONORS));
            case RESTART -> {
                if (!moved) {
                    restart(random.nextInt(DONORS));
                }
            }
            case SWAP -> swapAddresses();
            case EXPIRE -> expire(random.nextInt(DONORS));
            case LOSE_FILE -> host.loseFile();
            case REBOOT -> host.reboot();
            case COPY -> host.keepOrRestoreCopy();
        }
    }

    /** For one host, or for both. */
    private void cutOrMend(int i) {
        if (moved) {
            return;
        }
        BitSet cut = donors[i].cutFrom;
        if (!cut.isEmpty()) {
            cut.clear();
            say("donor " + i + " is reachable again");
        } else if (random.nextBoolean()) {
            cut.set(0, HOSTS);
            say("donor " + i + " is cut off");
        } else {
            int host = random.nextInt(HOSTS);
            cut.set(host);
            say("donor " + i + " is cut off from host " + host);
        }
    }

    private void restart(int i) {
        say("donor " + i + " restarts");
        for (Host host : hosts) {
            if (host.server != null && host.server.owns(donors[i])) {
                host.server.sawEnd.add(donors[i].incarnation);
            }
        }
        gone(donors[i].slabs);
        SimDonor next = new SimDonor(newId());
        next.cutFrom.or(donors[i].cutFrom);
        // What still knows the old process finds nothing there.
        donors[i].cutFrom.set(0, HOSTS);
        donors[i] = next;
    }

    /**
     * Only while nobody serves and all is well: a server takes a process that is not where it was for one that has ended. Nothing else happens
     * to donors until a server has seen where they are.
     */
    private void swapAddresses() {
        for (Host host : hosts) {
            if (host.server != null || host.starting) {
                return;
            }
        }
        int one = random.nextInt(DONORS);
        int other = random.nextInt(DONORS);
        for (SimDonor donor : donors) {
            if (!donor.cutFrom.isEmpty()) {
                return;
            }
        }
        moved = true;
        say("donors " + one + " and " + other + " swap addresses");
        SimDonor was = donors[one];
        donors[one] = donors[other];
        donors[other] = was;
    }

    /** Only of an export whose server has no link. */
    private void expire(int i) {
        if (moved) {
            return;
        }
        for (Host host : hosts) {
            SimServer server = host.server;
            if (server != null && server.owns(donors[i])) {
                return;
            }
        }
        say("the lease ends at donor " + i);
        gone(donors[i].expire());
    }

    /** What these slabs held is in no donor any more. */
    private void gone(Map<Integer, SimSlab> slabs) {
        slabs.forEach((index, slab) -> {
            for (Truth[] truth : truths.values()) {
                for (int page = 0; page < SimSlab.PAGES; page++) {
                    Truth at = truth[index * SimSlab.PAGES + page];
                    at.lose(slab);
                }
            }
        });
    }

    private void mayBeLost(Map<Integer, SimSlab> slabs) {
        slabs.forEach((index, slab) -> {
            for (Truth[] truth : truths.values()) {
                for (int page = 0; page < SimSlab.PAGES; page++) {
                    Truth at = truth[index * SimSlab.PAGES + page];
                    at.vague |= slab == at.holder || slab == at.unanswered;
                }
            }
        });
    }

    private UUID newId() {
        return new UUID(random.nextLong(), random.nextLong() | 1);
    }

    private void say(String what) {
        story.add(what);
    }

    /** What is right for one page. */
    private static final class Truth {

        /** Acknowledged last: 0 is blank. */
        long value;

        /** Not acknowledged, and may have been done all the same. */
        final Set<Long> perhaps = new HashSet<>();

        /** Where the value is; null if it is nowhere. */
        @Nullable
        SimSlab holder;

        /** Where what was not acknowledged is; null if it is nowhere. */
        @Nullable
        SimSlab unanswered;

        boolean lost;

        /** An error may be read although nothing was lost: a server could not know, and said so. */
        boolean vague;

        void lose(SimSlab slab) {
            if (slab == unanswered) {
                // It cannot be read any more, so what was before may not either.
                perhaps.clear();
                unanswered = null;
                vague = true;
            }
            if (slab != holder) {
                return;
            }
            holder = null;
            lost |= value != 0;
            vague = true;
        }

        void set(long to, @Nullable SimSlab in) {
            value = to;
            perhaps.clear();
            holder = in;
            unanswered = null;
            lost = false;
            vague = false;
        }
    }

    /** A machine with a state folder. */
    private final class Host {

        private final int number;
        private final UUID id = newId();
        private final Path state;
        private final Path copy;
        private UUID boot = newId();
        private @Nullable SimServer server;

        /** Its server is in the middle of its start. */
        private boolean starting;

        Host(int number) {
            this.number = number;
            state = folder.resolve("host" + number + ".state");
            copy = folder.resolve("host" + number + ".copy");
        }

        void start() throws IOException {
            boolean takeOver = habits.once(habits.takeOver, random);
            boolean fresh = habits.once(habits.fresh, random);
            boolean loseMissing = habits.once(habits.loseMissing, random) && !disturbing;
            List<Integer> named = new ArrayList<>();
            List<Integer> order = new ArrayList<>(List.of(0, 1, 2));
            java.util.Collections.shuffle(order, random);
            for (int donor : order) {
                if (!habits.once(habits.unnamed, random)) {
                    named.add(donor);
                }
            }
            if (moved) {
                // Who has moved donors names them all, until a server has seen where they are.
                named.clear();
                named.addAll(order);
            }
            if (named.isEmpty() || breaksPromise(named)) {
                return;
            }
            TakeoverOptions options = new TakeoverOptions("e", SIZE, id, 1, takeOver, fresh, loseMissing);
            say("host " + number + " starts with donors " + named + (takeOver ? " --take-over" : "")
                    + (fresh ? " --fresh" : "") + (loseMissing ? " --lose-missing" : ""));
            if (loseMissing) {
                // Who gives donors up makes sure first that no other server lives on with them.
                for (Host other : hosts) {
                    other.kill("the operator's kill");
                }
            }
            SimServer next = new SimServer(this, options, named);
            starting = true;
            next.start();
            starting = false;
        }

        /** Nobody starts from donors that were given up, and no others. */
        private boolean breaksPromise(List<Integer> named) {
            Set<UUID> givenUp = new HashSet<>();
            Set<UUID> alive = new HashSet<>();
            for (int i : named) {
                if (donors[i].reachableFrom(number)) {
                    (donors[i].givenUp ? givenUp : alive).add(donors[i].content);
                }
            }
            return !alive.containsAll(givenUp);
        }

        void kill(String how) {
            SimServer killed = server;
            if (killed != null) {
                say(how + " of the server on host " + number);
                killed.file.abandon();
                unlock(killed);
                server = null;
            }
        }

        void closeInOrder() {
            SimServer closed = server;
            if (closed != null) {
                say("the server on host " + number + " ends in good order");
                closed.file.close();
                unlock(closed);
                server = null;
            }
        }

        private void unlock(SimServer of) {
            try {
                of.locked.close();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        void loseFile() throws IOException {
            kill("kill -9");
            say("host " + number + " loses its state file");
            Files.deleteIfExists(state);
        }

        void reboot() {
            kill("a power cut");
            say("host " + number + " reboots, its state file is on a disk");
            boot = newId();
        }

        /** A copy that was kept in another boot is an old file. */
        void keepOrRestoreCopy() throws IOException {
            if (Files.exists(copy)) {
                kill("kill -9");
                say("host " + number + " has an old copy of its state file again, and reboots");
                Files.move(copy, state, StandardCopyOption.REPLACE_EXISTING);
                boot = newId();
            } else if (Files.exists(state)) {
                say("host " + number + " keeps a copy of its state file");
                Files.copy(state, copy);
            }
        }
    }

    /** A server, from its survey to its death. */
    private final class SimServer {

        private final Host host;
        private final TakeoverOptions options;
        private final List<Integer> named;
        private final UUID instance = newId();
        private LockedStateFile locked;
        private StateFile file;
        private UUID content = Found.NONE;
        private long term;
        private long grants;
        private ExportNote note;
        private final Map<UUID, SimDonor> known = new HashMap<>();

        /** By place, versions of the notes that were observed. */
        private final Map<Integer, Long> seenNotes = new HashMap<>();

        /** Donor processes that ended while this server was their owner and was connected to them. */
        private final Set<UUID> sawEnd = new HashSet<>();

        /** Addresses that the note names, and not every member is known to have been told of. */
        private final Set<String> untold = new HashSet<>();

        /** Another one ended unseen, and no donor has answered since as one that nobody else has claimed. */
        private boolean missedEnd;

        /** How the promise of --lose-missing is kept: the donors that it gives up do not come back; otherwise the other servers do not. */
        private boolean donorsAreDead;

        @SuppressWarnings("NullAway")
        SimServer(Host host, TakeoverOptions options, List<Integer> named) {
            this.host = host;
            this.options = options;
            this.named = named;
        }

        void start() throws IOException {
            tally.starts++;
            locked = LockedStateFile.open(host.state, options.fresh(), host.boot);
            List<Greeting> greetings = new ArrayList<>();
            for (int place = 0; place < named.size(); place++) {
                int donor = named.get(place);
                String address = "d" + donor;
                if (donors[donor].reachableFrom(host.number)) {
                    seenNotes.put(place, donors[donor].note.version());
                    greetings.add(Greeting.of(place, address, donors[donor].observe(answers(donors[donor]))));
                } else {
                    greetings.add(Greeting.none(place, address, "cut off"));
                }
            }
            Recorded recorded = RecordedFile.of(locked);
            Verdict verdict = TakeoverCheck.check(recorded, greetings, options);
            switch (verdict) {
                case Refused refused -> {
                    tally.refused++;
                    say("  refused: " + refused.sentence());
                    locked.close();
                }
                case Granted granted -> take(granted, recorded);
            }
        }

        private boolean answers(SimDonor donor) {
            for (Host other : hosts) {
                if (other.server != null && other.server.owns(donor)) {
                    return true;
                }
            }
            return false;
        }

        private void take(Granted granted, @Nullable Recorded recorded) throws IOException {
            say("  goes on by " + granted.source() + (recorded != null && recorded.complete() ? " (complete)" : "")
                    + (granted.unheldLost() ? ", what nobody holds is lost" : "") + ", term " + granted.term());
            count(granted);
            if (granted.content() != null && !granted.givenUp().isEmpty()) {
                keepPromise(granted);
            }
            UUID known = granted.content();
            content = known == null ? newId() : known;
            term = granted.term();
            note = TakeoverNotes.atClaim(
                    granted, SIZE, 20, TakeoverNotes.lost(granted, locked.found()), place -> "d" + named.get(place));
            if (granted.source() == Source.FILE) {
                file = locked.take();
                int _ = TakeoverExecution.loseGone(file, granted);
                file.claiming(instance, term, granted.complete() ? host.boot : StateHeader.NOBODY);
            } else {
                file = locked.create(SIZE, 20);
                file.claiming(instance, term, host.boot);
            }
            if (killedHere("before its claims")) {
                return;
            }
            for (ClaimOrder order : granted.claims()) {
                disturb();
                SimDonor donor = donors[named.get(order.donor())];
                boolean givenUp = donor.givenUp;
                Map<Integer, SimSlab> back =
                        donor.reachableFrom(host.number) && donor.incarnation.equals(order.incarnation())
                                ? donor.claim(
                                        order.epoch(),
                                        order.found(),
                                        requireNonNull(seenNotes.get(order.donor())),
                                        order.blank(),
                                        content,
                                        me(),
                                        note.now())
                                : null;
                if (back == null) {
                    say("  something has changed at the donor at " + named.get(order.donor()) + ": the start ends");
                    tally.conflicts++;
                    file.abandon();
                    locked.close();
                    return;
                }
                if (known == null || givenUp) {
                    gone(back);
                } else if (!back.isEmpty()) {
                    requireUnused(back);
                }
                if (killedHere("among its claims")) {
                    return;
                }
            }
            for (ClaimOrder order : granted.claims()) {
                SimDonor donor = donors[named.get(order.donor())];
                if (!donor.incarnation.equals(order.incarnation()) || !owns(donor)) {
                    say("  the donor at " + named.get(order.donor()) + " is not there any more: the start ends");
                    tally.conflicts++;
                    file.abandon();
                    locked.close();
                    return;
                }
            }
            execute(granted, recorded);
        }

        private void count(Granted granted) {
            switch (granted.source()) {
                case BLANK -> tally.blank++;
                case FILE -> tally.fromFile++;
                case LISTS -> tally.fromLists++;
            }
        }

        private void execute(Granted granted, @Nullable Recorded recorded) throws IOException {
            List<HeldSlabs> held = new ArrayList<>();
            for (ClaimOrder order : granted.claims()) {
                SimDonor donor = donors[named.get(order.donor())];
                HeldSlabs list = new HeldSlabs(order.donor(), order.incarnation(), donor.slabs.size());
                donor.slabs.forEach((index, slab) -> list.add(index, slab.handle, slab.grantVersion, slab.touched));
                held.add(list);
                known.put(order.incarnation(), donor);
            }
            TakeoverPlan plan = TakeoverPlan.of(granted, recorded, SLABS, held);
            TakeoverNotes.putDonors(
                    file, granted, place -> "d" + named.get(place), place -> donors[named.get(place)].epoch, instance);
            TakeoverExecution execution = new TakeoverExecution(
                    file,
                    place -> donors[named.get(place)].incarnation,
                    (place, handle) -> marks(granted, place, handle));
            for (int slab = 0; slab < SLABS; slab++) {
                execution.apply(plan, slab);
                if (plan.fate(slab) == TakeoverPlan.Fate.LOST_WHOLE) {
                    for (int page = 0; page < SimSlab.PAGES; page++) {
                        truth(content)[slab * SimSlab.PAGES + page].vague = true;
                    }
                }
                if (killedHere("in the middle of its plan")) {
                    return;
                }
            }
            file.own(instance, content, term, host.boot);
            TakeoverNotes.forgetDonors(file, granted);
            if (killedHere("before it has told donors what is lost")) {
                return;
            }
            TakeoverNotes.exact(note, granted, file);
            tellNote();
            for (TakeoverPlan.Superseded one : plan.superseded()) {
                SimDonor donor = donors[named.get(one.donor())];
                SimSlab slab = donor.slabs.get(one.index());
                if (slab != null && slab.handle == one.handle()) {
                    requireUnused(Map.of(one.index(), slab));
                    donor.slabs.remove(one.index());
                }
            }
            giveUp(granted, true);
            host.server = this;
            moved = false;
            readAll();
        }

        private boolean killedHere(String where) throws IOException {
            if (!habits.once(habits.killedInStart, random)) {
                return false;
            }
            say("  killed " + where);
            tally.killedInStart++;
            file.abandon();
            locked.close();
            return true;
        }

        private @Nullable PageMarks marks(Granted granted, int place, int handle) {
            SimDonor donor = donors[named.get(place)];
            if (granted.waiting().containsValue(place)) {
                return null;
            }
            for (SimSlab slab : donor.slabs.values()) {
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

        private void giveUpProcess(UUID incarnation) {
            for (SimDonor donor : donors) {
                if (donor.incarnation.equals(incarnation) && donor.content.equals(content)) {
                    gone(donor.slabs);
                }
            }
        }

        /**
         * What an operator says with --lose-missing: no other server lives on, or comes back, with what is given up. Either the donors are dead
         * for good, or the other servers are, with their files.
         */
        private void keepPromise(Granted granted) throws IOException {
            donorsAreDead = random.nextInt(3) != 0;
            for (Host other : hosts) {
                if (!donorsAreDead && other != host) {
                    other.loseFile();
                    Files.deleteIfExists(other.copy);
                }
            }
            Set<UUID> kept = kept(granted);
            for (int i = 0; i < DONORS; i++) {
                if (donorsAreDead && !kept.contains(donors[i].incarnation)) {
                    restart(i);
                }
            }
            giveUp(granted, false);
        }

        /** What is given up may be lost as soon as a start has begun, since its file says so. When the server is there it is. */
        private void giveUp(Granted granted, boolean forGood) {
            Set<UUID> kept = kept(granted);
            for (SimDonor donor : donors) {
                if (!donorsAreDead
                        && !kept.contains(donor.incarnation)
                        && donor.content.equals(granted.content())
                        && !granted.givenUp().isEmpty()) {
                    donor.givenUp = true;
                    if (forGood) {
                        gone(donor.slabs);
                    } else {
                        mayBeLost(donor.slabs);
                    }
                }
            }
        }

        private static Set<UUID> kept(Granted granted) {
            Set<UUID> kept = new HashSet<>(granted.waiting().keySet());
            granted.claims().forEach(order -> kept.add(order.incarnation()));
            return kept;
        }

        /** Others go on while this one starts. */
        private void disturb() throws IOException {
            if (disturbing || !habits.once(habits.disturbed, random)) {
                return;
            }
            disturbing = true;
            say("  meanwhile");
            for (int i = random.nextInt(4); i >= 0; i--) {
                step();
            }
            say("  the start on host " + host.number + " goes on");
            disturbing = false;
        }

        /** Whether its requests there are served. */
        boolean owns(SimDonor donor) {
            return donor.reachableFrom(host.number) && donor.ownedBy(instance);
        }

        /** Slabs that a server frees for want of use hold nothing that was acknowledged last. */
        private void requireUnused(Map<Integer, SimSlab> back) {
            back.forEach((index, slab) -> {
                for (int page = 0; page < SimSlab.PAGES; page++) {
                    Truth at = truth(content)[index * SimSlab.PAGES + page];
                    if (at.vague) {
                        // A start that was told to give it up did not get to its end.
                        at.lose(slab);
                    } else if (at.holder == slab && at.value != 0) {
                        throw new AssertionError("a slab that is in use was freed: " + index);
                    }
                }
            });
        }

        private Owner me() {
            return new Owner(instance, term, host.id, "host " + host.number, 0);
        }

        private void tellNote() {
            for (SimDonor donor : donors) {
                if (owns(donor) && donor.note.version() < note.version()) {
                    donor.note = note.now();
                }
            }
        }

        /** The donor that holds a slab, if it can be reached and is this server's; a donor that came back is met first. */
        private @Nullable SimDonor donorOf(int slab) {
            meetAll();
            UUID at = file.incarnation(slab);
            if (at == null) {
                return null;
            }
            SimDonor donor = known.get(at);
            return donor != null && owns(donor) ? donor : null;
        }

        /** What links do when they come back: docs/ownership.md, "A link that comes back". */
        private void meetAll() {
            for (int place : named) {
                SimDonor donor = donors[place];
                if (!donor.reachableFrom(host.number)
                        || (donor.ownedBy(instance) && known.containsKey(donor.incarnation))) {
                    continue;
                }
                StateFile.DonorRow row = file.donors().stream()
                        .filter(one -> one.incarnation().equals(donor.incarnation))
                        .findFirst()
                        .orElse(null);
                boolean expected = row != null
                        && row.epoch() == donor.epoch
                        && row.instance().equals(donor.owner.instance());
                if (!donor.content.equals(Found.NONE) && !donor.content.equals(content)) {
                    loseProcess(donor.incarnation);
                    continue;
                }
                if (donor.content.equals(content) && note.isGivenUp(donor.incarnation)) {
                    continue;
                }
                boolean older = donor.ownedBy(instance);
                if (donor.content.equals(content) && !expected && !older) {
                    host.kill("fencing by a link");
                    return;
                }
                boolean proven = expected || isProven();
                if (!expected) {
                    loseProcess(donor.incarnation);
                    for (StateFile.DonorRow other : file.donors()) {
                        if (other.address().equals("d" + place)) {
                            boolean elsewhere =
                                    known.containsKey(other.incarnation()) && owns(known.get(other.incarnation()));
                            if (!elsewhere && !other.incarnation().equals(donor.incarnation)) {
                                loseProcess(other.incarnation());
                            }
                        }
                    }
                }
                if (!proven || (!expected && !admit("d" + place))) {
                    continue;
                }
                note.add(donor.incarnation, "d" + place);
                Map<Integer, SimSlab> back = donor.claim(
                        donor.epoch, donor.content, donor.note.version(), !expected, content, me(), note.now());
                if (back == null) {
                    throw new AssertionError("nobody else claimed meanwhile");
                }
                requireUnused(back);
                file.putDonor(new StateFile.DonorRow(donor.incarnation, "d" + place, donor.epoch, instance));
                known.put(donor.incarnation, donor);
                say("  host " + host.number + " meets the donor at " + place + " again");
                tellNote();
            }
        }

        /** Whether no other server can have taken the contents over. */
        private boolean isProven() {
            boolean allEnded = !missedEnd && file.donors().isEmpty();
            for (StateFile.DonorRow row : file.donors()) {
                SimDonor donor = known.get(row.incarnation());
                if (donor != null
                        && donor.reachableFrom(host.number)
                        && donor.epoch == row.epoch()
                        && (donor.ownedBy(instance) || donor.content.equals(Found.NONE))) {
                    missedEnd = false;
                    return true;
                }
            }
            return allEnded;
        }

        /** A donor at a new address is claimed when every member has been told of it. */
        private boolean admit(String address) {
            if (!note.namesAddress(address) || untold.contains(address)) {
                untold.add(address);
                note.addAddress(address);
                tellNote();
                for (Note.Member member : note.now().members()) {
                    SimDonor donor = known.get(member.incarnation());
                    boolean ended = member.incarnation().equals(Note.Member.ENDED);
                    if (!ended && (donor == null || !owns(donor))) {
                        return false;
                    }
                }
                untold.remove(address);
            }
            return true;
        }

        /** A donor process is known to have ended, or to have forgotten. */
        private void loseProcess(UUID incarnation) {
            boolean member =
                    file.donors().stream().anyMatch(row -> row.incarnation().equals(incarnation));
            say("  host " + host.number + " takes a donor process for ended: " + incarnation);
            missedEnd |= member && !sawEnd.contains(incarnation);
            for (int slab = 0; slab < SLABS; slab++) {
                if (incarnation.equals(file.incarnation(slab))) {
                    file.lose(slab, false);
                    if (file.anyLost(slab)) {
                        note.lose(slab);
                    }
                }
            }
            note.remove(incarnation);
            file.removeDonor(incarnation);
            known.remove(incarnation);
            giveUpProcess(incarnation);
        }

        void change(int page, boolean trim) {
            int slab = page / SimSlab.PAGES;
            int within = page % SimSlab.PAGES;
            meetAll();
            if (host.server != this) {
                return;
            }
            SimDonor donor = donorOf(slab);
            long value = trim ? 0 : ++lastValue;
            if (file.incarnation(slab) == null) {
                if (trim) {
                    return;
                }
                donor = allocate(slab);
            }
            if (donor == null) {
                return;
            }
            SimSlab held = donor.slabs.get(slab);
            if (held == null || held.handle != file.handle(slab)) {
                takenBack(slab);
                return;
            }
            Truth at = truth(content)[page];
            if (!trim) {
                mark(slab, within, true);
            }
            int fate = random.nextInt(12);
            if (fate == 0) {
                say("host " + host.number + " is killed before the write of page " + page + " left");
                if (!trim) {
                    at.perhaps.add(value);
                    at.vague = true;
                }
                host.kill("kill -9");
                return;
            }
            held.pages[within] = value;
            held.touched = true;
            if (fate == 1) {
                say("host " + host.number + " is killed before the write of page " + page + " was answered");
                at.perhaps.add(value);
                at.unanswered = held;
                at.vague = true;
                host.kill("kill -9");
                return;
            }
            if (trim) {
                mark(slab, within, false);
            } else {
                heal(slab, within);
            }
            at.set(value, held);
            say("host " + host.number + (trim ? " trims page " : " writes page ") + page + " = " + value);
        }

        /** The donor says that it does not have the slab of the map. */
        private void takenBack(int slab) {
            file.lose(slab, false);
            note.lose(slab);
        }

        private @Nullable SimDonor allocate(int slab) {
            List<SimDonor> able = new ArrayList<>();
            for (int place : named) {
                if (owns(donors[place])) {
                    able.add(donors[place]);
                }
            }
            if (able.isEmpty()) {
                return null;
            }
            SimDonor donor = able.get(random.nextInt(able.size()));
            long[] lost = new long[SimSlab.PAGES];
            for (int page = 0; page < SimSlab.PAGES; page++) {
                lost[page] = isLost(slab, page) ? SimDonor.LOST : 0;
            }
            long version = term << 32 | ++grants;
            SimDonor other = able.get(random.nextInt(able.size()));
            if (random.nextInt(8) == 0 && other != donor) {
                // Two were asked, as the first was late, and both have granted; which one is used is chance.
                if (random.nextBoolean()) {
                    boolean _ = other.grant(slab, version, lost) != null;
                    version = term << 32 | ++grants;
                } else {
                    boolean _ = other.grant(slab, term << 32 | ++grants, lost) != null;
                }
            }
            SimSlab granted = donor.grant(slab, version, lost);
            if (random.nextInt(20) == 0) {
                say("host " + host.number + " is killed before it has written down the grant of slab " + slab);
                host.kill("kill -9");
                return null;
            }
            file.putSlab(slab, donor.incarnation, granted.handle, version);
            say("host " + host.number + " is granted slab " + slab);
            return donor;
        }

        void readAll() {
            for (int page = 0; page < PAGES; page++) {
                if (host.server != this) {
                    return;
                }
                read(page);
            }
        }

        private void read(int page) {
            int slab = page / SimSlab.PAGES;
            int within = page % SimSlab.PAGES;
            meetAll();
            if (host.server != this) {
                return;
            }
            Truth at = truth(content)[page];
            if (known.values().stream().noneMatch(this::owns)) {
                // It cannot prove that it still owns the export, and answers nothing by itself.
                return;
            }
            boolean error = false;
            long value = 0;
            if (isLost(slab, within)) {
                error = true;
            } else if (isWritten(slab, within)) {
                SimDonor donor = donorOf(slab);
                if (donor == null) {
                    // Its donor is away: the request waits, and fails at its deadline.
                    return;
                }
                SimSlab held = donor.slabs.get(slab);
                if (held == null || held.handle != file.handle(slab)) {
                    takenBack(slab);
                    error = true;
                } else {
                    value = held.pages[within];
                    error = value == SimDonor.LOST;
                }
            }
            boolean right = error ? at.lost || at.vague : (!at.lost && value == at.value) || at.perhaps.contains(value);
            if (error) {
                tally.lostSeen++;
            } else {
                tally.right++;
            }
            if (!right) {
                throw new AssertionError("page " + page + " reads as " + (error ? "an error" : value)
                        + " on host " + host.number + "; acknowledged was " + at.value + ", perhaps " + at.perhaps
                        + (at.lost ? ", and that is lost" : ""));
            }
            if (!error && !at.perhaps.isEmpty()) {
                // Once it was read it is settled: what its server sent last can not arrive any more.
                // A page of zeros may still be marked as written, and is called lost then if its donor ends.
                boolean vague = at.vague;
                at.set(value, at.perhaps.contains(value) ? at.unanswered : at.holder);
                at.vague = vague;
            }
        }

        private long pageOf(int slab, int within) {
            return (long) slab * (SimDonor.SLAB_SIZE >> 12) + within;
        }

        private boolean isLost(int slab, int within) {
            return PageProbe.lost(file, pageOf(slab, within));
        }

        private boolean isWritten(int slab, int within) {
            return PageProbe.written(file, pageOf(slab, within));
        }

        private void mark(int slab, int within, boolean written) {
            PageProbe.mark(file, pageOf(slab, within), written);
        }

        private void heal(int slab, int within) {
            PageProbe.heal(file, pageOf(slab, within));
        }
    }

    /** What the histories came by. */
    static final class Tally {

        int starts;
        int refused;
        int blank;
        int fromFile;
        int fromLists;
        int killedInStart;
        int conflicts;
        long right;
        long lostSeen;

        @Override
        public String toString() {
            return starts + " starts (" + refused + " refused, " + killedInStart + " killed, " + conflicts
                    + " in conflict; " + blank + " blank, "
                    + fromFile + " by file, " + fromLists + " by lists), " + right + " right pages, " + lostSeen
                    + " errors";
        }
    }
}
