package io.leapnbd.bypass;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.takeover.NewcomerCheck;
import io.leapnbd.bypass.takeover.Note;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What speaks against a change of a running server's donors. Looks at those that are new, and changes nothing. For one thread. */
final class DonorChangeCheck {

    private final DeviceDonors donors;
    private final RemoteDeviceContext context;
    private final List<DonorAddress> wanted;
    private final boolean loseMissing;
    private final List<DonorAddress> fresh = new ArrayList<>();
    private final List<Integer> removed = new ArrayList<>();
    private final List<Integer> givenUp = new ArrayList<>();
    private final List<Integer> kept = new ArrayList<>();

    DonorChangeCheck(DeviceDonors donors, RemoteDeviceContext context, List<DonorAddress> wanted, boolean loseMissing) {
        this.donors = donors;
        this.context = context;
        this.wanted = wanted;
        this.loseMissing = loseMissing;
    }

    DonorChange check() {
        if (context.embedded() != null) {
            throw new IllegalArgumentException(
                    "this server's donor is in its own process, and has no others; start it with --donors");
        }
        if (wanted.isEmpty()) {
            throw new IllegalArgumentException("a server needs a donor; name at least one");
        }
        sort();
        checkNumbers();
        checkCopies();
        checkWhoIsLeft();
        NewcomerCheck looking = new NewcomerCheck(donors.terms());
        List<DonorChange.Newcomer> added = new ArrayList<>();
        for (DonorAddress address : fresh) {
            try {
                DonorConnector connector = donors.connector(address);
                added.add(new DonorChange.Newcomer(address, connector, looking.check(connector)));
            } catch (IOException e) {
                throw new IllegalArgumentException(e.getMessage(), e);
            }
        }
        return new DonorChange(added, removed, givenUp, kept);
    }

    private void sort() {
        for (int i = 0; i < wanted.size(); i++) {
            DonorAddress address = wanted.get(i);
            if (wanted.subList(0, i).stream().anyMatch(other -> isSamePlace(other, address))) {
                throw new IllegalArgumentException("donor " + address + " is named twice; name it once");
            }
            Donor present = find(address);
            if (present == null) {
                fresh.add(address);
            } else if (present.use() == Donor.Use.LEAVING) {
                kept.add(donors.numberOf(present));
            } else if (present.use() == Donor.Use.DISOWNED) {
                throw new IllegalArgumentException("donor " + present
                        + " is just being removed; add it again when 'leap-nbd status' does not name it any more");
            }
        }
        for (Donor donor : donors.present()) {
            DonorAddress address = donors.addressOf(donor);
            boolean stays = address == null || wanted.stream().anyMatch(other -> isSamePlace(other, address));
            if (!stays && donor.use() != Donor.Use.DISOWNED) {
                remove(donor);
            }
        }
    }

    /** The donor at an address, which has to be reached as it is. */
    private @Nullable Donor find(DonorAddress address) {
        for (Donor donor : donors.present()) {
            DonorAddress known = donors.addressOf(donor);
            if (known != null && isSamePlace(known, address)) {
                if (!known.equals(address)) {
                    throw new IllegalArgumentException("donor " + known + " is there already, with another transport or"
                            + " zone; remove it before you add it as " + address
                            + (address.zone().isEmpty() ? "" : "?zone=" + address.zone()));
                }
                return donor;
            }
        }
        return null;
    }

    private static boolean isSamePlace(DonorAddress one, DonorAddress other) {
        return one.port() == other.port() && one.host().equals(other.host());
    }

    private void remove(Donor donor) {
        int number = donors.numberOf(donor);
        boolean claimed = donor.standing().isClaimed();
        int held = donors.copiesAt(donor);
        // What was never claimed there by anybody need not be given up.
        boolean nothing = donor.up() || (held == 0 && (claimed || !donors.note().namesAddress(donor.name())));
        if (nothing) {
            if (donor.use() != Donor.Use.LEAVING) {
                removed.add(number);
            }
        } else if (loseMissing) {
            givenUp.add(number);
        } else if (donor.use() != Donor.Use.LEAVING) {
            throw new IllegalArgumentException("donor " + donor + " cannot be reached and "
                    + (held == 0 ? "may hold slabs" : "holds " + held + " slabs")
                    + " of this export; start it, wait until these have other copies, or give up what only it has by adding"
                    + " lose-missing=yes");
        }
    }

    private void checkNumbers() {
        int most = StateFile.MAX_DONORS;
        if (donors.list().size() + fresh.size() > most) {
            throw new IllegalArgumentException(
                    "this server has had " + donors.list().size() + " donors since its start, and " + most
                            + " are possible; restart it, and those that are gone do not count");
        }
        if (donors.note().now().members().size() + fresh.size() > Note.MAX_MEMBERS) {
            throw new IllegalArgumentException("this export has had donors at too many addresses, and "
                    + Note.MAX_MEMBERS + " can be remembered; restart the server with --lose-missing");
        }
    }

    /** Copies that were asked for in so many words are not given up. */
    private void checkCopies() {
        long machines = wanted.stream().map(DonorAddress::machine).distinct().count();
        if (!context.copiesByDefault() && machines < context.mostCopies()) {
            throw new IllegalArgumentException("--replicas " + context.mostCopies()
                    + " was asked for, which needs donors on as many machines, and " + machines
                    + " would be left; add others first, or start the server with --replicas " + machines);
        }
    }

    /** Whoever is left has to be there to learn of it. */
    private void checkWhoIsLeft() {
        List<Donor> left = donors.present().stream()
                .filter(donor -> donor.use() == Donor.Use.USED || kept.contains(donors.numberOf(donor)))
                .filter(donor -> !removed.contains(donors.numberOf(donor)) && !givenUp.contains(donors.numberOf(donor)))
                .toList();
        boolean noneAnswers = left.stream().noneMatch(Donor::up);
        if (noneAnswers && (!removed.isEmpty() || !givenUp.isEmpty()) && (fresh.isEmpty() || !givenUp.isEmpty())) {
            throw new IllegalArgumentException("no donor would be left that answers; add another one first");
        }
        if (!givenUp.isEmpty()) {
            left.stream().filter(donor -> !donor.up()).findFirst().ifPresent(silent -> {
                throw new IllegalArgumentException(
                        "donor " + silent
                                + " does not answer, and would not learn that others are given up; start it, or remove it as well");
            });
        }
    }
}
