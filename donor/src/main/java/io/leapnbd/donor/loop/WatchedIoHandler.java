package io.leapnbd.donor.loop;

import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoOps;
import io.netty.channel.IoRegistration;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An I/O handler whose loop's turns are timed. Waiting and serving are one call to it; but between the two it asks whether
 * to report the time that it is active, and that is when a turn begins. In each turn it looks whether a {@link LoopAlarm} is due.
 */
final class WatchedIoHandler implements IoHandler, IoHandlerContext {

    private static final Logger LOG = LoggerFactory.getLogger(WatchedIoHandler.class);

    /** After an alarm has rung, and so often, the loop is woken for the next ones no later than this: they come in bursts. */
    private static final long FINE_NANOS = 1_000_000;

    private static final int FINE_TIMES = 64;

    private final IoHandler handler;
    private final LoopTurns turns;
    private LoopAlarm[] alarms = {};
    private @Nullable WakeTimer timer;

    /** So often the timer is set fine yet. */
    private int fine;

    /** When the turn that is under way began. */
    private long turnBegan;

    /** The loop's, during {@link #run}. */
    @SuppressWarnings("NullAway.Init")
    private IoHandlerContext context;

    WatchedIoHandler(IoHandler handler, LoopTurns turns) {
        this.handler = handler;
        this.turns = turns;
    }

    @Override
    public int run(IoHandlerContext loop) {
        long now = System.nanoTime();
        turns.end(now);
        context = loop;
        setTimer(now);
        int handled = handler.run(this);
        if (!turns.underWay()) {
            // Nothing was ready; there may be tasks.
            begin();
        }
        ring();
        return handled;
    }

    private void begin() {
        turnBegan = System.nanoTime();
        turns.begin(turnBegan);
    }

    private void ring() {
        for (LoopAlarm alarm : alarms) {
            long due = alarm.dueNanos();
            if (due != LoopAlarm.NEVER && turnBegan - due >= 0) {
                fine = FINE_TIMES;
                try {
                    alarm.ring(turnBegan);
                } catch (RuntimeException | Error e) {
                    LOG.error("an alarm of an event loop has failed by a defect", e);
                }
            }
        }
    }

    /** Before a wait. */
    private void setTimer(long now) {
        WakeTimer its = timer;
        if (its != null && context.canBlock()) {
            long due = dueNanos();
            if (due != LoopAlarm.NEVER) {
                long late = fine > 0 ? FINE_NANOS : LoopAlarm.LATE_NANOS;
                if (its.wakeBy(due - now > late ? due : now + late, now)) {
                    fine = Math.max(0, fine - 1);
                }
            }
        }
    }

    /** When the first alarm is due. */
    private long dueNanos() {
        long first = LoopAlarm.NEVER;
        for (LoopAlarm alarm : alarms) {
            long due = alarm.dueNanos();
            if (first == LoopAlarm.NEVER || (due != LoopAlarm.NEVER && due - first < 0)) {
                first = due;
            }
        }
        return first;
    }

    @Override
    public boolean shouldReportActiveIoTime() {
        begin();
        return context.shouldReportActiveIoTime();
    }

    @Override
    public void reportActiveIoTime(long nanos) {
        context.reportActiveIoTime(nanos);
    }

    @Override
    public boolean canBlock() {
        return context.canBlock();
    }

    @Override
    public long delayNanos(long now) {
        return context.delayNanos(now);
    }

    @Override
    public long deadlineNanos() {
        return context.deadlineNanos();
    }

    @Override
    public void initialize() {
        handler.initialize();
    }

    @Override
    public void prepareToDestroy() {
        turns.end(System.nanoTime());
        handler.prepareToDestroy();
    }

    @Override
    public void destroy() {
        handler.destroy();
    }

    @Override
    public IoRegistration register(IoHandle handle) throws Exception {
        if (handle instanceof LoopAlarm alarm) {
            if (timer == null) {
                timer = WakeTimer.on(handler);
            }
            alarms = Arrays.copyOf(alarms, alarms.length + 1);
            alarms[alarms.length - 1] = alarm;
            return new AlarmRegistration(alarm);
        }
        return handler.register(handle);
    }

    @Override
    public void wakeup() {
        handler.wakeup();
    }

    @Override
    public boolean isCompatible(Class<? extends IoHandle> type) {
        return LoopAlarm.class.isAssignableFrom(type) || handler.isCompatible(type);
    }

    private final class AlarmRegistration implements IoRegistration {

        private final LoopAlarm alarm;
        private boolean valid = true;

        AlarmRegistration(LoopAlarm alarm) {
            this.alarm = alarm;
        }

        @Override
        @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
        public <T> T attachment() {
            return (T) alarm;
        }

        @Override
        public long submit(IoOps ops) {
            throw new UnsupportedOperationException("an alarm waits for no events");
        }

        @Override
        public boolean isValid() {
            return valid;
        }

        @Override
        public boolean cancel() {
            boolean was = valid;
            valid = false;
            alarms = Arrays.stream(alarms).filter(one -> !one.equals(alarm)).toArray(LoopAlarm[]::new);
            return was;
        }
    }
}
