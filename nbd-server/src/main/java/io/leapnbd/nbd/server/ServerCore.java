package io.leapnbd.nbd.server;

import io.leapnbd.nbd.spi.RequestObserver;
import io.netty.channel.EventLoop;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** What the connections of a server share. Any thread. */
final class ServerCore {

    private static final long LOG_INTERVAL_NANOS = 1_000_000_000;

    private final NbdServerContext context;
    private final Map<String, Export> exports;
    private final Export defaultExport;
    private final LeastConnections loops;
    private final ServerStatistics statistics = new ServerStatistics();
    private final Map<EventLoop, RequestObserver> observers = new ConcurrentHashMap<>();
    private final Map<Long, Connection> connections = new ConcurrentHashMap<>();
    private final AtomicLong ids = new AtomicLong();
    private final AtomicLong lastLogged = new AtomicLong(System.nanoTime() - LOG_INTERVAL_NANOS);
    private volatile boolean closed;

    ServerCore(NbdServerContext context) {
        this.context = context;
        this.loops = new LeastConnections(context.group());
        this.exports = Map.copyOf(context.exports());
        this.defaultExport = context.exports().values().iterator().next();
    }

    NbdServerContext context() {
        return context;
    }

    /** The context's loops, as connections are dealt out to them. */
    LeastConnections loops() {
        return loops;
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

    /** The next connection's number, or -1 when there are as many connections as there may be. */
    long admit() {
        return closed || connections.size() >= context.maxConnections() ? -1 : ids.incrementAndGet();
    }

    void opened(Connection connection) {
        statistics.connectionsOpened.increment();
        loops.opened(connection.channel.eventLoop());
        connections.put(connection.id, connection);
        if (closed) {
            connection.hangUp();
        }
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
        for (Connection connection : connections.values()) {
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
        if (connections.remove(connection.id) != null) {
            loops.closed(connection.channel.eventLoop());
            statistics.connectionsClosed.increment();
        }
    }

    /** Whether it is a second or more since this was last true: for what a client can make the server log. */
    boolean mayLog() {
        long now = System.nanoTime();
        long last = lastLogged.get();
        return now - last >= LOG_INTERVAL_NANOS && lastLogged.compareAndSet(last, now);
    }

    List<ConnectionInfo> connections() {
        return connections.values().stream().map(Connection::info).toList();
    }

    /** Drops all connections, and those that are just being accepted. */
    void close() {
        closed = true;
        connections.values().forEach(Connection::hangUp);
    }

    boolean drained() {
        return connections.isEmpty();
    }
}
