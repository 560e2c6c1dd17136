package io.leapnbd.bypass.path;

import io.netty.channel.EventLoop;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * Long work of a loop that is done in steps: a few in each iteration, so that sockets are served in between, however many requests are being
 * worked on. For the loop's thread.
 */
public final class StepQueue {

    private static final int STEPS_AN_ITERATION = 4;

    private final DeviceLoop loop;
    private final EventLoop eventLoop;
    private final ArrayDeque<Runnable> ready = new ArrayDeque<>();
    private final Runnable turn = this::turn;
    private boolean scheduled;

    StepQueue(DeviceLoop loop, EventLoop eventLoop) {
        this.loop = loop;
        this.eventLoop = eventLoop;
    }

    /** Has a step done in one of the next iterations, behind those that were added before. */
    public void add(Runnable step) {
        ready.addLast(step);
        schedule();
    }

    private void schedule() {
        if (!scheduled && !ready.isEmpty()) {
            scheduled = true;
            // A loop takes up scheduled tasks once an iteration, after its sockets; plain tasks it takes up for as long
            // as there are some.
            loop.later(turn, 1, TimeUnit.NANOSECONDS);
        }
    }

    private void turn() {
        scheduled = false;
        try {
            for (int i = Math.min(STEPS_AN_ITERATION, ready.size()); i > 0; i--) {
                ready.removeFirst().run();
            }
        } finally {
            schedule();
            loop.flush();
        }
    }

    /** For messages. */
    @Override
    public String toString() {
        return ready.size() + " steps of " + eventLoop;
    }
}
