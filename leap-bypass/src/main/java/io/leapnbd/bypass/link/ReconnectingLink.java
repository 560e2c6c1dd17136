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
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

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
 * <p>What it is asked for is in {@link PostedRequests}.
 *
 * <p>Every field belongs to the loop's thread.
 */
final class ReconnectingLink implements DonorLink {

    /** A link that has nothing else to say says so often that it is there. */
    private static final long PING_AFTER_NANOS = TimeUnit.SECONDS.toNanos(10);

    /**
     * One link of the server says so more often. It is half of the time for which an answer proves that the export is ours, so that
     * an idle server always has a proof.
     */
    private static final long HEARTBEAT_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    /** A link that does not hear a donor waits so many times as long if other links do hear it: the donor may be slow in one place. */
    private static final int ALONE_TIMES = 4;

    /**
     * After so long a standstill the connection is given up. A loop that got no processor for some seconds keeps it: a donor bears a
     * silence of 60 s, and what the donor has ended all the same is in the socket by then.
     */
    static final long OUTLIVED_NANOS = TimeUnit.SECONDS.toNanos(30);

    private final EventLoop loop;
    private final int lane;
    private final Donor donor;
    private final LinkTransport transport;
    private final LinkSettings settings;
    private final Patience patience;

    private final PostedRequests requests;
    private final Backoff backoff = new Backoff();

    private @Nullable LinkSession session;

    /** Whether the session is of no use any more, and about to be ended. */
    private boolean broken;

    private @Nullable LinkGreeting greeting;

    /** The donor process that the link has met last. */
    private @Nullable UUID incarnation;

    private boolean ready;
    private boolean wasReady;

    /** Whether the latest attempt to connect has ended without a link: a donor that is full of links ends it at once. */
    private boolean failed;

    /** When a session that is not ready is given up, and how long it has had. */
    private long readyDeadline;

    private long readyNanos;

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
        this.transport = transport;
        this.settings = settings;
        requests = new PostedRequests(this, loop, donor, requestTimeoutNanos);
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
        if (requests.over() || session != null) {
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
        donor.limited(LendingLimit.of(reply));
        incarnation = reply.incarnation();
        LinkGreeting said = greeting;
        on.greeted(reply);
        ready = true;
        failed = false;
        backoff.reset();
        requests.begin(on, reply.incarnation(), said == null ? donor.held() : said.held());
        donor.linkUp(wasReady);
        donor.readyLinks().add(this, loop);
        wasReady = true;
        requests.pump();
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
            requests.stop();
            loop.execute(() -> {
                if (on.equals(session)) {
                    disconnect(why);
                }
            });
        }
    }

    /**
     * Likewise, as the peer does not keep to the protocol. It would do the same again if it were asked the same at once: the next attempt is
     * later, and reads of what others have too do not wait for it.
     */
    void distrust(String why) {
        backoff.longest();
        requests.giveUpSpare(System.nanoTime(), 0);
        fail(why);
    }

    /** Ends the session; what was under way waits for the next one. Not from within what a session tells. */
    private void disconnect(@Nullable String why) {
        LinkSession ended = session;
        LinkGreeting said = greeting;
        session = null;
        greeting = null;
        broken = false;
        failed = !ready;
        requests.stop();
        if (said != null) {
            said.ended();
        }
        if (ended != null) {
            ended.close();
        }
        if (ready) {
            ready = false;
            donor.readyLinks().remove(this);
            donor.linkDown(String.valueOf(why), !requests.over());
        } else if (!requests.over() && why != null) {
            donor.unreachable(why);
        }
        if (ended != null) {
            requests.again(ended);
        }
        if (!requests.over() && !loop.isShuttingDown()) {
            loop.schedule(this::connect, backoff.next(), TimeUnit.MILLISECONDS);
        }
    }

    /**
     * Called by the session: the donor ends it, and has said why.
     *
     * @param status one of {@link Status}
     */
    void lastWord(byte status) {
        if (status == Status.FENCED) {
            fenced();
        } else {
            fail("closed the connection: " + Status.name(status));
        }
    }

    /** Called by the session, before it fails: its end shows that the donor's process has ended, and was this server's until then. */
    void processEnded() {
        donor.processEnded(requests.held());
    }

    /** The donor knows of a newer server: every request ends so from now on. */
    void fenced() {
        if (requests.over()) {
            return;
        }
        donor.listener().fenced(donor);
        requests.refuse(Outcome.FENCED);
        broken = session != null;
        loop.execute(() -> end(Outcome.FENCED, "a newer server has claimed the export"));
    }

    @Override
    public void stoodStill(long gapNanos, boolean suspended) {
        requests.postpone(gapNanos);
        readyDeadline += gapNanos;
        backoff.reset();
        LinkSession on = session;
        if (on != null) {
            on.eachUnderWay(request -> request.deadlineNanos += gapNanos);
            boolean longAgo = suspended || gapNanos >= OUTLIVED_NANOS;
            if (ready && longAgo && on.outlivedByPeer()) {
                disconnect("this process did not run for a while");
            }
        }
    }

    @Override
    public void giveUpSpare(long now, long nanos) {
        if (now - donor.heardNanos() >= nanos) {
            requests.giveUpSpare(now, nanos);
        } else if (now - requests.lastHeardNanos() >= ALONE_TIMES * nanos) {
            requests.giveUpSpare(now, ALONE_TIMES * nanos);
        }
    }

    @Override
    public void each(Consumer<LinkRequest> to) {
        requests.each(to);
    }

    @Override
    public void close() {
        end(Outcome.UNREACHABLE, "closed");
    }

    /** Ends the link for good. */
    private void end(Outcome how, String why) {
        requests.refuse(how);
        if (session != null) {
            disconnect(why);
        }
        requests.end();
    }

    /** Whether its latest attempt to connect has failed, so that requests had better go elsewhere. */
    boolean failed() {
        return failed;
    }

    /** What it was asked for. */
    PostedRequests requests() {
        return requests;
    }

    // Requests.

    @Override
    public void post(LinkRequest request) {
        requests.post(request);
    }

    @Override
    public void promote(LinkRequest request) {
        if (!request.background || request.handedOver) {
            return;
        }
        LinkSession on = session;
        if (!requests.promote(request) && on != null) {
            on.promoted(request);
        }
    }

    @Override
    public boolean onlyThisLoopWrites(LinkRequest request) {
        LinkSession on = session;
        return !request.handedOver && (on == null || !on.deviceWrites(request));
    }

    @Override
    public void flush() {
        LinkSession on = session;
        if (on != null) {
            on.flush();
        }
    }

    @Override
    public void tick(long now) {
        requests.tick(now);
        LinkSession on = session;
        if (on != null && !broken) {
            look(on, now);
        }
        requests.expire(now);
        requests.pump();
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
        } else if (on.anyOverdue(patience, now, requests.lastHeardNanos())) {
            donor.timedOut();
            disconnect("a request had no reply in time");
        } else if (!on.awaitsReply() && now - on.lastAskedNanos() > silence()) {
            requests.ask(Operation.PING, 0, now);
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
