package io.leapnbd.bypass.path;

import io.leapnbd.donor.loop.LoopAlarm;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rings when the first read under way has taken too long. Loops of {@link io.leapnbd.donor.loop.EventLoops} ask for that. On another loop one timer runs at a
 * time. For the loop's thread.
 */
final class OverdueAlarm implements LoopAlarm {

    private static final Logger LOG = LoggerFactory.getLogger(OverdueAlarm.class);

    private final DeviceLoop loop;
    private final LongSupplier due;
    private final LongConsumer ring;
    private final boolean asked;
    private boolean timed;
    private long timedFor;

    /**
     * Begins.
     *
     * @param due when, in nanoseconds of the loop's clock, or {@link LoopAlarm#NEVER}
     * @param ring called then, with the time
     */
    OverdueAlarm(DeviceLoop loop, LongSupplier due, LongConsumer ring) {
        this.loop = loop;
        this.due = due;
        this.ring = ring;
        asked = loop.eventLoop() instanceof IoEventLoop io && isAsked(io);
    }

    private boolean isAsked(IoEventLoop by) {
        if (!by.isCompatible(LoopAlarm.class)) {
            return false;
        }
        Future<IoRegistration> registered = by.register(this);
        if (!registered.isSuccess()) {
            LOG.warn("a loop sets a timer for each read that may take long", registered.cause());
        }
        return registered.isSuccess();
    }

    @Override
    public long dueNanos() {
        return due.getAsLong();
    }

    @Override
    public void ring(long now) {
        ring.accept(now);
    }

    /** There is one more read, which has taken too long then. */
    void added(long dueNanos) {
        if (!asked && (!timed || dueNanos - timedFor < 0)) {
            timed = true;
            timedFor = dueNanos;
            loop.later(() -> timer(dueNanos), Math.max(0, dueNanos - loop.now()), TimeUnit.NANOSECONDS);
        }
    }

    private void timer(long of) {
        if (timedFor != of) {
            return;
        }
        timed = false;
        ring(loop.now());
        long next = dueNanos();
        if (next != NEVER) {
            added(next);
        }
    }
}
