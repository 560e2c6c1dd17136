package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import org.jspecify.annotations.Nullable;

/**
 * Which live copy one loop reads from: the one that is expected to answer first, by the smoothed time that its donor's answers have taken
 * and by the reads that are under way there. One read in {@link #PROBE_ONE_IN} goes to the next copy, so that a donor which was slow is found to be fast
 * again. For the loop's thread; allocates nothing.
 */
final class ReadChoice {

    /** A power of two. */
    static final int PROBE_ONE_IN = 128;

    /** Weight of the newest answer: one eighth, as TCP smooths its round trips (RFC 6298). */
    private static final int SMOOTHING_SHIFT = 3;

    /** Above every cost: the copy is asked only if all are so. */
    private static final long UNFIT = Long.MAX_VALUE / 4;

    /** Above the cost of every copy that is well, and below {@link #UNFIT}. */
    private static final long LAST_RESORT = UNFIT / 2;

    private final DeviceLoop loop;
    private final long silentNanos;
    private final long[] smoothed;
    private final int[] underWay;
    private int reads;

    /**
     * For one loop.
     *
     * @param silentNanos a donor that owes answers and was not heard for so long is passed over
     */
    ReadChoice(DeviceLoop loop, long silentNanos) {
        this.loop = loop;
        this.silentNanos = silentNanos;
        smoothed = new long[StateFile.MAX_DONORS];
        underWay = new int[StateFile.MAX_DONORS];
    }

    /**
     * Chooses.
     *
     * @param avoid the copy that has just failed, or null
     */
    Member choose(Placement placement, @Nullable Member avoid) {
        int live = placement.live();
        if (live == 1) {
            return placement.primary();
        }
        int best = -1;
        int second = -1;
        long bestCost = Long.MAX_VALUE;
        long secondCost = Long.MAX_VALUE;
        for (int i = 0; i < live; i++) {
            Member member = placement.member(i);
            long cost = cost(member, member == avoid);
            if (cost < bestCost || best < 0) {
                second = best;
                secondCost = bestCost;
                best = i;
                bestCost = cost;
            } else if (cost < secondCost || second < 0) {
                second = i;
                secondCost = cost;
            }
        }
        boolean probe = (++reads & (PROBE_ONE_IN - 1)) == 0 && secondCost < LAST_RESORT;
        return placement.member(probe && second >= 0 ? second : best);
    }

    private long cost(Member member, boolean avoided) {
        int donor = member.donor();
        if (avoided) {
            return UNFIT + 2;
        }
        if (!loop.link(donor).ready()) {
            return UNFIT + 1;
        }
        if (underWay[donor] > 0 && loop.isSilent(donor, silentNanos)) {
            return UNFIT;
        }
        long cost = (smoothed[donor] + 1) * (underWay[donor] + 1L);
        return loop.link(donor).donor().lastResort() ? Math.min(LAST_RESORT + cost, UNFIT - 1) : cost;
    }

    /** A read has been posted. */
    void begun(Member at) {
        underWay[at.donor()]++;
    }

    /**
     * A read has ended.
     *
     * @param nanos how long its answer took; negative if there was none
     */
    void ended(Member at, long nanos) {
        int donor = at.donor();
        underWay[donor]--;
        if (nanos >= 0) {
            long before = smoothed[donor];
            smoothed[donor] = before == 0 ? nanos : before + ((nanos - before) >> SMOOTHING_SHIFT);
        }
    }
}
