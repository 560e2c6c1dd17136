package io.leapnbd.nbd.server;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.AbstractEventExecutorGroup;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Gives a new connection to the event loop that has the fewest, and to each in turn among equals. Taking turns alone
 * puts all of them on one loop when clients open a second connection and close the first, as several do to learn the export's
 * size; then a client that reads waits for one that writes while another loop is idle.
 *
 * <p>The loops stay those of the group behind it, which is shut down by whoever made it. Any thread.
 */
final class LeastConnections extends AbstractEventExecutorGroup implements EventLoopGroup {

    private final EventLoopGroup group;
    private final List<Place> places = new ArrayList<>();
    private final AtomicInteger turn = new AtomicInteger();

    /** A loop and the connections that it has. */
    private record Place(EventLoop loop, AtomicInteger connections) {}

    LeastConnections(EventLoopGroup group) {
        this.group = group;
        for (EventExecutor executor : group) {
            places.add(new Place((EventLoop) executor, new AtomicInteger()));
        }
    }

    void opened(EventLoop loop) {
        count(loop, 1);
    }

    void closed(EventLoop loop) {
        count(loop, -1);
    }

    private void count(EventLoop loop, int by) {
        for (Place place : places) {
            if (place.loop.equals(loop)) {
                place.connections.addAndGet(by);
            }
        }
    }

    @Override
    public EventLoop next() {
        int first = Math.floorMod(turn.getAndIncrement(), places.size());
        Place least = places.get(first);
        for (int i = 1; i < places.size(); i++) {
            Place place = places.get((first + i) % places.size());
            if (place.connections.get() < least.connections.get()) {
                least = place;
            }
        }
        return least.loop;
    }

    @Override
    public ChannelFuture register(Channel channel) {
        return next().register(channel);
    }

    @Override
    public ChannelFuture register(ChannelPromise promise) {
        return next().register(promise);
    }

    @Deprecated
    @Override
    public ChannelFuture register(Channel channel, ChannelPromise promise) {
        return next().register(channel, promise);
    }

    @Override
    public Iterator<EventExecutor> iterator() {
        return group.iterator();
    }

    @Override
    public Future<?> shutdownGracefully(long quietPeriod, long timeout, TimeUnit unit) {
        return group.shutdownGracefully(quietPeriod, timeout, unit);
    }

    @Override
    public Future<?> terminationFuture() {
        return group.terminationFuture();
    }

    @Deprecated
    @Override
    public void shutdown() {
        group.shutdown();
    }

    @Override
    public boolean isShuttingDown() {
        return group.isShuttingDown();
    }

    @Override
    public boolean isShutdown() {
        return group.isShutdown();
    }

    @Override
    public boolean isTerminated() {
        return group.isTerminated();
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) throws InterruptedException {
        return group.awaitTermination(timeout, unit);
    }
}
