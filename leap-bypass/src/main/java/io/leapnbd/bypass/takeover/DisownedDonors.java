package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.path.Departures;
import io.leapnbd.bypass.path.SlabLosses;
import java.util.BitSet;
import java.util.List;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the owner of an export writes down, and tells, of donors that leave: in the note that the others keep, in the state file and in the map (docs/replicas.md,
 * "How a donor is removed"). For the loop that looks after them.
 */
public final class DisownedDonors implements Departures.Owner {

    private static final Logger LOG = LoggerFactory.getLogger(DisownedDonors.class);

    private final List<Donor> donors;
    private final ExportNote note;
    private final Admissions admissions;
    private final AddressMap map;
    private final SlabLosses losses;
    private final StateFile file;

    /**
     * Of one server.
     *
     * @param donors by number
     */
    public DisownedDonors(
            List<Donor> donors,
            ExportNote note,
            Admissions admissions,
            AddressMap map,
            SlabLosses losses,
            StateFile file) {
        this.donors = donors;
        this.note = note;
        this.admissions = admissions;
        this.map = map;
        this.losses = losses;
        this.file = file;
    }

    @Override
    public long disown(int donor, boolean givenUp) {
        BitSet lost = new BitSet();
        for (int slab = 0; givenUp && slab < map.slabs(); slab++) {
            Placement now = map.placement(slab);
            lost.set(slab, now != null && isAlone(now, donor));
        }
        Donor of = donors.get(donor);
        UUID process = of.incarnation();
        note.disown(process, of.name(), lost, givenUp || process == null);
        return note.version();
    }

    /** Whether no other donor has a live copy: then nobody may list one, and the slab would count as blank. */
    private static boolean isAlone(Placement now, int donor) {
        for (int i = 0; i < now.live(); i++) {
            if (now.member(i).donor() != donor) {
                return false;
            }
        }
        return true;
    }

    @Override
    public boolean allKnow(long version) {
        return admissions.whoDoesNotKnow("", version) == null;
    }

    @Override
    public void released(int donor) {
        UUID process = donors.get(donor).incarnation();
        if (process != null) {
            note.forgive(process);
        }
    }

    @Override
    public void forget(int donor, boolean givenUp) {
        UUID process = donors.get(donor).incarnation();
        if (process != null) {
            if (givenUp) {
                long pages = losses.restarted(donor, process);
                LOG.warn("donor {} is given up: {} written pages are lost with it", donors.get(donor), pages);
            }
            file.removeDonor(process);
        }
    }

    @Override
    public void gone(int donor) {
        donors.get(donor).stand(DonorStanding.NONE);
    }
}
