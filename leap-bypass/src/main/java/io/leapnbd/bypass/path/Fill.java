package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.donor.protocol.Protocol;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Copies a slab to a filling copy, piece by piece (docs/replicas.md, "How a copy is added", step 3). Several pieces are under way at a time, each in a
 * {@link FillLane}. For one loop's thread, but for {@link #bytes}.
 */
final class Fill {

    /** Most bytes of a piece: a group of the {@link WriteOrder}. */
    static final int GROUP = 64 * Protocol.PAGE_SIZE;

    private static final int LANES = 4;

    private final AddressMap map;
    private final FillTools tools;
    private final int slab;
    private final Member target;
    private final long[] lostAtGrant;
    private final Consumer<Fill> end;
    private long next;
    private final AtomicLong bytes = new AtomicLong();
    private int lanes = LANES;
    private @Nullable String problem;

    /**
     * A fill that has not begun.
     *
     * @param target a copy that the map calls filling
     * @param lostAtGrant a bit for each page that the target calls lost since its grant
     * @param end told when nothing of it is under way any more
     */
    Fill(FillTools tools, int slab, Member target, long[] lostAtGrant, Consumer<Fill> end) {
        this.tools = tools;
        map = tools.map();
        this.slab = slab;
        this.target = target;
        this.lostAtGrant = lostAtGrant;
        this.end = end;
        next = begin();
    }

    /** Begins. */
    void start() {
        for (int i = 0; i < LANES; i++) {
            new FillLane(tools, this).advance();
        }
    }

    int slab() {
        return slab;
    }

    /** The copy that is filled. */
    Member target() {
        return target;
    }

    /** Bytes that were copied. Any thread. */
    long bytes() {
        return bytes.get();
    }

    /** Why the target does not have everything, in words for an operator; null if it does. */
    @Nullable
    String problem() {
        return problem;
    }

    /** Some bytes were copied. */
    void copied(int more) {
        long _ = bytes.addAndGet(more);
    }

    /** The target will not have everything. */
    void fail(String why) {
        problem = problem == null ? why : problem;
    }

    private long begin() {
        return (long) slab * map.slabSize();
    }

    /** Where the slab ends, on the device. */
    long end() {
        return Math.min(map.size(), (slab + 1L) * map.slabSize());
    }

    /** Where the next piece begins that has something to be copied; the end of the slab if there is none. It is not longer than {@code most} and its group. */
    long take(int most) {
        long slabEnd = end();
        while (next < slabEnd) {
            long at = next;
            next = pieceEnd(at, most);
            if (map.anyWritten(at, next - at) || anyLostAtGrant(at, next) || lost(at, next)) {
                return at;
            }
        }
        return slabEnd;
    }

    /** Where a piece ends. */
    long pieceEnd(long at, int most) {
        return Math.min(Math.min(end(), (at | (GROUP - 1)) + 1), at + most);
    }

    private boolean lost(long at, long to) {
        return map.damaged(slab) && map.anyLost(at, to - at);
    }

    private boolean anyLostAtGrant(long from, long to) {
        boolean any = false;
        for (long at = from; at < to && lostAtGrant.length > 0; at += Protocol.PAGE_SIZE) {
            any |= wasLostAtGrant(at);
        }
        return any;
    }

    /** Whether the target called a page lost at its grant. */
    boolean wasLostAtGrant(long offset) {
        long page = (offset - begin()) >>> Protocol.PAGE_SHIFT;
        int word = (int) (page >>> 6);
        return word < lostAtGrant.length && (lostAtGrant[word] & 1L << page) != 0;
    }

    /** One of its lanes has nothing more to do. */
    void laneEnded() {
        if (--lanes == 0) {
            end.accept(this);
        }
    }

    /** For messages. */
    @Override
    public String toString() {
        return "fill of slab " + slab + " at " + target;
    }
}
