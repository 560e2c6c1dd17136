package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import java.util.List;
import java.util.UUID;
import java.util.function.IntConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one place where a slab's bytes go away while the device is in use: a donor took the slab back, or has restarted. The map
 * is told first, then who keeps copies of pages. Requests under way find out when they end: their member is not the present
 * placement's any more, and they are issued again. Any thread.
 */
public final class SlabLosses {

    private static final Logger LOG = LoggerFactory.getLogger(SlabLosses.class);

    private final AddressMap map;
    private final List<Donor> donors;
    private final LostBytes lostBytes;
    private final IntConsumer lostSlabs;

    /**
     * For one device.
     *
     * @param lostBytes told, after the map, of each range whose bytes are gone
     * @param lostSlabs told of each slab that nobody holds any more and of which a page is lost
     */
    public SlabLosses(AddressMap map, List<Donor> donors, LostBytes lostBytes, IntConsumer lostSlabs) {
        this.map = map;
        this.donors = donors;
        this.lostBytes = lostBytes;
        this.lostSlabs = lostSlabs;
    }

    /** A donor says that it does not have a slab any more. Nothing happens if the slab is somewhere else by now. */
    void takenBack(int slab, Member where) {
        long pages = lose(slab, where);
        if (pages >= 0) {
            LOG.error(
                    "donor {} has taken back slab {}: {} written pages are lost",
                    donors.get(where.donor()),
                    slab,
                    pages);
        }
    }

    /**
     * A donor process has ended, or has forgotten the export, and with it all that it held is gone.
     *
     * @return how many written pages that were
     */
    public long restarted(int donor, UUID gone) {
        long pages = 0;
        for (int slab = 0; slab < map.slabs(); slab++) {
            Placement placement = map.placement(slab);
            if (placement != null) {
                Member member = placement.primary();
                if (member.donor() == donor && member.incarnation().equals(gone)) {
                    pages += Math.max(0, lose(slab, member));
                }
            }
        }
        return pages;
    }

    private long lose(int slab, Member gone) {
        long pages = map.lose(slab, gone);
        if (pages > 0) {
            lostBytes.lost((long) slab * map.slabSize(), map.slabSize());
        }
        if (pages >= 0 && map.damaged(slab)) {
            // Pages may have been lost with an earlier slab, too.
            lostSlabs.accept(slab);
        }
        return pages;
    }

    /** Who keeps copies of pages. */
    @FunctionalInterface
    public interface LostBytes {

        /** The bytes of a range are gone, and what is kept of them must not be given out any more. */
        void lost(long offset, long length);
    }
}
