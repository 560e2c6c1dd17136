package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.StateFile;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLongArray;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How many pages came from each donor that were not what was written, and what was done about it. Any thread. */
public final class SealFigures {

    private static final Logger LOG = LoggerFactory.getLogger(SealFigures.class);

    private final List<Donor> donors;
    private final AtomicLongArray unfit;
    private final AtomicLongArray mended;
    private final AtomicIntegerArray told;

    /**
     * Of one device.
     *
     * @param donors by number, as of now
     */
    public SealFigures(List<Donor> donors) {
        this.donors = donors;
        unfit = new AtomicLongArray(StateFile.MAX_DONORS);
        mended = new AtomicLongArray(StateFile.MAX_DONORS);
        told = new AtomicIntegerArray(StateFile.MAX_DONORS);
    }

    /** Pages that came from a donor and were not what was written. */
    public long unfit(int donor) {
        return unfit.get(donor);
    }

    /** Copies at a donor that were written anew for that. */
    public long mended(int donor) {
        return mended.get(donor);
    }

    /** A page was not what was written. Said once for each donor. */
    void countUnfit(int donor, long offset) {
        long _ = unfit.incrementAndGet(donor);
        if (told.compareAndSet(donor, 0, 1)) {
            LOG.error(
                    "donor {} has answered a page that is not what was written there, at byte {}. Another copy is read if there is one;"
                            + " else it is an I/O error. Further ones are only counted (seals_unfit)",
                    donors.get(donor),
                    offset);
        }
    }

    void countMended(int donor) {
        long _ = mended.incrementAndGet(donor);
    }
}
