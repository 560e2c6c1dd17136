package io.leapnbd.donor.loop;

import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoRegistration;

/**
 * An I/O handler whose loop's turns are timed. Waiting and serving are one call to it; but between the two it asks whether
 * to report the time that it is active, and that is when a turn begins.
 */
final class WatchedIoHandler implements IoHandler, IoHandlerContext {

    private final IoHandler handler;
    private final LoopTurns turns;

    /** The loop's, during {@link #run}. */
    @SuppressWarnings("NullAway.Init")
    private IoHandlerContext context;

    WatchedIoHandler(IoHandler handler, LoopTurns turns) {
        this.handler = handler;
        this.turns = turns;
    }

    @Override
    public int run(IoHandlerContext loop) {
        turns.end(System.nanoTime());
        context = loop;
        int handled = handler.run(this);
        if (!turns.underWay()) {
            // Nothing was ready; there may be tasks.
            turns.begin(System.nanoTime());
        }
        return handled;
    }

    @Override
    public boolean shouldReportActiveIoTime() {
        turns.begin(System.nanoTime());
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
        return handler.register(handle);
    }

    @Override
    public void wakeup() {
        handler.wakeup();
    }

    @Override
    public boolean isCompatible(Class<? extends IoHandle> type) {
        return handler.isCompatible(type);
    }
}
