package io.leapnbd.bypass.path;

import io.netty.channel.AbstractEventLoop;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelPromise;
import io.netty.util.concurrent.DefaultPromise;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.GlobalEventExecutor;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.Delayed;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * An event loop of a simulation: runs what is due when it is told to, on the thread that tells it, by a clock of the simulation's. What
 * is done at a fixed rate is done once in each turn, however long the time since the last one.
 */
final class SteppedLoop extends AbstractEventLoop {

    private final LongSupplier clock;
    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();
    private final PriorityQueue<Timer> timers =
            new PriorityQueue<>(Comparator.comparingLong(Timer::due).thenComparingLong(Timer::number));
    private Runnable ticks = () -> {};
    private long scheduled;

    SteppedLoop(LongSupplier clock) {
        this.clock = clock;
    }

    /** Runs what is due by now, then what is done at a fixed rate. */
    void turn() {
        long now = clock.getAsLong();
        for (Timer first = timers.peek(); first != null && first.due() <= now; first = timers.peek()) {
            timers.poll().task.run();
            runTasks();
        }
        ticks.run();
        runTasks();
    }

    /** Runs what has no time of its own. */
    void runTasks() {
        for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
            task.run();
        }
    }

    /** Whether nothing waits for its time. */
    boolean idle() {
        return timers.isEmpty() && tasks.isEmpty();
    }

    @Override
    public void execute(Runnable task) {
        tasks.add(task);
    }

    @Override
    public ScheduledFuture<?> schedule(Runnable task, long delay, TimeUnit unit) {
        Timer timer = new Timer(task, clock.getAsLong() + unit.toNanos(delay), scheduled++);
        if (delay > 0) {
            timers.add(timer);
        } else {
            tasks.add(task);
        }
        return timer;
    }

    @Override
    public <V> ScheduledFuture<V> schedule(Callable<V> task, long delay, TimeUnit unit) {
        throw new UnsupportedOperationException();
    }

    @Override
    public ScheduledFuture<?> scheduleAtFixedRate(Runnable task, long initialDelay, long period, TimeUnit unit) {
        ticks = task;
        return new Timer(task, 0, 0);
    }

    @Override
    public boolean inEventLoop(Thread thread) {
        return true;
    }

    @Override
    public boolean isShuttingDown() {
        return false;
    }

    @Override
    public boolean isShutdown() {
        return false;
    }

    @Override
    public boolean isTerminated() {
        return false;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
        return false;
    }

    @Override
    @Deprecated
    public void shutdown() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Future<?> shutdownGracefully(long quietPeriod, long timeout, TimeUnit unit) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Future<?> terminationFuture() {
        throw new UnsupportedOperationException();
    }

    @Override
    public ChannelFuture register(Channel channel) {
        throw new UnsupportedOperationException();
    }

    @Override
    public ChannelFuture register(ChannelPromise promise) {
        throw new UnsupportedOperationException();
    }

    @Override
    @Deprecated
    public ChannelFuture register(Channel channel, ChannelPromise promise) {
        throw new UnsupportedOperationException();
    }

    /** What waits for its time. */
    private static final class Timer extends DefaultPromise<Object> implements ScheduledFuture<Object> {

        private final Runnable task;
        private final long due;
        private final long number;

        Timer(Runnable task, long due, long number) {
            super(GlobalEventExecutor.INSTANCE);
            this.task = task;
            this.due = due;
            this.number = number;
        }

        long due() {
            return due;
        }

        long number() {
            return number;
        }

        @Override
        public long getDelay(TimeUnit unit) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int compareTo(Delayed other) {
            throw new UnsupportedOperationException();
        }
    }
}
