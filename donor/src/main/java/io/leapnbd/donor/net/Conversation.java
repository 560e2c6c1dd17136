package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Status;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The life of one link, over whichever transport: from its connection over its hellos to its end, with all deadlines. There is one timer
 * a link, which looks at the deadline that is next; {@code donor/PROTOCOL.md}, section 8, has their list.
 *
 * <p><b>A suspend.</b> Deadlines go by {@link System#nanoTime}, which stands still while the machine is suspended. That is right, in both
 * directions. A good link does not end by a suspend: what its server sent meanwhile is in the socket, or is sent again, and counts as
 * heard. A link whose server has gone meanwhile ends by the same deadlines as any other, counted from the end of the suspend. Until
 * then it costs a place, and the lease of its export begins later: slabs are kept too long, never too short. The times that a
 * claimer is told go by the same clock, so they are too short by the suspend. A claimer waits for the rest of a time, so it waits too
 * long, never too short. A clock that goes on would end every link at the end of a suspend, before its socket is read.
 *
 * <p>The loop's thread, except {@link #fencedOff}, {@link #evicted} and {@link #lastHeard}.
 */
final class Conversation implements LinkPlaces.Occupant {

    private static final Logger LOG = LoggerFactory.getLogger(Conversation.class);

    /** What counts as stuck is told after this, while others wait for the memory that it keeps. */
    private static final long CONTENDED_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** The first byte of whoever begins with TLS (RFC 8446, section 5.1). */
    private static final byte TLS_HANDSHAKE = 22;

    /** A connection that can be ended. The loop's thread, except {@link #stop} and {@link #execute}. */
    interface Connection {

        /** Who is at the other end, for the log. */
        String peer();

        /** A name for whoever has its address, see {@link PlainOwner}. Any thread. */
        String address();

        boolean isOpen();

        /** Ends it, at once, so that the peer does not take it for the end of this process. */
        void close();

        /**
         * Any thread: from here on the peer reads nothing any more by itself, and cannot take the end of the connection for the end of this
         * process, even if this process is killed before the peer is told why.
         */
        void stop();

        /** Sends a last word, and ends it when that is written; false if there is none over this transport. */
        boolean lastWord(byte status);

        /** Any thread: has a task run on the loop. */
        void execute(Runnable task);

        void after(long nanos, Runnable task);
    }

    private final Listener listener;
    private final Connection connection;
    final LinkRequests requests;

    private volatile long lastHeard = System.nanoTime();

    /** Since when a hello is waited for; the link has none that was accepted. */
    private long helloSince = lastHeard;

    /** Since when a request has begun that has not arrived whole; 0: there is none. */
    private long frameSince;

    /** Since when replies wait to be sent; 0: there are none. */
    private long repliesSince;

    /** When it was ended; 0: it was not. */
    private long endedAt;

    private boolean waitsForMemory;
    private boolean closed;

    Conversation(
            Listener listener,
            Connection connection,
            Replies replies,
            int maxPayload,
            @Nullable SlabExposer exposer,
            @Nullable UUID announced) {
        this.listener = listener;
        this.connection = connection;
        requests = new LinkRequests(
                listener.store(), replies, this::fencedOff, new Standing(), maxPayload, exposer, announced);
    }

    /** The connection is there; it has a place already. */
    void opened() {
        lastHeard = System.nanoTime();
        helloSince = lastHeard;
        check();
    }

    /** Something has arrived. */
    void heard() {
        lastHeard = System.nanoTime();
        requests.heard();
    }

    @Override
    public long lastHeard() {
        return lastHeard;
    }

    @Override
    public String owner() {
        return requests.owner();
    }

    /** What the link's requests have to know of its listener. */
    private final class Standing implements LinkRequests.Standing {

        @Override
        public String address() {
            return connection.address();
        }

        @Override
        public int freeLinks(String owner) {
            return listener.places().free(owner);
        }
    }

    /** Whether nothing that arrives is looked at any more. */
    boolean ended() {
        return endedAt != 0;
    }

    /** The beginning of a request has arrived, and not its end. */
    void frameBegan() {
        if (frameSince == 0) {
            frameSince = now();
        }
    }

    /** It has arrived whole. */
    void frameEnded() {
        frameSince = 0;
    }

    /** Says whether the donor waits for memory: then the peer cannot be blamed for what has not arrived. */
    void waitsForMemory(boolean waits) {
        waitsForMemory = waits;
        if (!waits) {
            frameSince = frameSince == 0 ? 0 : now();
            helloSince = now();
        }
    }

    /** Says whether replies wait to be sent. To be called anew when some were sent. */
    void repliesWait(boolean wait) {
        repliesSince = wait ? now() : 0;
    }

    /** A request was answered; true if the link has to be ended after the reply. */
    boolean answered(byte operation, byte status) {
        if (LinkRequests.ends(status, operation)) {
            if (status == Status.BAD_REQUEST) {
                listener.counters().badRequests.increment();
            }
            listener.log().info("link from {} refused: {}", connection.peer(), Status.name(status));
            return true;
        }
        if (operation == Operation.HELLO) {
            helloSince = now();
            if (requests.claimed()) {
                listener.places().claimed(this);
            }
        }
        return false;
    }

    /** A header does not follow the protocol. */
    void refused(byte operation) {
        listener.counters().badRequests.increment();
        if (operation == TLS_HANDSHAKE && !requests.greeted()) {
            listener.log()
                    .info(
                            "link from {} refused: it uses TLS, and this donor does not; start this one with --pool, or that"
                                    + " server without",
                            connection.peer());
            return;
        }
        listener.log()
                .info("link from {} refused: operation {} does not follow the protocol", connection.peer(), operation);
    }

    /** The last reply is on its way: nothing is looked at any more, and the connection is closed after a while. */
    void end() {
        if (endedAt == 0) {
            endedAt = now();
            connection.after(listener.settings().lingerTimeout().toNanos(), this::lingered);
        }
    }

    private void lingered() {
        if (connection.isOpen()) {
            connection.close();
        }
    }

    /** The connection is gone: nothing reaches the peer any more. The lease of the export begins if this was its last link. */
    void closed() {
        if (!closed) {
            closed = true;
            endedAt = now();
            requests.close();
            listener.places().leave(this);
        }
    }

    /**
     * A newer claim owns the export. On whichever thread serves its hello, before that is answered: from here on the older server reads
     * nothing any more.
     */
    private void fencedOff() {
        try {
            connection.stop();
        } finally {
            listener.counters().fencedOff.increment();
            soon(this::sayFenced);
        }
    }

    /** Nothing else may follow a last reply, which says why as well. A server that has claimed anew is not to believe that another one has. */
    private void sayFenced() {
        if (!connection.isOpen() || ended()) {
            return;
        }
        listener.log().info("link from {} closed: a newer claim owns the export", connection.peer());
        if (requests.ownedByAnother() && connection.lastWord(Status.FENCED)) {
            end();
        } else {
            connection.close();
        }
    }

    @Override
    public void evicted() {
        listener.counters().evicted.increment();
        soon(() -> {
            if (connection.isOpen()) {
                listener.log()
                        .info(
                                "link from {} closed: it has claimed nothing, and others need its place or its memory",
                                connection.peer());
                connection.close();
            }
        });
    }

    private void soon(Runnable task) {
        try {
            connection.execute(task);
        } catch (RejectedExecutionException e) {
            LOG.debug("the event loop of a link is gone already");
        }
    }

    /** Looks whether a deadline has passed, and again when the next one could. */
    private void check() {
        if (!connection.isOpen() || closed || ended()) {
            return;
        }
        ServerSettings settings = listener.settings();
        long now = now();
        long patience = listener.memory().contended()
                ? Math.min(CONTENDED_NANOS, settings.frameTimeout().toNanos())
                : settings.frameTimeout().toNanos();
        long left = requests.greeted()
                ? silence().toNanos() - (now - lastHeard)
                : settings.helloTimeout().toNanos() - (now - helloSince);
        String why = null;
        if (left <= 0 && !waitsForMemory) {
            why = requests.greeted() ? "silent" : "no hello";
        } else if (frameSince != 0 && !waitsForMemory && now - frameSince >= patience) {
            why = "half a request";
        } else if (repliesSince != 0 && now - repliesSince >= patience) {
            why = "its replies are not read";
        }
        if (why != null) {
            listener.counters().timeouts.increment();
            listener.log().info("link from {} closed: {} for too long", connection.peer(), why);
            connection.close();
            return;
        }
        long step = Math.min(CONTENDED_NANOS, settings.frameTimeout().toNanos()) / 2;
        connection.after(left <= 0 ? step : Math.clamp(left, TimeUnit.MILLISECONDS.toNanos(1), step), this::check);
    }

    private Duration silence() {
        return requests.claimed()
                ? listener.settings().idleTimeout()
                : listener.settings().observerTimeout();
    }

    /** Never 0. */
    private static long now() {
        long now = System.nanoTime();
        return now == 0 ? 1 : now;
    }
}
