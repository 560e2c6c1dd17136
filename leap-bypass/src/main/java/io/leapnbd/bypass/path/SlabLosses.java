package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Protocol;
import java.util.List;
import java.util.UUID;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
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
    private final Versions versions;
    private final List<Donor> donors;
    private final LostBytes lostBytes;
    private final IntConsumer lostSlabs;
    private final IntConsumer thinned;

    /**
     * For one device.
     *
     * @param versions of the placements that are left
     * @param lostBytes told, after the map, of each range whose bytes are gone
     * @param lostSlabs told of each slab that nobody holds any more and of which a page is lost
     * @param thinned told of each slab that has lost a copy, and has others
     */
    public SlabLosses(
            AddressMap map,
            Versions versions,
            List<Donor> donors,
            LostBytes lostBytes,
            IntConsumer lostSlabs,
            IntConsumer thinned) {
        this.map = map;
        this.versions = versions;
        this.donors = donors;
        this.lostBytes = lostBytes;
        this.lostSlabs = lostSlabs;
        this.thinned = thinned;
    }

    /** A donor says that it does not have a slab any more. Nothing happens if the slab is somewhere else by now. */
    void takenBack(int slab, Member where) {
        AddressMap.Removal removal = remove(slab, where);
        if (removal == null) {
            return;
        }
        Donor donor = donors.get(where.donor());
        Placement left = removal.left();
        if (left == null) {
            LOG.error("donor {} has taken back slab {}: {} written pages are lost", donor, slab, removal.pagesLost());
        } else {
            LOG.warn("donor {} has taken back its copy of slab {}; there are {} more", donor, slab, left.live());
        }
    }

    /**
     * A donor process has ended, or has forgotten the export, and with it all that it held is gone.
     *
     * @return how many written pages are lost by that
     */
    public long restarted(int donor, UUID gone) {
        long pages = 0;
        for (int slab = 0; slab < map.slabs(); slab++) {
            Placement placement = map.placement(slab);
            Member member = placement == null ? null : placement.at(donor, gone);
            AddressMap.Removal removal = member == null ? null : remove(slab, member);
            if (removal != null) {
                pages += removal.pagesLost();
            }
        }
        return pages;
    }

    /** No copy holds a page as it was written; no write to it may be under way. Reading it is an error from here on. */
    void pageLost(long offset) {
        long pages = map.losePages(offset, Protocol.PAGE_SIZE);
        lostBytes.lost(offset, Protocol.PAGE_SIZE);
        lostSlabs.accept(map.slabOf(offset));
        if (pages > 0) {
            LOG.error(
                    "the page at byte {} is lost: no donor holds it as it was written; reading it is an I/O error until it is written",
                    offset);
        }
    }

    private AddressMap.@Nullable Removal remove(int slab, Member gone) {
        AddressMap.Removal removal = map.remove(slab, gone, versions::nextGrant);
        if (removal == null) {
            return null;
        }
        if (removal.left() != null) {
            thinned.accept(slab);
            return removal;
        }
        if (removal.pagesLost() > 0) {
            lostBytes.lost((long) slab * map.slabSize(), map.slabSize());
        }
        if (map.damaged(slab)) {
            // Pages may have been lost with an earlier slab, too.
            lostSlabs.accept(slab);
        }
        return removal;
    }

    /** Who keeps copies of pages. */
    @FunctionalInterface
    public interface LostBytes {

        /** The bytes of a range are gone, and what is kept of them must not be given out any more. */
        void lost(long offset, long length);
    }
}
