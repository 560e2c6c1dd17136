package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.BareLink;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.link.LinkSettings;
import io.leapnbd.bypass.map.LockedStateFile;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.path.BarePath;
import io.leapnbd.bypass.path.SlabLosses;
import io.leapnbd.bypass.takeover.Truths.Reading;
import io.leapnbd.bypass.takeover.Truths.Truth;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.SlabName;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A server that is ready. Its data path, its knowledge of donors, admissions, note and state file are the real ones; its links are {@link SimLink}s.
 */
final class SimServer implements Donor.Listener {

    static final long REQUEST_NANOS = TimeUnit.SECONDS.toNanos(4);
    static final long MEMBER_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    /** More than a request takes, in turns. */
    private static final int TURNS_TO_END = 200;

    /** Requests and answers that go to and fro while no time passes. */
    private static final int MOST_STEPS = 500;

    private final TakeoverWorld world;
    private final SimHost host;
    private final LockedStateFile locked;
    private final StateFile file;
    private final ExportNote note;
    private final UUID content;
    private final UUID instance;
    private final List<Donor> donors = new ArrayList<>();
    private final List<SimLink> links = new ArrayList<>();
    private final LinkSettings settings;
    private final SimDonors changes;
    private final Admissions admissions;
    private final BarePath path;

    /** Where each index was when this was last looked at. */
    private final @Nullable Placement[] seen = new Placement[Truths.SLABS];

    /** Pages that this server changes or reads now. */
    private final BitSet changing = new BitSet();

    private final Map<Integer, Reading> reading = new HashMap<>();
    private int open;
    private long acknowledged;

    /** Slabs that are seen to be given back. */
    private long givenBack;

    private boolean runs = true;

    /** When it is torn down, its clock goes on by so much. */
    private long skew;

    SimServer(
            TakeoverWorld world,
            SimHost host,
            List<Integer> named,
            LockedStateFile locked,
            StateFile file,
            ExportNote note,
            List<DonorStanding> standings,
            UUID content,
            UUID instance,
            long term,
            int copies) {
        this.world = world;
        this.host = host;
        this.locked = locked;
        this.file = file;
        this.note = note;
        this.content = content;
        this.instance = instance;
        settings = new LinkSettings(
                "e",
                instance,
                content,
                term,
                host.id(),
                "host " + host.number(),
                note::encode,
                note::isGivenUp,
                SimDonor.SLAB_SIZE,
                Duration.ofSeconds(30),
                1 << 20);
        Map<UUID, Integer> places = new HashMap<>();
        Set<UUID> waited = new HashSet<>();
        for (int place = 0; place < named.size(); place++) {
            int address = named.get(place);
            DonorStanding standing = standings.get(place);
            Donor donor = BareLink.donor(SimNetwork.address(address), this, host::now);
            donor.stand(standing);
            donors.add(donor);
            links.add(new SimLink(world, this, donor, address, settings));
            UUID process = standing.incarnation();
            if (process != null) {
                places.put(process, place);
                if (!standing.isClaimed()) {
                    waited.add(process);
                }
            }
        }
        file.bind(places, waited);
        path = new BarePath(
                file,
                TakeoverWorld.SIZE,
                20,
                term,
                note,
                donors,
                links.toArray(DonorLink[]::new),
                Math.min(copies, named.size()),
                new BarePath.Times(() -> host.now() + skew, host::slept, REQUEST_NANOS, MEMBER_NANOS),
                world.random(),
                world.latencies());
        admissions = new Admissions(donors, note, path::hasReached, host::slept, host::now);
        changes = new SimDonors(world, this, path, named, copies);
        path.owner(changes);
        look();
    }

    SimHost host() {
        return host;
    }

    UUID instance() {
        return instance;
    }

    List<SimLink> links() {
        return links;
    }

    /** How its donors are changed. */
    SimDonors donors() {
        return changes;
    }

    Admissions admissions() {
        return admissions;
    }

    ExportNote note() {
        return note;
    }

    SlabLosses losses() {
        return path.losses();
    }

    StateFile file() {
        return file;
    }

    UUID content() {
        return content;
    }

    /** All donors that it has had, by number. */
    List<Donor> numbered() {
        return donors;
    }

    /** A donor that nothing is known of, with the next number. */
    Donor add(int address, DonorStanding standing) {
        Donor donor = BareLink.donor(SimNetwork.address(address), this, host::now);
        donor.use(Donor.Use.JOINING);
        donor.stand(standing);
        donors.add(donor);
        return donor;
    }

    /** A link to a donor that was added. */
    SimLink open(Donor donor, int address) {
        SimLink link = new SimLink(world, this, donor, address, settings);
        links.add(link);
        return link;
    }

    private static boolean isPresent(SimLink link) {
        return link.donor().use().compareTo(Donor.Use.DISOWNED) < 0;
    }

    /** Whether it has neither been killed nor closed. */
    boolean runs() {
        return runs;
    }

    /** Whether its requests there are served. */
    boolean owns(SimDonor donor) {
        return donor.reachableFrom(host.number()) && donor.ownedBy(instance);
    }

    /**
     * The process ends. What a killed one has written down is what the next one finds; what it would have done is done after that is kept, only
     * to give memory back.
     */
    void end(boolean inOrder) {
        runs = false;
        reading.values().forEach(Reading::end);
        try {
            byte[] kept = inOrder ? new byte[0] : Files.readAllBytes(host.state());
            links.forEach(SimLink::killed);
            path.close();
            for (int turn = 0; turn < TURNS_TO_END && !(path.idle() && open == 0); turn++) {
                skew += TimeUnit.SECONDS.toNanos(1);
                path.turn();
            }
            if (!path.idle() || open != 0) {
                world.failed(new AssertionError("requests of a server that was closed do not end"));
            }
            world.tally().drops += path.counts()[0];
            world.tally().filled += path.counts()[1];
            world.tally().moved += path.counts()[2];
            world.tally().givenBack += path.counts()[3];
            world.tally().hedged += path.hedges()[0];
            world.tally().hedgesWon += path.hedges()[1];
            if (inOrder) {
                file.close();
            } else {
                file.abandon();
                Files.write(host.state(), kept);
            }
            locked.close();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A donor said that another server has claimed. */
    void fenced(String by) {
        if (runs) {
            world.tally().fenced++;
            host.kill("fencing by " + by);
        }
    }

    // What RemoteDevice does when links tell of donors.

    @Override
    public void donorLost(Donor donor, UUID gone, UUID found, boolean ended) {
        world.say("  host " + host.number() + " takes the process at " + donor + " for ended"
                + (ended ? ", and has seen it" : ", unseen"));
        if (!ended) {
            admissions.missedEnd();
        }
        long _ = path.losses().restarted(donors.indexOf(donor), gone);
        note.remove(gone);
        file.removeDonor(gone);
        look();
    }

    @Override
    public boolean isElsewhere(Donor donor, UUID found) {
        return donors.stream().anyMatch(other -> other != donor && found.equals(other.incarnation()));
    }

    @Override
    public boolean isGivenUpAddress(Donor donor) {
        return note.isGivenUpAddress(donor.name());
    }

    @Override
    public void givenUp(Donor donor, UUID found) {
        if (!note.isGivenUp(found)) {
            note.giveUp(found);
        }
    }

    @Override
    public @Nullable String admit(Donor donor, UUID found) {
        String why = admissions.admit(donor, found);
        if (why == null) {
            world.tally().admitted++;
        } else {
            world.tally().heldBack++;
        }
        return why;
    }

    @Override
    public void donorClaiming(Donor donor, UUID found) {
        note.add(found, donor.name());
    }

    @Override
    public void donorClaimed(Donor donor, UUID found, long epoch) {
        file.putDonor(new StateFile.DonorRow(found, donor.name(), epoch, instance));
    }

    @Override
    public void foreign(Donor donor) {
        if (donors.stream().allMatch(one -> one.use() == Donor.Use.GONE || one.foreign())) {
            foreignEverywhere = true;
        }
    }

    /** Noticed in the middle of a greeting, and acted on after it. */
    private boolean foreignEverywhere;

    @Override
    public void fenced(Donor donor) {
        throw new AssertionError("told by the link's outcome");
    }

    // Time.

    /** Whether a client waits for an answer. */
    boolean isAsked() {
        return runs && open > 0;
    }

    /** Time has passed. */
    void turn() {
        for (SimLink link : links) {
            if (runs && link.donor().use() != Donor.Use.GONE) {
                link.listen();
            }
        }
        if (runs && world.random().nextInt(4) != 0) {
            connect();
        }
        if (runs) {
            changes.tick();
            path.turn();
            settle();
        }
    }

    private void connect() {
        for (SimLink link : links) {
            if (runs && link.donor().use() != Donor.Use.GONE) {
                link.connect();
            }
        }
        if (runs && foreignEverywhere) {
            fenced("other contents at every donor");
        }
    }

    /** Requests and answers go to and fro, in any order, for as long as there are some; it may be killed between any two. */
    void settle() {
        look();
        SimLink.Step last = SimLink.Step.LOOK;
        // While no time passes, a proof of ownership does not get younger, and is asked for again and again.
        for (int steps = 0; last != SimLink.Step.NONE && runs && steps < MOST_STEPS; steps++) {
            path.runTasks();
            last = SimLink.Step.NONE;
            int first = world.random().nextInt(links.size());
            for (int i = 0; i < links.size() && last == SimLink.Step.NONE; i++) {
                last = links.get((first + i) % links.size()).step();
            }
            if (runs) {
                look();
            }
            if (last == SimLink.Step.CHANGE && runs && world.hazard(world.habits().killedInService)) {
                host.kill("in the middle of it, kill -9");
            }
        }
    }

    /** Sees where each index is now, and whether one was lost without need. */
    private void look() {
        for (int slab = 0; slab < Truths.SLABS; slab++) {
            Placement now = path.map().placement(slab);
            Placement before = seen[slab];
            if (now == before) {
                continue;
            }
            seen[slab] = now;
            if (now != null) {
                world.say("    host " + host.number() + ": slab " + slab + " is at " + now);
                world.truths().placed(content, slab, now);
            } else if (before != null && path.counts()[3] > givenBack) {
                givenBack++;
                world.say("    host " + host.number() + ": slab " + slab + " is given back");
                world.truths().givenBack(content, slab);
            } else if (before != null) {
                world.say("    host " + host.number() + ": slab " + slab + " is lost");
                boolean held = Truths.believed(before).stream()
                        .anyMatch(copy -> world.network().holds(copy, content));
                world.lost(content, slab, false, held, "host " + host.number());
            }
        }
    }

    /** Slabs that a donor has taken back for this server. */
    void requireUnused(Set<SlabName> back, String why) {
        for (int slab = 0; slab < Truths.SLABS && !back.isEmpty() && runs; slab++) {
            Placement now = path.map().placement(slab);
            if (now == null || path.isBlank(slab)) {
                continue;
            }
            Set<SlabName> used = new HashSet<>(Truths.believed(now));
            used.retainAll(back);
            if (!used.isEmpty()) {
                world.failed(new AssertionError("a slab that is in use was taken back for " + why + ": " + used));
            }
        }
    }

    // Clients' requests.

    void change(int page, boolean trim) {
        connect();
        if (!runs || changing.get(page)) {
            return;
        }
        long value = trim ? 0 : world.nextValue();
        Truth truth = world.truths().at(content, page);
        long before = truth.begun(value);
        String what = "host " + host.number() + (trim ? " trims page " : " writes page ") + page + " = " + value;
        world.say(what);
        changing.set(page);
        open++;
        ByteBuf from = Unpooled.directBuffer(Protocol.PAGE_SIZE, Protocol.PAGE_SIZE);
        fill(from, value);
        if (trim) {
            path.trim(
                    Truths.offset(page),
                    error -> changed(page, from, false, error, () -> truth.acknowledged(value, before)));
        } else {
            path.write(
                    Truths.offset(page),
                    from,
                    error -> changed(page, from, true, error, () -> truth.acknowledged(value, before)));
        }
        settle();
        int turns = world.random().nextInt(4);
        for (int i = 0; i < turns && runs && changing.get(page); i++) {
            world.network().pass(TimeUnit.MILLISECONDS.toNanos(i == 0 ? 1 : 150));
        }
    }

    private static void fill(ByteBuf page, long value) {
        for (int at = 0; at < Protocol.PAGE_SIZE; at += Long.BYTES) {
            page.setLong(at, value);
        }
    }

    private void changed(int page, ByteBuf from, boolean asked, int error, Runnable acknowledge) {
        open--;
        changing.clear(page);
        // Whoever still reads it gets what nobody has written.
        fill(from, -1);
        from.release();
        if (!runs) {
            return;
        }
        if (error == 0) {
            world.tally().acknowledged++;
            acknowledged++;
            world.say("  acknowledged: page " + page);
            acknowledge.run();
            Placement now = path.map().placement(page / Truths.PAGES_A_SLAB);
            // A trim of a page that is blank asks no donor.
            if (now != null && asked) {
                world.truths().acknowledged(content, page / Truths.PAGES_A_SLAB, now);
            }
        } else {
            world.tally().failed++;
            world.say("  not done: page " + page);
        }
    }

    void readAll() {
        connect();
        for (int page = 0; page < Truths.PAGES && runs; page++) {
            if (!reading.containsKey(page)) {
                read(page);
            }
        }
    }

    private void read(int page) {
        Reading right = world.truths().at(content, page).read();
        reading.put(page, right);
        open++;
        ByteBuf into = Unpooled.directBuffer(Protocol.PAGE_SIZE, Protocol.PAGE_SIZE);
        fill(into, -2);
        long begun = host.now();
        path.read(Truths.offset(page), into, error -> {
            open--;
            long got = into.getLong(0);
            boolean torn = into.getLong(Protocol.PAGE_SIZE - Long.BYTES) != got;
            into.release();
            right.end();
            if (runs) {
                boolean _ = reading.remove(page, right);
                judge(page, right, error != 0, torn ? -3 : got, begun);
            }
        });
        settle();
    }

    private void judge(int page, Reading right, boolean error, long got, long begun) {
        String who = "page " + page + " on host " + host.number();
        if (!error) {
            world.tally().right++;
            String problem = right.problem(got);
            if (problem != null) {
                world.tally().wrong++;
                world.failed(new AssertionError(who + " " + problem));
            }
        } else if (host.now() - begun < REQUEST_NANOS && path.map().anyLost(Truths.offset(page), Protocol.PAGE_SIZE)) {
            world.tally().lostSeen++;
            if (!right.mayFail()) {
                world.tally().needless++;
                world.failed(new AssertionError(who + " is lost without need"));
            }
        } else {
            world.tally().away++;
            // A lease passes in steps that are longer than a request may take.
            boolean stoodStill = host.now() - begun > 2 * REQUEST_NANOS;
            if (!stoodStill && wasReachable(page, begun) && !right.mayFail()) {
                world.failed(new AssertionError(who + " cannot be read, and its donors are well"));
            }
        }
    }

    /** Whether some live copy was well for the whole time. */
    private boolean wasReachable(int page, long since) {
        Placement now = path.map().placement(path.map().slabOf(Truths.offset(page)));
        for (int i = 0; now != null && i < now.live(); i++) {
            SimLink link = links.get(now.member(i).donor());
            if (link.to() != null && link.troubled() - since < 0) {
                return true;
            }
        }
        return false;
    }

    /** Slabs with a live copy at a donor that others do without from now on. */
    List<Integer> sharedWith(int address) {
        List<Integer> shared = new ArrayList<>();
        for (int slab = 0; slab < Truths.SLABS; slab++) {
            Placement now = path.map().placement(slab);
            if (now != null && now.told() && now.live() == now.size() && now.live() > 1 && isAt(now, address)) {
                shared.add(slab);
            }
        }
        return shared;
    }

    boolean isAt(int slab, int address) {
        Placement now = path.map().placement(slab);
        return now != null && isAt(now, address);
    }

    private boolean isAt(Placement now, int address) {
        return now.members().stream()
                .anyMatch(member -> donors.get(member.donor()).name().equals(SimNetwork.address(address)));
    }

    /** Whether all donors of the list are connected and its requests are served there. */
    boolean isWell() {
        return runs
                && links.stream().filter(SimServer::isPresent).allMatch(link -> link.to() != null && owns(link.to()));
    }

    /** Slabs that have fewer copies than are wanted, or some that are not live. */
    List<Integer> thin() {
        List<Integer> thin = new ArrayList<>();
        for (int slab = 0; slab < Truths.SLABS; slab++) {
            Placement now = path.map().placement(slab);
            if (now != null && (now.live() < path.copies() || now.live() < now.size() || !now.told())) {
                thin.add(slab);
            }
        }
        return thin;
    }

    /** Changes that were acknowledged. */
    long acknowledged() {
        return acknowledged;
    }

    @Override
    public String toString() {
        return "server " + Arrays.toString(seen);
    }
}
