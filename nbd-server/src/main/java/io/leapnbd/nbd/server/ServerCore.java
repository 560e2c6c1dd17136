package io.leapnbd.nbd.server;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.spi.RequestObserver;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import io.netty.channel.EventLoop;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** What the connections of a server share. Any thread. */
final class ServerCore {

    private final NbdServerContext context;
    private final Map<String, Export> exports;
    private final Export defaultExport;
    private final LeastConnections loops;
    private final ServerStatistics statistics = new ServerStatistics();
    private final Map<EventLoop, RequestObserver> observers = new ConcurrentHashMap<>();
    private final Map<EventLoop, LoopBuffers> buffers = new ConcurrentHashMap<>();
    private final Places places;
    private final BufferPlan plan;
    private final ByteBudget budget;
    private final AtomicLong ids = new AtomicLong();
    private final LogLimit refusals = new LogLimit();
    private final LogLimit drops = new LogLimit();
    private final LogLimit errors = new LogLimit();
    private final LogLimit failures = new LogLimit();
    private volatile boolean closed;

    ServerCore(NbdServerContext context) {
        this.context = context;
        this.loops = new LeastConnections(context.group());
        this.exports = Map.copyOf(context.exports());
        this.defaultExport = context.exports().values().iterator().next();
        this.plan = context.plan();
        this.places = new Places(plan.connections());
        this.budget = new ByteBudget(plan, footprint(context.allocator()));
    }

    private static LongSupplier footprint(ByteBufAllocator allocator) {
        if (allocator instanceof ByteBufAllocatorMetricProvider provider) {
            ByteBufAllocatorMetric metric = provider.metric();
            return metric::usedDirectMemory;
        }
        return () -> 0;
    }

    NbdServerContext context() {
        return context;
    }

    /** The context's loops, as connections are dealt out to them. */
    LeastConnections loops() {
        return loops;
    }

    ByteBudget budget() {
        return budget;
    }

    LoopBuffers buffersOf(EventLoop loop) {
        return buffers.computeIfAbsent(loop, fresh -> new LoopBuffers(budget, context.allocator()));
    }

    /** Bytes that one connection's requests may carry: what was set, unless there is less for all of them together. */
    long maxBytesInFlight() {
        return Math.min(context.maxBytesInFlight(), Math.max(Transmission.MAX_PAYLOAD, plan.shared()));
    }

    /** Connections at once. */
    int maxConnections() {
        return places.most();
    }

    /** For lines about clients that were not let in. */
    LogLimit refusals() {
        return refusals;
    }

    /** For lines about clients that were dropped. */
    LogLimit drops() {
        return drops;
    }

    /** For lines about what went wrong on this side. */
    LogLimit errors() {
        return errors;
    }

    /** For lines about requests that the device has failed. */
    LogLimit failures() {
        return failures;
    }

    ServerStatistics statistics() {
        return statistics;
    }

    /** In the order in which they were added. */
    Iterable<Export> exports() {
        return context.exports().values();
    }

    /** The export that a client means, or null when there is none; {@code ""} is the default export. */
    @Nullable
    Export find(String name) {
        Export export = exports.get(name);
        return export == null && name.isEmpty() ? defaultExport : export;
    }

    @Nullable
    RequestObserver observer(EventLoop loop) {
        RequestObserver.Factory factory = context.observer();
        return factory == null ? null : observers.computeIfAbsent(loop, factory::open);
    }

    /** The next connection's number. */
    long nextId() {
        return ids.incrementAndGet();
    }

    /** Takes a connection in; returns false when there are as many as there may be. */
    boolean admit(Connection connection) {
        if (closed || !places.take(connection)) {
            return false;
        }
        statistics.connectionsOpened.increment();
        loops.opened(connection.channel.eventLoop());
        if (closed) {
            connection.hangUp();
        }
        return true;
    }

    /**
     * Runs a new connection's greeting once every loop has received what earlier connections had sent.
     *
     * <p>A kernel that gives a connection up repeats the writes that had no reply over a new one. What it had sent over the old
     * one may still be in the socket's buffer, if this process was stopped for a while: taken in later, an old write would undo
     * newer ones of the new connection. A new connection is not greeted, and so sends nothing, before that cannot be any more.
     */
    void afterEarlierInput(Connection fresh, Runnable greeting) {
        Set<EventLoop> others = new HashSet<>();
        EventLoop loop = fresh.channel.eventLoop();
        for (Connection connection : places.all()) {
            if (connection.id != fresh.id) {
                others.add(connection.channel.eventLoop());
            }
        }
        if (others.isEmpty()) {
            greeting.run();
            return;
        }
        AtomicInteger left = new AtomicInteger(others.size());
        for (EventLoop other : others) {
            // A loop takes scheduled tasks once an iteration, after its sockets: the second task has seen all of them.
            Runnable seen = () -> {
                if (left.decrementAndGet() == 0) {
                    loop.execute(greeting);
                }
            };
            other.schedule(() -> other.schedule(seen, 1, TimeUnit.NANOSECONDS), 1, TimeUnit.NANOSECONDS);
        }
    }

    void retired(Connection connection) {
        boolean _ = places.remove(connection);
        loops.closed(connection.channel.eventLoop());
        statistics.connectionsClosed.increment();
    }

    List<ConnectionInfo> connections() {
        return places.all().stream().map(Connection::info).toList();
    }

    /** Drops all connections, and those that are just being accepted. */
    void close() {
        closed = true;
        places.all().forEach(Connection::hangUp);
    }

    boolean drained() {
        return places.isEmpty();
    }
}
