package io.leapnbd.bypass;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkSettings;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.path.Departures;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.bypass.path.NoteSpreader;
import io.leapnbd.bypass.path.Repair;
import io.leapnbd.bypass.path.SlabAllocator;
import io.leapnbd.bypass.path.SlabLosses;
import io.leapnbd.bypass.takeover.Admissions;
import io.leapnbd.bypass.takeover.CopiesWish;
import io.leapnbd.bypass.takeover.DisownedDonors;
import io.leapnbd.bypass.takeover.ExportNote;
import io.leapnbd.bypass.takeover.NewcomerCheck;
import io.leapnbd.bypass.takeover.Retirements;
import io.leapnbd.bypass.takeover.TakenExport;
import io.leapnbd.donor.linux.SuspendedTime;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The donors of a device by their numbers, which are for good: a donor that is added has the next one, and one that is removed leaves its number
 * empty. So the list only grows; it is replaced as a whole, and read without a lock. What others keep by number has room for {@link
 * StateFile#MAX_DONORS} from the start. Any thread; the monitor is held while donors are added, and while a loop opens its links.
 */
public final class DeviceDonors {

    private static final Logger LOG = LoggerFactory.getLogger(DeviceDonors.class);

    private final RemoteDeviceContext context;
    private final TakenExport taken;
    private final LinkSettings settings;
    private final AddressMap map;
    private final SlabLosses losses;
    private final SlabAllocator allocator;
    private final Admissions admissions;
    private final List<Donor> donors;
    private final List<DonorConnector> connectors;
    /** Of each donor: what counts as its machine. */
    private final List<String> machines = new CopyOnWriteArrayList<>();
    /** Of each donor: the number of that, by which copies are kept apart. With the monitor. */
    private final List<Integer> machineNumbers = new ArrayList<>();
    /** By number, of those that are added: the version of the note that names it. With the monitor. */
    private final Map<Integer, Long> announced = new HashMap<>();
    /** Loops have links to donors below this number, or are about to open them. With the monitor. */
    private int opened;
    /** Numbers of donors that were added, and that every loop has a link to. */
    private final Set<Integer> linked = ConcurrentHashMap.newKeySet();
    /** How many were added, and are not used yet. */
    private final AtomicInteger arriving = new AtomicInteger();

    /** Of each donor; null of one in this process, and of the spill. */
    private final List<@Nullable DonorAddress> addresses = new CopyOnWriteArrayList<>();

    private final Connectors connecting;
    private volatile @Nullable Departures departures;
    private volatile @Nullable DeviceLoops loops;

    /**
     * Those of the start.
     *
     * @param donors an empty list, which this fills
     */
    DeviceDonors(
            RemoteDeviceContext context,
            TakenExport taken,
            LinkSettings settings,
            AddressMap map,
            SlabLosses losses,
            SlabAllocator allocator,
            NoteSpreader notes,
            List<Donor> donors,
            Connectors connecting,
            List<DonorConnector> first) {
        this.connecting = connecting;
        this.context = context;
        this.taken = taken;
        this.settings = settings;
        this.map = map;
        this.losses = losses;
        this.allocator = allocator;
        this.donors = donors;
        connectors = new CopyOnWriteArrayList<>(first);
        int[] numbers = context.machinesAndSpill();
        for (int i = 0; i < first.size(); i++) {
            machineNumbers.add(numbers[i]);
            Donor donor = first.get(i).donor();
            donor.stand(taken.standings().get(i));
            donors.add(donor);
            DonorAddress address =
                    i < context.donors().size() ? context.donors().get(i) : null;
            addresses.add(address);
            machines.add(address == null ? "" : address.machine());
        }
        opened = donors.size();
        admissions = new Admissions(donors, taken.note(), notes::hasReached, new SuspendedTime());
    }

    /** All that there are or were, by number. */
    List<Donor> list() {
        return donors;
    }

    /** Those that there are, the ones that join or leave included. */
    public List<Donor> present() {
        return donors.stream().filter(donor -> donor.use() != Donor.Use.GONE).toList();
    }

    ExportNote note() {
        return taken.note();
    }

    Admissions admissions() {
        return admissions;
    }

    /** One loop's links to all of them. On that loop, with this object's monitor. */
    DonorLink[] links(EventLoop loop, int lane) {
        DonorLink[] links = new DonorLink[opened];
        for (int i = 0; i < links.length; i++) {
            boolean there = donors.get(i).use().compareTo(Donor.Use.DISOWNED) < 0;
            links[i] = there ? link(connectors.get(i), loop, lane) : DeviceLoop.removed(donors.get(i));
        }
        return links;
    }

    /** One loop's link to one of them. On that loop. */
    DonorLink link(DonorConnector connector, EventLoop loop, int lane) {
        return connector.link(loop, lane, settings, context.requestTimeout().toNanos());
    }

    /** Which loop looks after those that come and go. On that loop. */
    void home(DeviceLoop loop, DeviceLoops all, Repair repair) {
        DisownedDonors owner = new DisownedDonors(donors, taken.note(), admissions, map, losses, taken.state());
        Departures leaving = new Departures(loop, all::all, map, repair::anyAt, owner);
        loops = all;
        departures = leaving;
        loop.onTick(leaving::tick);
        loop.onTick(this::welcome);
        long longest = 2 * context.requestTimeout().toNanos();
        Retirements drained = new Retirements(donors, admissions, repair::isEmpty, longest, System::nanoTime);
        loop.onTick(drained::tick);
    }

    /** The number of a donor. */
    public int numberOf(Donor donor) {
        return donors.indexOf(donor);
    }

    /** Where a donor is reached; null of one in this process, and of the spill. */
    public @Nullable DonorAddress addressOf(Donor donor) {
        return addresses.get(numberOf(donor));
    }

    /**
     * Checks a change, and looks at donors that are new. Nothing is changed yet. Blocks; for one thread at a time.
     *
     * @param wanted all donors that there are to be
     * @param loseMissing whether donors that are removed and do not answer are given up, with what only they hold
     * @throws IllegalArgumentException in one sentence, if it cannot be made
     */
    public DonorChange check(List<DonorAddress> wanted, boolean loseMissing) {
        return new DonorChangeCheck(this, context, wanted, loseMissing).check();
    }

    /**
     * Makes a change that was checked. What takes its time goes on in the background.
     *
     * @throws IllegalArgumentException if a donor that is to stay is almost gone; then nothing is changed
     */
    public synchronized void make(DonorChange change) {
        change.kept().forEach(this::keep);
        change.added().forEach(this::add);
        change.removed().forEach(number -> remove(number, false));
        change.givenUp().forEach(number -> remove(number, true));
        if (!change.kept().isEmpty()
                || !change.removed().isEmpty()
                || !change.givenUp().isEmpty()) {
            wantCopies();
        }
    }

    /** What donors that are added have to fit. */
    NewcomerCheck.Terms terms() {
        DeviceLoops all = loops;
        return new NewcomerCheck.Terms(
                settings.export(),
                settings.content(),
                settings.instance(),
                settings.slabSize(),
                all == null ? 1 : all.all().size(),
                settings.givenUp(),
                donors,
                taken.state().donors());
    }

    /** The ways to a donor that is to be added. */
    DonorConnector connector(DonorAddress address) throws IOException {
        return connecting.to(address);
    }

    /** A donor that does not know yet who comes or goes, so that this has to wait; null if all do. */
    public @Nullable String whoDoesNotKnow() {
        return admissions.whoDoesNotKnow("", taken.note().version());
    }

    /** Copies of slabs at a donor. */
    public int copiesAt(Donor donor) {
        return map.copiesAt(numberOf(donor));
    }

    // Donors that are added.

    /** Adds a donor. The others are told; then the loops open their links, and it gets slabs once it is claimed. */
    private void add(DonorChange.Newcomer one) {
        DonorAddress address = one.address();
        DonorConnector connector = one.connector();
        Donor donor = connector.donor();
        int number = donors.size();
        donor.use(Donor.Use.JOINING);
        donor.stand(one.standing());
        donor.heard(System.nanoTime());
        int machine = machineNumber(address.machine());
        allocator.onMachine(number, machine);
        machineNumbers.add(machine);
        machines.add(address.machine());
        addresses.add(address);
        connectors.add(connector);
        donors.add(donor);
        announced.put(number, admissions.announce(donor.name()));
        int _ = arriving.incrementAndGet();
        // Until it is there, donors that are full, or leave, are not all that there is.
        allocator.expectFreed(1);
    }

    /** Opens links to those that were added, in their order, when all others know of them. */
    private synchronized void open(DeviceLoops all) {
        while (opened < donors.size()) {
            int number = opened;
            Donor donor = donors.get(number);
            long version = announced.getOrDefault(number, 0L);
            if (version != 0
                    && donor.use() == Donor.Use.JOINING
                    && admissions.whoDoesNotKnow(donor.name(), version) != null) {
                return;
            }
            announced.remove(number);
            opened++;
            all.add(connectors.get(number), () -> linked.add(number));
        }
    }

    /** That of the donors that are there already; otherwise one that no other machine has. */
    private int machineNumber(String name) {
        int known = machines.indexOf(name);
        return known < 0 ? StateFile.MAX_DONORS + donors.size() : machineNumbers.get(known);
    }

    /** Uses those that were added, when every loop has a link and they are claimed. On the home loop. */
    private void welcome() {
        DeviceLoops all = loops;
        if (arriving.get() > 0 && all != null) {
            open(all);
            boolean _ = linked.removeIf(this::joinsNoMore);
        }
    }

    private synchronized boolean joinsNoMore(int number) {
        Donor donor = donors.get(number);
        boolean joins = donor.use() == Donor.Use.JOINING;
        if (joins && donor.up()) {
            donor.use(Donor.Use.USED);
            LOG.info("donor {} is added: slabs may go there from now on", donor);
            wantCopies();
        }
        boolean ended = !joins || donor.use() == Donor.Use.USED;
        if (ended) {
            int _ = arriving.decrementAndGet();
            allocator.expectFreed(-1);
        }
        return ended;
    }

    /** How many copies there are to be, if that was left to the donors there are. */
    private void wantCopies() {
        if (!context.copiesByDefault()) {
            return;
        }
        List<Long> rooms = new ArrayList<>();
        List<String> names = new ArrayList<>();
        List<Integer> of = new ArrayList<>();
        for (int i = 0; i < donors.size(); i++) {
            if (donors.get(i).use() == Donor.Use.USED && !donors.get(i).lastResort()) {
                if (!names.contains(machines.get(i))) {
                    names.add(machines.get(i));
                }
                of.add(names.indexOf(machines.get(i)));
                rooms.add((long) (donors.get(i).freeSlabs() + map.copiesAt(i)) * map.slabSize());
            }
        }
        int before = allocator.copies();
        int now = new CopiesWish(context.mostCopies(), true, of).granted(map.size(), rooms, 0);
        if (now == before) {
            return;
        }
        allocator.copies(now);
        taken.note().copies(now);
        if (now > before) {
            LOG.info(
                    "{} copies of each page from now on, as donors on {} machines have room for that; those that are missing are"
                            + " filled in the background",
                    now,
                    names.size());
        } else {
            LOG.warn(
                    "{} from now on, as the donors that are left have no room for more: when a donor ends, its pages are lost",
                    now == 1 ? "one copy of each page" : now + " copies of each page");
        }
    }

    // Donors that are removed.

    private void remove(int number, boolean givenUp) {
        Departures leaving = departures;
        if (leaving == null) {
            throw new IllegalStateException("no loop has come yet");
        }
        Donor donor = donors.get(number);
        donor.use(Donor.Use.LEAVING);
        leaving.begin(number, givenUp);
        LOG.info(
                "donor {} is to be removed: {}",
                donor,
                givenUp ? "what only it holds is given up" : "what it holds goes to others first");
    }

    private void keep(int number) {
        Departures leaving = departures;
        if (leaving == null || !leaving.cancel(number)) {
            throw new IllegalArgumentException(
                    "donor " + donors.get(number)
                            + " is being removed, and it is too late to keep it; add it again when 'leap-nbd status' does not name it");
        }
        donors.get(number).use(Donor.Use.USED);
        LOG.info("donor {} is used again", donors.get(number));
    }

    // What links find out.

    void lost(Donor donor, UUID gone, UUID found, boolean seen) {
        if (!seen) {
            admissions.missedEnd();
        }
        long pages = losses.restarted(donors.indexOf(donor), gone);
        String what = gone.equals(found) ? "has given the slabs away, as the lease had run out" : "has restarted";
        if (pages == 0) {
            LOG.warn("donor {} {}; no written page is lost", donor, what);
        } else {
            LOG.error("donor {} {}: {} written pages are lost; reading one is an I/O error", donor, what, pages);
        }
        taken.note().remove(gone);
        taken.state().removeDonor(gone);
    }

    void claimed(Donor donor, UUID found, long epoch) {
        taken.state().putDonor(new StateFile.DonorRow(found, donor.name(), epoch, taken.instance()));
    }
}
