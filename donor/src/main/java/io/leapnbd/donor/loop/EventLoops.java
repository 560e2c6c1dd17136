package io.leapnbd.donor.loop;

import io.leapnbd.donor.linux.Processors;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SelectStrategy;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.IntSupplier;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/**
 * The event loops of a process, over epoll, each with its {@link LoopTurns}. Their threads are daemons called
 * {@code name-1-1} and so on.
 */
public final class EventLoops implements AutoCloseable {

    private static final long SHUTDOWN_SECONDS = 5;

    private final List<LoopTurns> turns = new CopyOnWriteArrayList<>();
    private final IoEventLoopGroup group;
    private final int[] processors;

    private EventLoops(LoopSettings settings, String name) {
        IoHandlerFactory epoll = settings.busyPoll()
                ? EpollIoHandler.newFactory(0, () -> EventLoops::look)
                : EpollIoHandler.newFactory();
        IoHandlerFactory watched = executor -> {
            LoopTurns its = new LoopTurns();
            turns.add(its);
            return new WatchedIoHandler(epoll.newHandler(executor), its);
        };
        processors = settings.pinned() ? processors(settings) : new int[0];
        group = new PlacingGroup(settings.count(), new DefaultThreadFactory(name, true), watched, processors);
    }

    /**
     * Loops that run from their first task on; pinned ones at once.
     *
     * @param name of their threads
     * @throws IOException if a loop cannot be pinned
     */
    public static EventLoops open(LoopSettings settings, String name) throws IOException {
        EventLoops loops = new EventLoops(settings, name);
        loops.pin();
        return loops;
    }

    private static int[] processors(LoopSettings settings) {
        int[] allowed = Processors.allowed();
        return IntStream.range(0, settings.count())
                .map(loop -> allowed[(settings.first() + loop) % allowed.length])
                .toArray();
    }

    private void pin() throws IOException {
        int loop = 0;
        for (EventExecutor executor : group) {
            if (loop == processors.length) {
                return;
            }
            int processor = processors[loop++];
            Future<Boolean> pinned = executor.submit(() -> Processors.pin(processor));
            if (!pinned.syncUninterruptibly().getNow()) {
                close();
                throw new IOException("an event loop cannot be kept on processor " + processor + "; leave --pin out");
            }
        }
    }

    /** For those who put channels, or descriptors, on them. */
    public IoEventLoopGroup group() {
        return group;
    }

    /** One for each loop, in their order. */
    public List<LoopTurns> turns() {
        return turns;
    }

    /** Forgets the turns so far: those of a start are long, and nobody waited for them. Any thread. */
    public void forgetTurns() {
        int i = 0;
        for (EventExecutor loop : group) {
            loop.execute(turns.get(i++)::startOver);
        }
    }

    /**
     * Has every loop run a task, and waits for that. Not from one of them.
     *
     * @param nanos how long to wait at most
     * @return whether all of them did
     */
    public boolean respond(long nanos) throws InterruptedException {
        List<Future<?>> asked = new ArrayList<>();
        for (EventExecutor loop : group) {
            asked.add(loop.submit(() -> {}));
        }
        long end = System.nanoTime() + nanos;
        for (Future<?> one : asked) {
            if (!one.await(Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Never waits.
     *
     * @return how many descriptors are ready; {@link SelectStrategy#CONTINUE} if none is, which lets the loop see to its tasks
     *     and timers and come back
     */
    private static int look(IntSupplier ready, boolean hasTasks) throws Exception {
        int events = ready.get();
        if (events <= 0 && !hasTasks) {
            Thread.onSpinWait();
        }
        return events > 0 ? events : SelectStrategy.CONTINUE;
    }

    /** Ends the loops; waits up to 5 s for what they are doing. Not from one of them. */
    @Override
    public void close() {
        // Without a quiet period, however short, a loop may end before it has ended its channels.
        group.shutdownGracefully(1, TimeUnit.SECONDS.toNanos(SHUTDOWN_SECONDS), TimeUnit.NANOSECONDS)
                .awaitUninterruptibly(SHUTDOWN_SECONDS, TimeUnit.SECONDS);
    }

    /** Gives an accepted socket the loop that {@link SocketPlacement} says. */
    private static final class PlacingGroup extends MultiThreadIoEventLoopGroup {
        private final List<EventLoop> loops = new ArrayList<>();
        private final SocketPlacement placement;

        PlacingGroup(int count, ThreadFactory threads, IoHandlerFactory handlers, int[] processors) {
            super(count, threads, handlers);
            placement = new SocketPlacement(count, processors);
            for (EventExecutor loop : this) {
                loops.add((EventLoop) loop);
            }
        }

        @Override
        public ChannelFuture register(Channel channel) {
            return channel.parent() instanceof ServerChannel
                    ? loops.get(placement.place(channel)).register(channel)
                    : super.register(channel);
        }
    }
}
