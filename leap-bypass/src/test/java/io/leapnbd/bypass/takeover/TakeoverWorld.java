package io.leapnbd.bypass.takeover;

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
    private final Tally tally;
    private final Path folder;
    private final List<String> story = new ArrayList<>();
    private final SimDonor[] donors = new SimDonor[DONORS];
    private final Host[] hosts = new Host[HOSTS];

    /** What was acknowledged last, and what may be read besides, of each content. */
    private final Map<UUID, Truth[]> truths = new HashMap<>();

    private long lastValue;

    TakeoverWorld(Path folder, long seed, Tally tally) throws IOException {
        this.folder = Files.createDirectories(folder);
        this.tally = tally;
        random = new Random(seed * 0x9E3779B97F4A7C15L);
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
            donor.reachable = true;
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
        int what = random.nextInt(100);
        if (what < 40) {
            if (server != null) {
                server.change(random.nextInt(PAGES), random.nextInt(5) == 0);
            }
        } else if (what < 48) {
            if (server != null) {
                server.readAll();
            }
        } else if (what < 68) {
            if (server == null) {
                host.start();
            }
        } else if (what < 76) {
            host.kill("kill -9");
        } else if (what < 79) {
            host.closeInOrder();
        } else if (what < 84) {
            int i = random.nextInt(DONORS);
            donors[i].reachable ^= true;
            say("donor " + i + (donors[i].reachable ? " is reachable again" : " is cut off"));
        } else if (what < 88) {
            restart(random.nextInt(DONORS));
        } else if (what < 91) {
            swapAddresses();
        } else if (what < 93) {
            expire(random.nextInt(DONORS));
        } else if (what < 95) {
            host.loseFile();
        } else if (what < 97) {
            host.reboot();
        } else {
            host.keepOrRestoreCopy();
        }
    }

    private void restart(int i) {
        say("donor " + i + " restarts");
        gone(donors[i].slabs);
        boolean reachable = donors[i].reachable;
        donors[i].reachable = false;
        donors[i] = new SimDonor(newId());
        donors[i].reachable = reachable;
    }

    /** Only while nobody serves: a server takes a process that is not where it was for one that has ended. */
    private void swapAddresses() {
        for (Host host : hosts) {
            if (host.server != null) {
                return;
            }
        }
        int one = random.nextInt(DONORS);
        int other = random.nextInt(DONORS);
        say("donors " + one + " and " + other + " swap addresses");
        SimDonor was = donors[one];
        donors[one] = donors[other];
        donors[other] = was;
    }

    /** Only of an export whose server has no link. */
    private void expire(int i) {
        for (Host host : hosts) {
            SimServer server = host.server;
            if (server != null && donors[i].ownedBy(server.instance)) {
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

        Host(int number) {
            this.number = number;
            state = folder.resolve("host" + number + ".state");
            copy = folder.resolve("host" + number + ".copy");
        }

        void start() throws IOException {
            boolean takeOver = random.nextInt(3) == 0;
            boolean fresh = random.nextInt(25) == 0;
            boolean loseMissing = random.nextInt(8) == 0;
            List<Integer> named = new ArrayList<>();
            List<Integer> order = new ArrayList<>(List.of(0, 1, 2));
            java.util.Collections.shuffle(order, random);
            for (int donor : order) {
                if (random.nextInt(6) != 0) {
                    named.add(donor);
                }
            }
            if (named.isEmpty()) {
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
            next.start();
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
                if (donors[donor].reachable) {
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
                if (other.server != null && donor.ownedBy(other.server.instance)) {
                    return true;
                }
            }
            return false;
        }

        private void take(Granted granted, @Nullable Recorded recorded) throws IOException {
            say("  goes on by " + granted.source() + (recorded != null && recorded.complete() ? " (complete)" : "")
                    + (granted.unheldLost() ? ", what nobody holds is lost" : "") + ", term " + granted.term());
            count(granted);
            UUID known = granted.content();
            content = known == null ? newId() : known;
            term = granted.term();
            note = TakeoverNotes.atClaim(
                    granted,
                    SIZE,
                    20,
                    TakeoverNotes.lostAndUnheld(recorded, locked.found()),
                    place -> "d" + named.get(place));
            if (granted.source() == Source.FILE) {
                file = locked.take();
                file.claiming(instance, term, granted.complete() ? host.boot : StateHeader.NOBODY);
            } else {
                file = locked.create(SIZE, 20);
                file.claiming(instance, term, host.boot);
            }
            if (killedHere("before its claims")) {
                return;
            }
            for (ClaimOrder order : granted.claims()) {
                SimDonor donor = donors[named.get(order.donor())];
                SimServer before = ownerOf(donor);
                Map<Integer, SimSlab> back =
                        donor.claim(order.epoch(), order.found(), order.blank(), content, me(), note.now());
                if (back == null) {
                    throw new AssertionError("nobody else claimed meanwhile");
                }
                if (before != null && before != this) {
                    before.host.kill("fencing");
                }
                if (known == null) {
                    giveUp(back);
                } else if (!back.isEmpty()) {
                    requireUnused(back);
                }
                if (killedHere("among its claims")) {
                    return;
                }
            }
            if (known != null) {
                granted.gone().forEach(this::buryMissing);
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
                donor.slabs.forEach((index, slab) -> list.add(index, slab.handle, slab.grantVersion));
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
            host.server = this;
            readAll();
        }

        private boolean killedHere(String where) throws IOException {
            if (random.nextInt(30) != 0) {
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

        private void giveUp(Map<Integer, SimSlab> back) {
            gone(back);
        }

        private void giveUpProcess(UUID incarnation) {
            for (SimDonor donor : donors) {
                if (donor.incarnation.equals(incarnation) && donor.content.equals(content)) {
                    gone(donor.slabs);
                }
            }
        }

        /** What an operator gives up with --lose-missing is dead for good. */
        private void buryMissing(UUID incarnation) {
            for (int i = 0; i < DONORS; i++) {
                if (donors[i].incarnation.equals(incarnation) && !donors[i].content.equals(Found.NONE)) {
                    restart(i);
                }
            }
        }

        /** Slabs that a server frees for want of use hold nothing that was acknowledged last. */
        private void requireUnused(Map<Integer, SimSlab> back) {
            back.forEach((index, slab) -> {
                for (int page = 0; page < SimSlab.PAGES; page++) {
                    Truth at = truth(content)[index * SimSlab.PAGES + page];
                    if (at.holder == slab && at.value != 0) {
                        throw new AssertionError("a slab that is in use was freed: " + index);
                    }
                }
            });
        }

        private @Nullable SimServer ownerOf(SimDonor donor) {
            for (Host one : hosts) {
                SimServer server = one.server;
                if (server != null && donor.owner.instance().equals(server.instance)) {
                    return server;
                }
            }
            return null;
        }

        private Owner me() {
            return new Owner(instance, term, host.id, "host " + host.number, 0);
        }

        private void tellNote() {
            for (SimDonor donor : donors) {
                if (donor.ownedBy(instance) && donor.note.version() < note.version()) {
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
            return donor != null && donor.ownedBy(instance) ? donor : null;
        }

        /** What links do when they come back: docs/ownership.md, "A link that comes back". */
        private void meetAll() {
            for (int place : named) {
                SimDonor donor = donors[place];
                if (!donor.reachable || (donor.ownedBy(instance) && known.containsKey(donor.incarnation))) {
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
                boolean buried = donor.ownedBy(instance);
                boolean older = buried || (donor.content.equals(content) && donor.owner.term() < term && !expected);
                if (donor.content.equals(content) && !expected && !older) {
                    host.kill("fencing by a link");
                    return;
                }
                if (!expected) {
                    loseProcess(donor.incarnation);
                    for (StateFile.DonorRow other : file.donors()) {
                        if (other.address().equals("d" + place)) {
                            boolean elsewhere = known.containsKey(other.incarnation())
                                    && known.get(other.incarnation()).ownedBy(instance);
                            if (!elsewhere && !other.incarnation().equals(donor.incarnation)) {
                                loseProcess(other.incarnation());
                            }
                        }
                    }
                }
                note.add(donor.incarnation, "d" + place);
                Map<Integer, SimSlab> back =
                        donor.claim(donor.epoch, donor.content, !expected, content, me(), note.now());
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

        /** A donor process is known to have ended, or to have forgotten. */
        private void loseProcess(UUID incarnation) {
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
                throw new AssertionError("the map names a slab that its donor does not hold");
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

        private @Nullable SimDonor allocate(int slab) {
            List<SimDonor> able = new ArrayList<>();
            for (int place : named) {
                if (donors[place].ownedBy(instance)) {
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
                    throw new AssertionError("the map names a slab that its donor does not hold");
                }
                value = held.pages[within];
                error = value == SimDonor.LOST;
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
        long right;
        long lostSeen;

        @Override
        public String toString() {
            return starts + " starts (" + refused + " refused, " + killedInStart + " killed; " + blank + " blank, "
                    + fromFile + " by file, " + fromLists + " by lists), " + right + " right pages, " + lostSeen
                    + " errors";
        }
    }
}
