package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import org.jspecify.annotations.Nullable;

/**
 * Which live copy one loop reads from, and how long it waits for the answer before it asks another one.
 *
 * <p>The one is chosen that is expected to answer first: by the smoothed time that its donor's answers have taken, by the reads that are under way there, and by those of them
 * that have taken too long. Of a donor that takes {@value #SLOW_TIMES} times as long as the fastest nothing is read for a client while another one has the page.
 *
 * <p>One read in {@link #PROBE_ONE_IN} goes to the next best copy, so that a donor which was slow is found to be fast again. If that one is slow it is asked in
 * addition, and nobody waits for it.
 *
 * <p>For the loop's thread; allocates nothing.
 */
class ReadChoice {

    /** A power of two. */
    static final int PROBE_ONE_IN = 128;

    /** What is so much slower than the fastest is slow. */
    static final int SLOW_TIMES = 2;

    /** {@link #patience} of a read for which nobody else is asked. */
    static final long FOREVER = Long.MAX_VALUE;

    /**
     * No read is hedged before. A loop that waits is woken some microseconds late, and a second answer takes its time too: earlier there is nothing to gain.
     */
    static final long LEAST_PATIENCE = 50_000;

    /** Weight of the newest answer: one eighth, as TCP smooths its round trips (RFC 6298). */
    private static final int SMOOTHING_SHIFT = 3;

    /** One answer counts as no more than so many times the smoothed time: a single stall does not make a donor slow. */
    private static final int MOST_TIMES = 4;

    /** A read that has taken too long counts as so many under way. */
    private static final int OVERDUE_WEIGHT = 16;

    /** Above the cost of every copy that is not slow. */
    private static final long SLOW = Long.MAX_VALUE / 8;

    /** Above every cost: the copy is asked only if all are so. */
    private static final long UNFIT = Long.MAX_VALUE / 4;

    /** Above the cost of every copy that is well, slow ones too, and below {@link #UNFIT}. */
    private static final long LAST_RESORT = SLOW + SLOW / 2;

    private final DeviceLoop loop;
    private final long silentNanos;

    // By donor.
    private final long[] smoothed;
    private final int[] underWay;
    private final int[] overdue;
    private final long[] answered;

    /** By donor, then by size class. */
    private final TailLatency[] tails;

    private int reads;
    private @Nullable Member probe;

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
        overdue = new int[StateFile.MAX_DONORS];
        answered = new long[StateFile.MAX_DONORS];
        tails = new TailLatency[StateFile.MAX_DONORS * HedgeBuffers.classes()];
        for (int i = 0; i < tails.length; i++) {
            tails[i] = new TailLatency();
        }
    }

    /**
     * Chooses.
     *
     * @param avoid the copy that has just failed, or null
     */
    Member choose(Placement placement, @Nullable Member avoid) {
        probe = null;
        int live = placement.live();
        if (live == 1) {
            return placement.primary();
        }
        long fastest = fastest(placement, null);
        int best = -1;
        int second = -1;
        long bestCost = Long.MAX_VALUE;
        long secondCost = Long.MAX_VALUE;
        for (int i = 0; i < live; i++) {
            Member member = placement.member(i);
            long cost = cost(member, member == avoid, fastest);
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
        boolean due = (++reads & (PROBE_ONE_IN - 1)) == 0 && secondCost < LAST_RESORT && second >= 0;
        if (due && (secondCost < SLOW || bestCost >= SLOW)) {
            return placement.member(second);
        }
        if (due) {
            probe = placement.member(second);
        }
        return placement.member(best);
    }

    /** The slow copy that is to be asked too, only to see how long it takes, of what was chosen last; mostly null. */
    @Nullable
    Member probe() {
        return probe;
    }

    /** The best copy beside one that was asked; null if there is none that can be expected to answer. */
    @Nullable
    Member other(Placement placement, Member asked) {
        long fastest = fastest(placement, asked);
        Member best = null;
        long bestCost = LAST_RESORT;
        for (int i = 0; i < placement.live(); i++) {
            Member member = placement.member(i);
            long cost = cost(member, member == asked, fastest);
            if (cost < bestCost) {
                best = member;
                bestCost = cost;
            }
        }
        return best;
    }

    /** The smoothed time of the fastest copy of which it is known; {@link Long#MAX_VALUE} if there is none. */
    private long fastest(Placement placement, @Nullable Member apartFrom) {
        long fastest = Long.MAX_VALUE;
        for (int i = 0; i < placement.live(); i++) {
            Member member = placement.member(i);
            long nanos = smoothed[member.donor()];
            if (nanos > 0
                    && nanos < fastest
                    && member != apartFrom
                    && loop.link(member.donor()).ready()) {
                fastest = nanos;
            }
        }
        return fastest;
    }

    private long cost(Member member, boolean avoided, long fastest) {
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
        long cost = (smoothed[donor] + 1) * (underWay[donor] + OVERDUE_WEIGHT * overdue[donor] + 1L);
        if (loop.link(donor).donor().lastResort()) {
            return Math.min(LAST_RESORT + cost, UNFIT - 1);
        }
        return smoothed[donor] / SLOW_TIMES >= fastest ? SLOW + cost : cost;
    }

    /**
     * How long a read waits for its answer before another copy is asked too: for half more than the 95th percentile of what its donor takes. At the
     * percentile itself one read in twenty would be asked twice for ever, in vain where latencies lie close together. It waits no longer than twice that of another
     * copy; and at least for as long as another one takes to answer.
     *
     * @return nanoseconds, or {@link #FOREVER}
     */
    long patience(Placement placement, Member from, int length) {
        int size = HedgeBuffers.classOf(length);
        long patience = tail(from, size);
        long fastest = Long.MAX_VALUE;
        for (int i = 0; i < placement.live(); i++) {
            Member member = placement.member(i);
            if (member != from) {
                patience = Math.min(patience, Math.min(FOREVER / 4, tail(member, size)) * 2);
                fastest = Math.min(fastest, smoothed[member.donor()]);
            }
        }
        return patience >= FOREVER / 4
                ? FOREVER
                : Math.max(LEAST_PATIENCE, Math.max(patience + (patience >> 1), fastest));
    }

    private long tail(Member member, int size) {
        return tails[member.donor() * HedgeBuffers.classes() + size].nanos();
    }

    /** A read has been posted. */
    void begun(Member at) {
        underWay[at.donor()]++;
    }

    /** It has taken too long. */
    void late(Member at) {
        overdue[at.donor()]++;
    }

    /** A slow donor has answered a probe. These are few: one counts half, so that ten of them correct a first answer that took a hundred times too long. */
    void probed(Member at, long nanos) {
        int donor = at.donor();
        smoothed[donor] = Math.max(1, (smoothed[donor] + Math.min(nanos, MOST_TIMES * smoothed[donor])) / 2);
    }

    /** Whether a donor has answered no read of this loop since a time: it stands still, and not that one read only. */
    boolean standsStillSince(Member at, long nanos) {
        return answered[at.donor()] - nanos < 0;
    }

    /**
     * A read has ended.
     *
     * @param nanos how long its answer took; negative if there was none
     * @param late whether it was {@link #late}
     * @param now the time
     */
    void ended(Member at, int length, long nanos, boolean late, long now) {
        int donor = at.donor();
        underWay[donor]--;
        if (late) {
            overdue[donor]--;
        }
        if (nanos < 0) {
            return;
        }
        answered[donor] = now;
        long before = smoothed[donor];
        smoothed[donor] = before == 0
                ? Math.max(1, nanos)
                : before + ((Math.min(nanos, MOST_TIMES * before) - before) >> SMOOTHING_SHIFT);
        if (length <= HedgeBuffers.LONGEST) {
            tails[donor * HedgeBuffers.classes() + HedgeBuffers.classOf(length)].add(nanos);
        }
    }
}
