package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.link.LinkSettings;
import io.leapnbd.bypass.map.LockedStateFile;
import io.leapnbd.bypass.map.PageProbe;
import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.takeover.SimDonor.SimSlab;
import io.leapnbd.bypass.takeover.Truths.Truth;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A server that is ready. Its links, its knowledge of donors, admissions, note and state file are the real ones. */
final class SimServer implements Donor.Listener {

    /** For so long after a question that was answered it answers by itself. */
    private static final long SELF_ANSWER_NANOS = TimeUnit.MILLISECONDS.toNanos(Takeover.SELF_ANSWER_MILLIS);

    private final TakeoverWorld world;
    private final SimHost host;
    private final List<Integer> named;
    private final LockedStateFile locked;
    private final StateFile file;
    private final ExportNote note;
    private final UUID content;
    private final UUID instance;
    private final long term;
    private final SimLinks links;
    private final Admissions admissions;

    /** By place, versions of the note that donors have acknowledged. */
    private final long[] reached;

    private long grants;
    private boolean runs = true;

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
            long term) {
        this.world = world;
        this.host = host;
        this.named = named;
        this.locked = locked;
        this.file = file;
        this.note = note;
        this.content = content;
        this.instance = instance;
        this.term = term;
        LinkSettings settings = new LinkSettings(
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
        links = new SimLinks(world, this, named, standings, settings, this);
        reached = new long[named.size()];
        admissions = new Admissions(
                links.donors(), note, (place, version) -> reached[place] >= version, host::slept, host::now);
    }

    SimHost host() {
        return host;
    }

    SimLinks links() {
        return links;
    }

    UUID instance() {
        return instance;
    }

    /** Whether it has neither been killed nor closed. */
    boolean runs() {
        return runs;
    }

    /** Whether its requests there are served. */
    boolean owns(SimDonor donor) {
        return donor.reachableFrom(host.number()) && donor.ownedBy(instance);
    }

    void end(boolean inOrder) {
        runs = false;
        if (inOrder) {
            file.close();
        } else {
            file.abandon();
        }
        try {
            locked.close();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A donor said that another server has claimed. */
    void fenced(String by) {
        world.tally().fenced++;
        host.kill("fencing by " + by);
    }

    // What RemoteDevice does when links tell of donors.

    @Override
    public void donorLost(Donor donor, UUID gone, UUID found, boolean seen) {
        world.say("  host " + host.number() + " takes the process at " + donor + " for ended"
                + (seen ? ", and has seen it" : ", unseen"));
        if (!seen) {
            admissions.missedEnd();
        }
        for (int slab = 0; slab < Truths.SLABS; slab++) {
            if (gone.equals(holderOf(slab))) {
                takenBack(slab);
            }
        }
        note.remove(gone);
        file.removeDonor(gone);
    }

    @Override
    public boolean isElsewhere(Donor donor, UUID found) {
        return links.donors().stream().anyMatch(other -> other != donor && found.equals(other.incarnation()));
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
        if (links.donors().stream().allMatch(Donor::foreign)) {
            fenced("other contents at every donor");
        }
    }

    @Override
    public void fenced(Donor donor) {
        throw new AssertionError("told by the link's outcome");
    }

    /** Brings the note to every donor that is connected. */
    void spreadNote() {
        for (int place = 0; place < named.size() && runs; place++) {
            SimDonor donor = links.owned(place);
            if (donor != null && reached[place] < note.version()) {
                donor.tell(note.now());
                reached[place] = note.version();
                links.answered(donor);
            }
        }
    }

    /** What it does from time to time: links that are not connected try to be, and donors are told what is new. */
    private void tick() {
        links.connect();
        if (runs && world.random().nextInt(4) != 0) {
            spreadNote();
        }
    }

    /** The donor says that it does not have the slab of the map, or has ended. */
    private void takenBack(int slab) {
        file.lose(slab, false);
        if (file.anyLost(slab)) {
            note.lose(slab);
        }
    }

    /** A donor that answers shows that the export is still this server's; otherwise one has answered a short time ago. */
    private boolean mayAnswerByItself() {
        for (int place = 0; place < named.size(); place++) {
            SimDonor donor = links.owned(place);
            if (donor != null) {
                links.answered(donor);
                return true;
            }
        }
        long now = host.now();
        return links.donors().stream()
                .anyMatch(donor ->
                        now - donor.provenNanos() < SELF_ANSWER_NANOS && donor.provenNanos() - host.wokeAt() > 0);
    }

    void change(int page, boolean trim) {
        int slab = page / SimSlab.PAGES;
        int within = page % SimSlab.PAGES;
        tick();
        if (!runs) {
            return;
        }
        UUID holder = holderOf(slab);
        SimDonor donor;
        if (holder != null) {
            donor = links.owned(holder);
        } else {
            donor = trim ? null : allocate(slab);
        }
        if (donor == null) {
            return;
        }
        SimSlab held = donor.slabs.get(slab);
        links.answered(donor);
        if (held == null || held.handle != handleOf(slab)) {
            takenBack(slab);
            return;
        }
        long value = trim ? 0 : world.nextValue();
        write(page, trim, value, held);
        if (runs) {
            if (trim) {
                PageProbe.mark(file, pageOf(slab, within), false);
            } else {
                PageProbe.heal(file, pageOf(slab, within));
            }
            world.truths().at(content, page).set(value, held);
            world.say("host " + host.number() + (trim ? " trims page " : " writes page ") + page + " = " + value);
        }
    }

    /** It may be killed meanwhile. */
    private void write(int page, boolean trim, long value, SimSlab held) {
        Truth at = world.truths().at(content, page);
        if (!trim) {
            PageProbe.mark(file, pageOf(page / SimSlab.PAGES, page % SimSlab.PAGES), true);
        }
        if (world.hazard(12)) {
            if (!trim) {
                at.sent(value, null);
            }
            host.kill("before the write of page " + page + " left, kill -9");
            return;
        }
        held.pages[page % SimSlab.PAGES] = value;
        held.touched = true;
        if (world.hazard(12)) {
            at.sent(value, held);
            host.kill("before the write of page " + page + " was answered, kill -9");
        }
    }

    private @Nullable SimDonor allocate(int slab) {
        List<SimDonor> able = new ArrayList<>();
        for (int place = 0; place < named.size(); place++) {
            SimDonor donor = links.owned(place);
            if (donor != null) {
                able.add(donor);
            }
        }
        if (able.isEmpty()) {
            return null;
        }
        SimDonor donor = able.get(world.random().nextInt(able.size()));
        long[] lost = new long[SimSlab.PAGES];
        for (int page = 0; page < SimSlab.PAGES; page++) {
            lost[page] = PageProbe.lost(file, pageOf(slab, page)) ? SimDonor.LOST : 0;
        }
        long version = term << 32 | ++grants;
        SimDonor other = able.get(world.random().nextInt(able.size()));
        if (world.hazard(8) && other != donor) {
            // Two were asked, as the first was late, and both have granted; which one is used is chance.
            if (world.random().nextBoolean()) {
                boolean _ = other.grant(slab, version, lost) != null;
                version = term << 32 | ++grants;
            } else {
                boolean _ = other.grant(slab, term << 32 | ++grants, lost) != null;
            }
        }
        SimSlab granted = donor.grant(slab, version, lost);
        if (world.hazard(20)) {
            host.kill("before it has written down the grant of slab " + slab + ", kill -9");
            return null;
        }
        file.putRow(slab, SlabRow.of(donor.incarnation, granted.handle, version));
        world.say("host " + host.number() + " is granted slab " + slab + " by the donor at "
                + Arrays.asList(world.network().all()).indexOf(donor));
        return donor;
    }

    private @Nullable UUID holderOf(int slab) {
        SlabRow row = file.row(slab);
        return row == null ? null : row.copies().getFirst().incarnation();
    }

    private int handleOf(int slab) {
        SlabRow row = file.row(slab);
        return row == null ? -1 : row.copies().getFirst().handle();
    }

    void readAll() {
        tick();
        for (int page = 0; page < Truths.PAGES && runs; page++) {
            read(page);
        }
    }

    private void read(int page) {
        int slab = page / SimSlab.PAGES;
        int within = page % SimSlab.PAGES;
        boolean error = false;
        long value = 0;
        if (PageProbe.lost(file, pageOf(slab, within)) || !PageProbe.written(file, pageOf(slab, within))) {
            if (!mayAnswerByItself()) {
                return;
            }
            error = PageProbe.lost(file, pageOf(slab, within));
        } else {
            UUID holder = holderOf(slab);
            SimDonor donor = holder == null ? null : links.owned(holder);
            if (donor == null) {
                // Its donor is away: the request waits, and fails at its deadline.
                return;
            }
            links.answered(donor);
            SimSlab held = donor.slabs.get(slab);
            if (held == null || held.handle != handleOf(slab)) {
                takenBack(slab);
                error = true;
            } else {
                value = held.pages[within];
                error = value == SimDonor.LOST;
            }
        }
        if (error) {
            world.tally().lostSeen++;
        } else {
            world.tally().right++;
        }
        world.truths().read(content, page, error, value, "host " + host.number());
    }

    private static long pageOf(int slab, int within) {
        return (long) slab * (SimDonor.SLAB_SIZE >> 12) + within;
    }
}
