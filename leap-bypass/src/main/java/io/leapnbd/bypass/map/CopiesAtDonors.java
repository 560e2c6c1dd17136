package io.leapnbd.bypass.map;

import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jspecify.annotations.Nullable;

/**
 * How many copies each donor has, by its number, and whether it may get more. Any thread.
 *
 * <p>Who places a copy counts it first, and then looks whether its donor is closed. Who closes a donor does that first, and then looks at the count. So
 * once a donor is closed and has none, it never has one again.
 */
final class CopiesAtDonors {

    private final AtomicIntegerArray counts = new AtomicIntegerArray(StateFile.MAX_DONORS);
    /** Not zero: the donor is closed. */
    private final AtomicIntegerArray closed = new AtomicIntegerArray(StateFile.MAX_DONORS);

    int at(int donor) {
        return counts.get(donor);
    }

    void close(int donor, boolean now) {
        closed.set(donor, now ? 1 : 0);
    }

    /**
     * Counts the copies of a placement that another one does not have.
     *
     * @return whether all of these may be; otherwise none is counted
     */
    boolean add(Placement next, @Nullable Placement before) {
        boolean open = count(next, before, 1);
        if (!open) {
            count(next, before, -1);
        }
        return open;
    }

    /** Counts the copies of a placement not any more that the next one does not have. */
    void remove(Placement before, @Nullable Placement next) {
        count(before, next, -1);
    }

    /** Whether all of those that count are at donors that are not closed. */
    private boolean count(Placement of, @Nullable Placement except, int by) {
        boolean open = true;
        for (int i = 0; i < of.size(); i++) {
            Member member = of.member(i);
            if (except == null || !except.has(member)) {
                counts.addAndGet(member.donor(), by);
                open &= closed.get(member.donor()) == 0;
            }
        }
        return open;
    }
}
