package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.Member;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Finds out which copies any loop's requests are under way to. A loop reads a placement and posts what it asks for in one turn. So a copy
 * that left its placement before this begins, and is not found, is used by nobody any more: its memory may go, also if a device reads
 * it without its donor's help.
 *
 * <p>Each loop is asked twice, one after the other. A request is handed over to another loop's link once at most ({@code ReadyLinks}): the second
 * time it is found there, if it came to a loop that had been asked and from one that had not.
 */
final class CopiesInUse {

    private static final int PASSES = 2;

    private final List<DeviceLoop> loops;
    private final DeviceLoop home;
    private final Consumer<Set<Member>> end;
    private final Set<Member> found = new HashSet<>();
    private int next;

    private CopiesInUse(Collection<DeviceLoop> loops, DeviceLoop home, Consumer<Set<Member>> end) {
        this.loops = List.copyOf(loops);
        this.home = home;
        this.end = end;
    }

    /**
     * Asks.
     *
     * @param loops all of the device's
     * @param home where the answer is wanted
     * @param end called there with the copies; never, if a loop has ended
     */
    static void find(Collection<DeviceLoop> loops, DeviceLoop home, Consumer<Set<Member>> end) {
        new CopiesInUse(loops, home, end).visit();
    }

    /** One loop after the other, so that the set has one owner at a time. */
    private void visit() {
        if (next == PASSES * loops.size()) {
            home.onLoop(() -> end.accept(found));
            return;
        }
        DeviceLoop loop = loops.get(next % loops.size());
        next++;
        // Always a task of its own: a turn that has begun ends before.
        loop.soon(() -> {
            loop.eachRequest(this::note);
            visit();
        });
    }

    private void note(LinkRequest request) {
        Member where = request.where;
        if (where != null) {
            boolean _ = found.add(where);
        }
    }
}
