package io.leapnbd.donor.loop;

import io.netty.channel.IoEventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SelectStrategy;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.IntSupplier;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/**
 * The event loops of a process, over epoll, each with its {@link LoopTurns}. Their threads are daemons called
 * {@code name-1-1} and so on.
 */
public final class EventLoops implements AutoCloseable {

    private static final long SHUTDOWN_SECONDS = 5;

    private final List<LoopTurns> turns = new CopyOnWriteArrayList<>();
    private final IoEventLoopGroup group;

    private EventLoops(int loops, String name, boolean busyPoll) {
        IoHandlerFactory epoll =
                busyPoll ? EpollIoHandler.newFactory(0, () -> EventLoops::look) : EpollIoHandler.newFactory();
        IoHandlerFactory watched = executor -> {
            LoopTurns its = new LoopTurns();
            turns.add(its);
            return new WatchedIoHandler(epoll.newHandler(executor), its);
        };
        group = new MultiThreadIoEventLoopGroup(loops, new DefaultThreadFactory(name, true), watched);
    }

    /**
     * Loops that run from their first task on.
     *
     * @param loops how many, 1 or more
     * @param name of their threads
     * @param busyPoll whether a loop that has nothing to do looks for something all the time instead of sleeping in the kernel:
     *     what arrives is served some microseconds sooner, and each loop takes a whole processor
     */
    public static EventLoops open(int loops, String name, boolean busyPoll) {
        return new EventLoops(loops, name, busyPoll);
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
        group.shutdownGracefully(0, SHUTDOWN_SECONDS, TimeUnit.SECONDS)
                .awaitUninterruptibly(SHUTDOWN_SECONDS, TimeUnit.SECONDS);
    }
}
