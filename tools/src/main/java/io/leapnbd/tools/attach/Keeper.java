package io.leapnbd.tools.attach;

import io.leapnbd.tools.client.ExportInfo;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.EventFd;
import io.leapnbd.tools.linux.FdChannel;
import io.leapnbd.tools.linux.GenericNetlink;
import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.Poll;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Keeps an attached device connected: the heart of the resident process.
 *
 * <p>It holds a descriptor of every socket that the driver uses. When a connection ends, because the server went away
 * or because the driver gave it up (it shuts the socket down then), poll says so, and the driver multicasts an event.
 * Then: connect anew, shake hands, make sure that the server still has the same contents, and hand the driver the new
 * socket. Requests wait in the driver meanwhile, for the dead-connection timeout at most.
 *
 * <p>A server that answers with other contents is never handed over: swapped-out pages would silently become zeros or
 * somebody else's bytes. The keeper says so once and goes on trying; when the timeout passes, the kernel reports I/O
 * errors to the processes that need those pages.
 *
 * <p>{@link #run} belongs to one thread; {@link #stop} may be called by any. Nothing is forked and little is allocated:
 * {@link #rehearse} goes the way of a reconnection once, so that all code is loaded before memory is short.
 */
final class Keeper implements AutoCloseable {
    private static final long SHORTEST_WAIT = TimeUnit.MILLISECONDS.toNanos(50);
    private static final long LONGEST_WAIT = TimeUnit.SECONDS.toNanos(1);
    private static final long HANDSHAKE_LIMIT = TimeUnit.SECONDS.toNanos(5);
    /** The driver notices the end of a connection by itself, a little later than poll does. */
    private static final long NOTICE_WAIT = TimeUnit.MILLISECONDS.toNanos(10);

    private static final int NOTICE_TRIES = 300;

    private static final long IDLE = TimeUnit.SECONDS.toNanos(2);
    private static final int GONE = Poll.HUP | Poll.RDHUP | Poll.ERR;

    /** What the keeper asks of the driver. */
    interface Driver {
        /** Offers a socket in place of a dead one; false when no connection is known to be dead, so that it was not taken. */
        boolean reconnect(int index, FdChannel socket) throws IOException;

        /** Whether the device is set up; connected to a living server or not. */
        boolean isConfigured(int index) throws IOException;
    }

    /** How {@link #run} ended. */
    enum End {
        /** {@link #stop} was called. */
        STOPPED,
        /** Somebody else disconnected the device. */
        DISCONNECTED
    }

    private final Server server;
    private final ExportInfo expected;
    private final int index;
    private final Driver driver;
    private final GenericNetlink events;
    private final @Nullable FdChannel[] connections;
    private final int[] places;
    private final Consumer<String> report;
    private final EventFd wake = new EventFd();
    private final Poll poll;
    private volatile boolean stopped;
    private final AtomicLong turns = new AtomicLong();
    private long lostAt;
    private long nextAttempt;
    private long wait = SHORTEST_WAIT;
    private String lastProblem = "";

    /**
     * For a device that is connected.
     *
     * @param expected what the server said when the device was first connected
     * @param connections the sockets that the driver uses; an element is null when its socket is not known, for a device
     *     that is taken over: such a connection is replaced when the driver says that one is dead
     * @param report where lines for people go; called for changes only
     */
    Keeper(
            Server server,
            ExportInfo expected,
            int index,
            Driver driver,
            GenericNetlink events,
            @Nullable FdChannel[] connections,
            Consumer<String> report)
            throws IOException {
        this.server = server;
        this.expected = expected;
        this.index = index;
        this.driver = driver;
        this.events = events;
        this.connections = connections.clone();
        this.report = report;
        places = new int[connections.length];
        poll = new Poll(connections.length + 2);
    }

    /** Ends {@link #run} soon. */
    void stop() {
        stopped = true;
        wake.signal();
    }

    /** Whether {@link #run} goes on: waits for its next turn, so long at most. Any thread but that one. */
    boolean turns(long nanos) throws InterruptedException {
        long begin = turns.get();
        wake.signal();
        long end = System.nanoTime() + nanos;
        while (turns.get() == begin) {
            if (System.nanoTime() - end >= 0) {
                return false;
            }
            TimeUnit.NANOSECONDS.sleep(NOTICE_WAIT);
        }
        return true;
    }

    /** Goes the whole way of a reconnection with a connection that the driver does not need. */
    void rehearse() {
        try {
            Server.Link link = server.open(System.nanoTime() + HANDSHAKE_LIMIT);
            link.channel().shutdown();
            if (link.info().differenceFrom(expected).isEmpty()) {
                driver.reconnect(index, link.channel());
            }
            link.channel().close();
        } catch (IOException e) {
            report.accept("the server takes no further connection (" + e.getMessage()
                    + "); reconnecting is tried all the same when it is needed");
        }
    }

    /**
     * Offers the driver a connection for each whose socket is not known, once: of a device that is taken over they are dead if its
     * server has died too. What it does not take now {@link #run} sees to.
     */
    void restore() throws IOException {
        for (int i = 0; i < connections.length && !stopped; i++) {
            if (connections[i] == null) {
                reconnect(i);
            }
        }
    }

    /** Keeps the device connected until it is told to stop, or the device is gone. */
    End run() throws IOException {
        while (!stopped) {
            turns.incrementAndGet();
            try {
                await();
            } catch (LinuxException e) { // the kernel is out of memory for a moment; going on is all that helps
                again(String.valueOf(e.getMessage()));
                pause(LONGEST_WAIT);
                continue;
            }
            long now = System.nanoTime();
            int lost = lost(now);
            if (lost >= 0 && now - nextAttempt >= 0) {
                if (!reconnect(lost)) {
                    return End.DISCONNECTED;
                }
            }
        }
        return End.STOPPED;
    }

    private void await() throws IOException {
        poll.clear();
        int wakePlace = poll.add(wake.fd(), Poll.IN);
        int eventPlace = poll.add(events.fd(), Poll.IN);
        boolean complete = true;
        for (int i = 0; i < connections.length; i++) {
            FdChannel connection = connections[i];
            places[i] = -1;
            if (connection == null) {
                complete = false;
            } else {
                places[i] = poll.add(connection.fd(), Poll.RDHUP);
            }
        }
        poll.await(complete ? IDLE : Math.min(IDLE, nextAttempt - System.nanoTime()));
        if (poll.ready(wakePlace) != 0) {
            wake.drain();
        }
        if (poll.ready(eventPlace) != 0) {
            for (GenericNetlink.Message event = events.event(); event != null; event = events.event()) {
                OptionalInt dead = NbdDriver.linkDead(event);
                if (dead.isPresent() && dead.getAsInt() == index) {
                    nextAttempt = System.nanoTime();
                }
            }
        }
    }

    /** Lets go of connections that have ended; returns the place of one that is to be replaced, or -1. */
    private int lost(long now) {
        int lost = -1;
        for (int i = 0; i < connections.length; i++) {
            FdChannel connection = connections[i];
            if (connection != null && places[i] >= 0 && (poll.ready(places[i]) & GONE) != 0) {
                connection.shutdown(); // so that the driver sees the end too, if only one direction was closed
                connection.close();
                connections[i] = null;
                lostAt = now;
                nextAttempt = now + (wait > SHORTEST_WAIT ? wait : 0);
                lastProblem = "";
                report.accept("connection " + i + " to " + server.uri() + " is lost; requests wait");
            }
            if (connections[i] == null) {
                lost = i;
            }
        }
        return lost;
    }

    /** One attempt; false when the device is gone. */
    private boolean reconnect(int place) throws IOException {
        Server.Link link;
        try {
            link = server.open(System.nanoTime() + HANDSHAKE_LIMIT);
        } catch (IOException e) {
            return again("no server: " + e.getMessage());
        }
        FdChannel channel = link.channel();
        Optional<String> difference = link.info().differenceFrom(expected);
        if (difference.isPresent()) {
            channel.close();
            return again(difference.get() + ": not reconnected, since reads would return wrong bytes; they fail once"
                    + " the dead-connection timeout has passed");
        }
        try {
            if (!handOver(channel)) {
                channel.close();
                if (lostAt == 0) { // a device that was taken over, whose connection lives as far as anybody knows
                    nextAttempt = System.nanoTime() + IDLE;
                    return true;
                }
                return again("the kernel does not take the new connection: it holds the old one for alive");
            }
        } catch (LinuxException e) {
            channel.close();
            if (e.errno() == Errno.EINVAL && !driver.isConfigured(index)) {
                return false;
            }
            return again("the kernel did not take the new connection: " + e.getMessage());
        }
        connections[place] = channel;
        long took = lostAt == 0 ? 0 : TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - lostAt);
        // A server that takes connections and drops them again is not to be hammered: the wait shrinks, it is not
        // reset.
        wait = Math.max(SHORTEST_WAIT, wait / 4);
        lastProblem = "";
        report.accept("connection " + place + " to " + server.uri()
                + (lostAt == 0 ? " was lost before, and is back" : " is back after " + took + " ms"));
        return true;
    }

    /** Offers the socket to the driver until it has noticed that the old one is dead, and takes it. */
    private boolean handOver(FdChannel channel) throws IOException {
        boolean known = lostAt != 0;
        for (int i = 0; i < (known ? NOTICE_TRIES : 1); i++) {
            if (driver.reconnect(index, channel)) {
                return true;
            }
            pause(NOTICE_WAIT);
        }
        return false;
    }

    private void pause(long nanos) throws LinuxException {
        poll.clear();
        poll.await(nanos);
    }

    private boolean again(String problem) {
        nextAttempt = System.nanoTime() + wait;
        wait = Math.min(LONGEST_WAIT, wait * 2);
        if (!problem.equals(lastProblem)) {
            lastProblem = problem;
            report.accept(problem);
        }
        return true;
    }

    @Override
    public void close() {
        for (FdChannel connection : connections) {
            if (connection != null) {
                connection.close();
            }
        }
        poll.close();
        wake.close();
    }
}
