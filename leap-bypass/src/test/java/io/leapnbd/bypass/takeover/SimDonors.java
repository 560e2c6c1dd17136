package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.path.BarePath;
import io.leapnbd.bypass.path.Departures;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * How an operator changes the donors of a server that runs: what {@code DeviceDonors} does, with the real {@link NewcomerCheck}, {@link Departures}, {@link
 * DisownedDonors}, {@link ExportNote} and {@link Admissions}.
 */
final class SimDonors implements Departures.Owner {

    private final TakeoverWorld world;
    private final SimServer server;
    private final BarePath path;
    private final int wanted;
    private final DisownedDonors owner;

    /** By number. */
    private final List<Integer> addresses;

    /** By number, of those that are not used yet: the version of the note that names it. */
    private final Map<Integer, Long> announced = new HashMap<>();

    /** There are links to those below. */
    private int opened;

    SimDonors(TakeoverWorld world, SimServer server, BarePath path, List<Integer> named, int wanted) {
        this.world = world;
        this.server = server;
        this.path = path;
        this.wanted = wanted;
        addresses = new ArrayList<>(named);
        opened = named.size();
        owner = new DisownedDonors(
                server.numbered(), server.note(), server.admissions(), path.map(), server.losses(), server.file());
    }

    /** Where those are that there are to be. */
    List<Integer> addresses() {
        List<Integer> all = new ArrayList<>();
        for (int i = 0; i < addresses.size(); i++) {
            if (use(i) == Donor.Use.USED || use(i) == Donor.Use.JOINING) {
                all.add(addresses.get(i));
            }
        }
        return all;
    }

    /** Whether any donor comes or goes now. */
    boolean change() {
        for (int i = 0; i < addresses.size(); i++) {
            if (use(i) != Donor.Use.USED && use(i) != Donor.Use.GONE) {
                return true;
            }
        }
        return false;
    }

    private Donor donor(int number) {
        return server.numbered().get(number);
    }

    private Donor.Use use(int number) {
        return donor(number).use();
    }

    private void say(String what) {
        world.say("host " + server.host().number() + ": " + what);
    }

    /** Adds the donor at an address, or removes it. */
    void change(int address) {
        for (int i = 0; i < addresses.size(); i++) {
            if (addresses.get(i) == address && use(i) != Donor.Use.GONE) {
                switch (use(i)) {
                    case USED, JOINING -> remove(i);
                    case LEAVING -> keep(i);
                    case DISOWNED, GONE -> say("it is too late to keep donor " + address);
                }
                return;
            }
        }
        add(address);
    }

    private void add(int address) {
        SimDonor there = world.network().at(address);
        if (!there.reachableFrom(server.host().number()) || addresses.size() == StateFile.MAX_DONORS) {
            return;
        }
        DonorStanding standing;
        try {
            standing = new NewcomerCheck(terms())
                    .check(Greeting.of(addresses.size(), SimNetwork.address(address), there.observe(false)));
        } catch (IllegalArgumentException e) {
            say(String.valueOf(e.getMessage()));
            return;
        }
        say("donor " + address + " is added");
        Donor donor = server.add(address, standing);
        announced.put(addresses.size(), server.admissions().announce(donor.name()));
        addresses.add(address);
        path.expect(1);
        world.tally().added++;
    }

    private NewcomerCheck.Terms terms() {
        return new NewcomerCheck.Terms(
                "e",
                server.content(),
                server.instance(),
                SimDonor.SLAB_SIZE,
                1,
                server.note()::isGivenUp,
                server.numbered(),
                server.file().donors());
    }

    /** As {@code DonorChangeCheck} has it. */
    private void remove(int number) {
        boolean anyAnswers = false;
        boolean allAnswer = true;
        for (int i = 0; i < addresses.size(); i++) {
            if (i != number && use(i) == Donor.Use.USED) {
                anyAnswers |= donor(i).up();
                allAnswer &= donor(i).up();
            }
        }
        Donor donor = donor(number);
        boolean nothing = donor.up()
                || (path.map().copiesAt(number) == 0
                        && (donor.standing().isClaimed() || !server.note().namesAddress(donor.name())));
        if (!anyAnswers || (!nothing && (!allAnswer || world.random().nextBoolean()))) {
            return;
        }
        say("donor " + addresses.get(number) + " is to be removed" + (nothing ? "" : ", and given up"));
        if (!nothing) {
            promise(number);
        }
        donor.use(Donor.Use.LEAVING);
        path.departures().begin(number, !nothing);
        wantCopies();
    }

    /** Neither the donor that is given up, nor another server, goes on with what it holds. */
    private void promise(int number) {
        for (SimHost other : world.hosts()) {
            if (other != server.host()) {
                other.kill("the operator's kill");
            }
        }
        for (SimDonor one : world.network().all()) {
            boolean its = one.incarnation.equals(donor(number).incarnation())
                    || one == world.network().at(addresses.get(number));
            if (its && one.describe().content().equals(server.content())) {
                one.givenUp = true;
            }
        }
        world.tally().givenUp++;
    }

    private void keep(int number) {
        if (path.departures().cancel(number)) {
            say("donor " + addresses.get(number) + " is kept");
            donor(number).use(Donor.Use.USED);
            wantCopies();
        }
    }

    private void wantCopies() {
        int used = 0;
        for (int i = 0; i < addresses.size(); i++) {
            used += use(i) == Donor.Use.USED ? 1 : 0;
        }
        path.copies(Math.clamp(used, 1, wanted));
    }

    /** Time has passed. */
    void tick() {
        while (opened < addresses.size()) {
            int number = opened;
            long version = announced.getOrDefault(number, 0L);
            if (version != 0
                    && use(number) == Donor.Use.JOINING
                    && server.admissions().whoDoesNotKnow(donor(number).name(), version) != null) {
                break;
            }
            opened++;
            path.add(server.open(donor(number), addresses.get(number)));
        }
        for (int i = 0; i < opened; i++) {
            boolean joins = use(i) == Donor.Use.JOINING;
            if (announced.containsKey(i) && (!joins || donor(i).up())) {
                announced.remove(i);
                path.expect(-1);
                if (joins) {
                    donor(i).use(Donor.Use.USED);
                    wantCopies();
                }
            }
        }
    }

    @Override
    public long disown(int number, boolean givenUp) {
        say("donor " + addresses.get(number) + " is disowned");
        return owner.disown(number, givenUp);
    }

    @Override
    public boolean allKnow(long version) {
        return owner.allKnow(version);
    }

    @Override
    public void released(int number) {
        owner.released(number);
    }

    @Override
    public void forget(int number, boolean givenUp) {
        owner.forget(number, givenUp);
    }

    @Override
    public void gone(int number) {
        say("donor " + addresses.get(number) + " is removed");
        owner.gone(number);
        world.tally().removed++;
    }
}
