package io.leapnbd.bypass;

import io.netty.channel.EventLoop;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * The {@link RangeWalk}s of a loop that can go on, in turns: a few steps in each iteration of the loop, so that sockets are served in
 * between however many walks there are. Belongs to the loop.
 */
final class RangeWalks {

    private static final int STEPS_A_TURN = 4;
    private static final long LATER_MICROS = 500;

    private final DeviceLoop loop;
    private final EventLoop eventLoop;
    private final ArrayDeque<RangeWalk> ready = new ArrayDeque<>();
    private final Runnable turn = this::turn;
    private boolean scheduled;

    RangeWalks(DeviceLoop loop, EventLoop eventLoop) {
        this.loop = loop;
        this.eventLoop = eventLoop;
    }

    /** Has a walk go on in one of the next iterations. */
    void add(RangeWalk walk) {
        if (!walk.queued) {
            walk.queued = true;
            ready.addLast(walk);
            schedule();
        }
    }

    /** The same, but not before something may have changed. */
    void addLater(RangeWalk walk) {
        var _ = eventLoop.schedule(() -> add(walk), LATER_MICROS, TimeUnit.MICROSECONDS);
    }

    private void schedule() {
        if (!scheduled && !ready.isEmpty()) {
            scheduled = true;
            // A loop takes up scheduled tasks once an iteration, after its sockets.
            var _ = eventLoop.schedule(turn, 1, TimeUnit.NANOSECONDS);
        }
    }

    private void turn() {
        scheduled = false;
        for (int i = Math.min(STEPS_A_TURN, ready.size()); i > 0; i--) {
            RangeWalk walk = ready.removeFirst();
            walk.queued = false;
            walk.step();
        }
        schedule();
        loop.flush();
    }
}
