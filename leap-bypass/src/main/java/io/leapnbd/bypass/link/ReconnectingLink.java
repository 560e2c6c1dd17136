package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Status;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The life of a link, over any transport. It stays: it connects, claims the export, and when the connection breaks it connects again, with
 * backoff, and sends again what had no reply. Sending twice is safe, because writes carry versions and reads change nothing. One connection
 * is a {@link LinkSession}.
 *
 * <pre>
 *              connect          connected            READY
 * backing off ---------> session ---------> greeting -------> ready --- ping when idle
 *      ^                    |                   |               |
 *      +---- no time left, broken, LATER -------+-- overdue ----+       FENCED, close: over, for good
 * </pre>
 *
 * <p>Requests wait in {@link PendingRequests} while they cannot be sent. One that waits on a link without a connection ends, or goes to
 * another loop's link, when there is no point in waiting ({@link Donor#relieves}).
 *
 * <p>Every field belongs to the loop's thread.
 */
final class ReconnectingLink implements DonorLink, PendingRequests.Sender {

    private static final Logger LOG = LoggerFactory.getLogger(ReconnectingLink.class);

    /** A link that has nothing else to say says so often that it is there. */
    private static final long PING_AFTER_NANOS = TimeUnit.SECONDS.toNanos(10);

    /**
     * One link of the server says so more often. It is half of the time for which an answer proves that the export is ours, so that
     * an idle server always has a proof.
     */
    private static final long HEARTBEAT_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private final EventLoop loop;
    private final int lane;
    private final Donor donor;
    private final LinkTransport transport;
    private final LinkSettings settings;
    private final long requestTimeoutNanos;
    private final Patience patience;

    private final PendingRequests pending = new PendingRequests(this);
    private final Backoff backoff = new Backoff();

    private @Nullable LinkSession session;

    /** Whether the session is of no use any more, and about to be ended. */
    private boolean broken;

    private @Nullable LinkGreeting greeting;

    /** The donor process that the link has met last. */
    private @Nullable UUID incarnation;

    private Donor.Held held;
    private boolean ready;
    private boolean wasReady;

    /** Whether the latest attempt to connect has ended without a link: a donor that is full of links ends it at once. */
    private boolean failed;

    /** How every further request ends, once the link is closed or fenced off for good. */
    private @Nullable Outcome over;

    /** When a session that is not ready is given up, and how long it has had. */
    private long readyDeadline;

    private long readyNanos;

    private long lastHeard;
    private long lastTick = System.nanoTime();

    /**
     * A link that is not connected; {@link #connect()} starts it.
     *
     * @param lane the loop's number, told to the donor for people to see
     * @param requestTimeoutNanos deadline of the requests that the link itself makes
     */
    ReconnectingLink(
            EventLoop loop,
            int lane,
            Donor donor,
            LinkTransport transport,
            LinkSettings settings,
            long requestTimeoutNanos) {
        this.loop = loop;
        this.lane = lane;
        this.donor = donor;
        held = donor.held();
        this.transport = transport;
        this.settings = settings;
        this.requestTimeoutNanos = requestTimeoutNanos;
        patience = Patience.of(requestTimeoutNanos);
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public boolean ready() {
        return (ready && !broken) || (failed && !donor.readyLinks().isEmpty());
    }

    // The connection.

    /** Starts to connect. On the loop. */
    void connect() {
        if (over != null || session != null) {
            return;
        }
        LinkSession fresh = transport.session(this);
        session = fresh;
        try {
            fresh.open();
        } catch (IOException | RuntimeException e) {
            disconnect(String.valueOf(e.getMessage()));
        }
    }

    /** Whether a session is this link's present one, and not about to be ended. */
    boolean has(LinkSession which) {
        return which.equals(session) && !broken;
    }

    /** Called by the session: it is given up if it is not ready in so long from now. */
    void expectWithin(Duration time) {
        readyNanos = time.toNanos();
        readyDeadline = System.nanoTime() + readyNanos;
    }

    /** Called by the session: the donor is there, and nothing was said yet. */
    void connected() {
        LinkGreeting saying = new LinkGreeting(donor, settings, lane);
        greeting = saying;
        act(saying.begin());
    }

    /**
     * Called by the session: what the donor says to the hello.
     *
     * @param status one of {@link Status}
     * @param reply null if it refused without telling
     */
    void helloAnswered(byte status, @Nullable HelloReply reply) {
        LinkGreeting saying = greeting;
        if (saying != null) {
            act(saying.answered(status, reply));
        }
    }

    private void act(LinkGreeting.Step step) {
        LinkSession on = session;
        if (on == null) {
            return;
        }
        switch (step.kind()) {
            case SAY -> {
                Hello hello = step.hello();
                if (hello != null) {
                    on.hello(hello);
                }
            }
            case READY -> {
                HelloReply reply = step.reply();
                if (reply != null) {
                    greeted(on, reply);
                }
            }
            case FENCED -> fenced();
            case LATER -> fail(step.why());
        }
    }

    private void greeted(LinkSession on, HelloReply reply) {
        donor.met(reply.totalSlabs(), reply.freeSlabs());
        incarnation = reply.incarnation();
        LinkGreeting said = greeting;
        if (said != null) {
            held = said.held();
        }
        on.greeted(reply);
        ready = true;
        failed = false;
        backoff.reset();
        lastHeard = System.nanoTime();
        donor.linkUp(wasReady);
        donor.readyLinks().add(this, loop);
        wasReady = true;
        pending.pump();
        flush();
    }

    /**
     * The session is of no use any more. Nothing is sent on it, and it tells nothing; it is ended in a moment, as it may be what calls.
     *
     * @param why for the log; null if that is nothing to tell
     */
    void fail(@Nullable String why) {
        LinkSession on = session;
        if (on != null && !broken) {
            broken = true;
            loop.execute(() -> {
                if (on.equals(session)) {
                    disconnect(why);
                }
            });
        }
    }

    /** Ends the session; what was under way waits for the next one. Not from within what a session tells. */
    private void disconnect(@Nullable String why) {
        LinkSession ended = session;
        LinkGreeting said = greeting;
        session = null;
        greeting = null;
        broken = false;
        failed = !ready;
        if (said != null) {
            said.ended();
        }
        if (ended != null) {
            ended.close();
        }
        if (ready) {
            ready = false;
            donor.readyLinks().remove(this);
            donor.linkDown(String.valueOf(why), over == null);
        } else if (over == null && why != null) {
            donor.unreachable(why);
        }
        if (ended != null) {
            long now = System.nanoTime();
            for (LinkRequest r = ended.removeAny(); r != null; r = ended.removeAny()) {
                pending.again(r, over, now);
            }
        }
        if (over == null && !loop.isShuttingDown()) {
            loop.schedule(this::connect, backoff.next(), TimeUnit.MILLISECONDS);
        }
    }

    /** The donor knows of a newer server: every request ends so from now on. */
    void fenced() {
        if (over != null) {
            return;
        }
        donor.listener().fenced(donor);
        over = Outcome.FENCED;
        broken = session != null;
        loop.execute(() -> end(Outcome.FENCED, "a newer server has claimed the export"));
    }

    @Override
    public void stoodStill(long gapNanos) {
        pending.postpone(gapNanos);
        readyDeadline += gapNanos;
        backoff.reset();
        LinkSession on = session;
        if (on != null) {
            on.postpone(gapNanos);
            if (ready && on.outlivedByPeer()) {
                disconnect("this process did not run for a while");
            }
        }
    }

    @Override
    public void close() {
        end(Outcome.UNREACHABLE, "closed");
    }

    /** Ends the link for good. */
    private void end(Outcome how, String why) {
        Outcome first = over;
        Outcome outcome = first == null ? how : first;
        over = outcome;
        if (session != null) {
            disconnect(why);
        }
        pending.end(outcome, System.nanoTime());
    }

    // Requests.

    @Override
    public void post(LinkRequest request) {
        Outcome ended = over;
        if (ended != null) {
            request.finish(ended, System.nanoTime());
            return;
        }
        if (request.startNanos - request.deadlineNanos >= 0) {
            request.finish(Outcome.UNREACHABLE, request.startNanos);
            return;
        }
        request.unanswered = 0;
        if (ready && pending.noneAhead(request) && advance(request, request.startNanos)) {
            left(request, request.startNanos);
        } else if (ready || !relieved(request, System.nanoTime())) {
            pending.add(request);
        }
    }

    private boolean relieved(LinkRequest request, long now) {
        return donor.relieves(request, failed, loop, now, requestTimeoutNanos);
    }

    @Override
    public void promote(LinkRequest request) {
        if (!request.background || request.handedOver) {
            return;
        }
        LinkSession on = session;
        if (pending.promote(request)) {
            pending.pumpIfFirst(request, System.nanoTime());
        } else if (on != null) {
            on.promoted(request);
        }
    }

    @Override
    public void flush() {
        LinkSession on = session;
        if (on != null) {
            on.flush();
        }
    }

    @Override
    public boolean advance(LinkRequest request, long now) {
        LinkSession on = session;
        if (on == null || !ready || broken) {
            return false;
        }
        UUID process = request.incarnation;
        if (process != null && !process.equals(incarnation)) {
            return isLost(request, process);
        }
        if (request.sent == 0) {
            // When the first of it leaves. It may have begun long ago, and have waited for a slab.
            request.sentNanos = now - lastTick > 0 ? now : lastTick;
        }
        boolean goes = on.advance(request);
        if (request.postNanos == 0 && (goes || request.sent > 0)) {
            request.postNanos = now;
        }
        return goes;
    }

    /**
     * Of a request for another process than the connection's. If another loop has met that one as the donor's new process, the request
     * waits for the next connection, and this one ends.
     */
    private boolean isLost(LinkRequest request, UUID process) {
        if (process.equals(donor.incarnation())) {
            fail("the donor has restarted");
            return false;
        }
        request.worst = Outcome.LOST;
        return true;
    }

    @Override
    public void left(LinkRequest request, long now) {
        LinkSession on = session;
        if (request.worst != Outcome.OK && request.unanswered == 0) {
            request.finish(request.worst, now);
        } else if (on != null) {
            if (request.operation == Operation.GRANT) {
                request.incarnation = incarnation;
            }
            on.send(request, now);
        }
    }

    /** Whether demands wait, so that background reads must not go now. */
    boolean demandsWait() {
        return pending.demandsWait();
    }

    /** Called by the session: there is room again. Sends what can be sent, without a flush. */
    void pump() {
        pending.pump();
    }

    /** Called by the session: the donor has done what was sent at the request's {@code sentNanos} or later, and this server owned the export then. */
    void proven(LinkRequest request, long now) {
        lastHeard = now;
        donor.proven(request.sentNanos);
    }

    /**
     * Called by the session: the donor has answered a request, or a piece of it.
     *
     * @param status one of {@link Status}
     * @param last whether that was all of it, so that it ends, as its worst answer says
     */
    void answered(LinkRequest request, byte status, int freeSlabs, boolean last, long now) {
        lastHeard = now;
        donor.freeSlabs(freeSlabs);
        Outcome outcome = Outcome.of(status);
        if (outcome.provesOwnership()) {
            donor.proven(request.sentNanos);
        }
        if (outcome == Outcome.OK) {
            if (!request.urgent() && !request.background) {
                held.acknowledged(request.version);
            }
        } else if (request.operation != Operation.EXPOSE) {
            request.worst = outcome;
            if (outcome == Outcome.REFUSED) {
                LOG.error("donor {} refused operation {}: {}", donor, request.operation, Status.name(status));
            }
        }
        if (last) {
            request.finish(request.worst, now);
        }
        if (outcome == Outcome.FENCED) {
            fenced();
        }
    }

    /** Asks the donor for something that no client has asked for. */
    void ask(byte operation, int slab, long now) {
        LinkRequest request = new LinkRequest();
        request.operation = operation;
        request.slab = slab;
        request.startNanos = now;
        request.deadlineNanos = now + requestTimeoutNanos;
        post(request);
    }

    @Override
    public void tick(long now) {
        lastTick = now;
        LinkSession on = session;
        if (on != null && !broken) {
            look(on, now);
        }
        pending.expire(now);
        if (!ready && over == null) {
            pending.offer(request -> relieved(request, now));
        }
        pending.pump();
        flush();
    }

    /** Looks after the session's deadlines. */
    private void look(LinkSession on, long now) {
        if (!ready) {
            if (now - readyDeadline >= 0) {
                disconnect("no connection and hello in " + TimeUnit.NANOSECONDS.toMillis(readyNanos) + " ms");
            }
        } else if (!donor.standing().isOf(incarnation)) {
            disconnect("the donor has restarted");
        } else if (on.anyOverdue(patience, now, lastHeard)) {
            donor.timedOut();
            disconnect("a request had no reply in time");
        } else if (!on.awaitsReply() && now - on.lastAskedNanos() > silence()) {
            ask(Operation.PING, 0, now);
        }
    }

    private long silence() {
        return donor.readyLinks().speaksForAll(this) ? HEARTBEAT_NANOS : PING_AFTER_NANOS;
    }

    /** For the log. */
    @Override
    public String toString() {
        return "link " + lane + " to " + donor + (ready ? "" : " (down)");
    }
}
