package io.leapnbd.nbd.server;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The connections that a server has, and who may have one more. Any thread; taken once a connection, never a request.
 *
 * <p>When all places are taken, the connection that has been in its handshake for longest makes room: an honest client is
 * through in a moment. One in transmission never does, however idle: it may be a swap device. One place in 64 is
 * kept for hosts that have none, so that nobody can shut the others out by being many.
 */
final class Places {

    private static final int PLACES_A_NEWCOMER = 64;

    private final int most;
    private final Map<Long, Connection> connections = new LinkedHashMap<>();
    private final Map<String, Integer> byHost = new HashMap<>();

    Places(int most) {
        this.most = most;
    }

    /** The number of places. */
    int most() {
        return most;
    }

    /**
     * Gives a connection a place, if need be that of another one, which is dropped.
     *
     * @return whether there was one
     */
    synchronized boolean take(Connection fresh) {
        String host = fresh.peer().host();
        boolean all = connections.size() >= most;
        boolean many = byHost.containsKey(host) && connections.size() >= most - most / PLACES_A_NEWCOMER;
        if ((all || many) && !makeRoom(all ? null : host)) {
            return false;
        }
        connections.put(fresh.id, fresh);
        byHost.merge(host, 1, Integer::sum);
        return true;
    }

    /** Drops the one that has been in its handshake for longest, of one host if it is given. */
    private boolean makeRoom(@Nullable String host) {
        for (Connection connection : connections.values()) {
            if ((host == null || connection.peer().host().equals(host)) && connection.makeRoom()) {
                return remove(connection);
            }
        }
        return false;
    }

    /** Gives a place back; returns false when the connection had none any more. */
    synchronized boolean remove(Connection connection) {
        if (!connections.remove(connection.id, connection)) {
            return false;
        }
        byHost.computeIfPresent(connection.peer().host(), (host, count) -> count == 1 ? null : count - 1);
        return true;
    }

    /** Those that have a place now, the oldest first. */
    synchronized List<Connection> all() {
        return List.copyOf(connections.values());
    }

    synchronized boolean isEmpty() {
        return connections.isEmpty();
    }
}
