package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.Member;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The search for donors for one slab, and who waits for its end. Driven by one loop; see the methods for threads. */
final class Allocation {

    final int slab;
    final DeviceLoop loop;
    /** How many copies were wanted when it began. */
    final int copies;

    /** Donors that have refused, or have not answered in time, since the last time that all were tried. On the loop. */
    final BitSet refused = new BitSet();

    /** How many copies had been given back, of all slabs, when these were tried. On the loop. */
    long freedBefore;

    /** Copies that are granted, and not used yet. On the loop. */
    final List<Member> granted = new ArrayList<>();

    /** The pages that are lost, as all copies are told; null as long as none is asked for. On the loop. */
    long @Nullable [] lost;

    /** How often they have turned out to be others. On the loop. */
    int rounds;

    /** Whether the copies are being told of each other. On the loop. */
    boolean placing;

    /** When it began, on the loop's clock. */
    final long begun;

    private final List<SlabWaits.Wait> waits = new ArrayList<>();
    private boolean over;

    Allocation(int slab, int copies, DeviceLoop loop) {
        this.slab = slab;
        this.copies = copies;
        this.loop = loop;
        begun = loop.now();
    }

    /** Adds one that waits; false if this has ended. Any thread. */
    synchronized boolean add(SlabWaits.Wait wait) {
        return !over && waits.add(wait);
    }

    /** Whether this has ended. Any thread. */
    synchronized boolean over() {
        return over;
    }

    /** Ends this if nobody waits for it any more; whether it is over. Any thread. */
    synchronized boolean endIfForgotten(long now) {
        waits.removeIf(wait -> wait.expired(now));
        over |= waits.isEmpty();
        return over;
    }

    /** Ends this and tells all that wait; with 0 or the code of an error. Any thread. */
    void end(int error) {
        List<SlabWaits.Wait> told;
        synchronized (this) {
            over = true;
            told = List.copyOf(waits);
            waits.clear();
        }
        told.forEach(wait -> wait.endOnLoop(error));
    }
}
