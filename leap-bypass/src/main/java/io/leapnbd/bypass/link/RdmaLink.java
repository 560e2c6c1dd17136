package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Status;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A link over RDMA that stays, as {@link TcpLink} does: it connects, claims the export, and when the connection breaks connects
 * again, in another {@link RdmaSession}, and sends again what had no reply.
 *
 * <p><b>Reads</b> are the device's: it fetches the pages out of the donor's memory and puts them where the client's reply is sent
 * from, and the donor's processors take no part. That is only done where it is known to be right ({@link DeviceReads}), and
 * counts only if no write to the pages began meanwhile. Otherwise the donor is asked, by message. <b>Everything else</b> is a
 * message: the donor has to look at the version of a write and at the claim behind it, and a write that arrives by half must
 * have no effect, which no one-sided write can promise.
 *
 * <p>Every field belongs to the loop's thread.
 */
final class RdmaLink implements DonorLink, PendingRequests.Sender {

    private static final Logger LOG = LoggerFactory.getLogger(RdmaLink.class);

    private final IoEventLoop loop;
    private final int lane;
    private final Donor donor;
    private final RdmaDialer dialer;
    private final LinkSettings settings;
    private final Duration connectTimeout;
    private final long requestTimeoutNanos;
    private final WriteWatch watch;
    private final boolean busyPoll;

    private final PendingRequests pending = new PendingRequests(this);
    private final Backoff backoff = new Backoff();
    private @Nullable RdmaSession session;
    private @Nullable UUID incarnation;
    private @Nullable LinkGreeting greeting;
    private boolean ready;
    private boolean wasReady;

    /** How every further request ends, once the link is closed or fenced off for good. */
    private @Nullable Outcome over;

    private long connectDeadline;

    /**
     * A link that is not connected; {@link #connect()} starts it.
     *
     * @param lane the loop's number, told to the donor for people to see
     * @param connectTimeout how long a connection and its hello may take
     * @param requestTimeoutNanos deadline of the requests that the link itself makes
     * @param busyPoll see {@link RdmaConnector}
     */
    RdmaLink(
            IoEventLoop loop,
            int lane,
            Donor donor,
            RdmaDialer dialer,
            LinkSettings settings,
            Duration connectTimeout,
            long requestTimeoutNanos,
            WriteWatch watch,
            boolean busyPoll) {
        this.loop = loop;
        this.lane = lane;
        this.donor = donor;
        this.dialer = dialer;
        this.settings = settings;
        this.connectTimeout = connectTimeout;
        this.requestTimeoutNanos = requestTimeoutNanos;
        this.watch = watch;
        this.busyPoll = busyPoll;
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public boolean ready() {
        return ready;
    }

    // The connection.

    void connect() {
        if (over != null || session != null) {
            return;
        }
        connectDeadline = System.nanoTime() + connectTimeout.toNanos();
        LinkGreeting saying = new LinkGreeting(donor, settings, lane);
        greeting = saying;
        RdmaSession fresh = new RdmaSession(loop, this, saying, settings.slabSize(), watch, busyPoll);
        session = fresh;
        try {
            fresh.open(dialer);
        } catch (IOException | RuntimeException e) {
            disconnect(String.valueOf(e.getMessage()));
        }
    }

    /** Called by the session: the donor has accepted the claim. */
    void greeted(HelloReply reply) {
        donor.met(reply.totalSlabs(), reply.freeSlabs());
        incarnation = reply.incarnation();
        ready = true;
        backoff.reset();
        donor.linkUp(wasReady);
        wasReady = true;
    }

    /** Called by the session when it has told everything for now; with what broke it, if something has. */
    void turnEnded(@Nullable String broken) {
        if (broken != null) {
            disconnect(broken);
        } else {
            pending.pump();
        }
    }

    /** Ends the connection; what was under way waits for the next one. */
    private void disconnect(String why) {
        RdmaSession ended = session;
        LinkGreeting said = greeting;
        greeting = null;
        if (said != null) {
            said.ended();
        }
        session = null;
        if (ended != null) {
            ended.close();
        }
        if (ready) {
            ready = false;
            donor.linkDown(why, over == null);
        } else if (over == null) {
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

    /** Called by the session, too: the donor knows of a newer server. */
    void fenced() {
        if (over != null) {
            return;
        }
        donor.listener().fenced(donor);
        over = Outcome.FENCED;
        String why = "a newer server has claimed the export";
        if (session != null) {
            session.broken(why);
        }
        loop.execute(() -> end(Outcome.FENCED, why));
    }

    @Override
    public void stoodStill(long gapNanos) {
        pending.postpone(gapNanos);
        connectDeadline += gapNanos;
        backoff.reset();
        RdmaSession on = session;
        if (on != null) {
            on.postpone(gapNanos);
        }
        if (ready) {
            disconnect("this process stood still for " + TimeUnit.NANOSECONDS.toMillis(gapNanos) + " ms");
        }
    }

    @Override
    public void close() {
        end(Outcome.UNREACHABLE, "closed");
    }

    private void end(Outcome how, String why) {
        if (over == null) {
            over = how;
        }
        disconnect(why);
        pending.end(how, System.nanoTime());
    }

    // Requests.

    @Override
    public void post(LinkRequest request) {
        if (over != null) {
            request.finish(over, System.nanoTime());
            return;
        }
        if (!ready) {
            long now = System.nanoTime();
            if (donor.down(now, requestTimeoutNanos)) {
                request.finish(Outcome.UNREACHABLE, now);
                return;
            }
        }
        request.unanswered = 0;
        pending.add(request);
        pending.pumpIfFirst(request, request.startNanos);
    }

    @Override
    public void promote(LinkRequest request) {
        if (!request.background) {
            return;
        }
        if (pending.promote(request)) {
            pending.pump();
        } else if (session != null) {
            session.promoted(request);
        }
    }

    @Override
    public void flush() {
        if (session != null) {
            session.flush();
        }
    }

    @Override
    public boolean advance(LinkRequest request, long now) {
        RdmaSession on = session;
        if (on == null || !on.usable()) {
            return false;
        }
        if (request.incarnation != null && !request.incarnation.equals(incarnation)) {
            if (request.incarnation.equals(donor.incarnation())) {
                // Another loop has met the donor's new process: the request waits for a connection to it.
                loop.execute(() -> on.broken("the donor has restarted"));
                loop.execute(on::endOfTurn);
                return false;
            }
            request.worst = Outcome.LOST;
            return true;
        }
        if (request.operation == Operation.GRANT) {
            request.incarnation = incarnation;
        }
        if (request.postNanos == 0) {
            request.postNanos = now;
        }
        if (request.operation == Operation.READ && !request.asked) {
            DeviceReads.Start start = on.read(request, pending.demandsWait());
            if (start == DeviceReads.Start.BEGUN || start == DeviceReads.Start.NO_SLOT) {
                return start == DeviceReads.Start.BEGUN;
            }
            if (start == DeviceReads.Start.ASK_ALSO_FOR_KEY) {
                LinkRequest ask = own(Operation.EXPOSE, System.nanoTime());
                ask.slab = request.slab;
                pending.add(ask);
            }
            request.asked = true;
            donor.readAsked();
        }
        return on.send(request);
    }

    @Override
    public void left(LinkRequest request, long now) {
        if (Messages.complete(request) && (session == null || !session.holds(request))) {
            request.finish(request.worst, now);
        }
    }

    /** Called by the session: the device has read; {@code right} is false if a write to the pages began meanwhile. */
    void readDone(LinkRequest request, boolean right) {
        if (right) {
            donor.readByDevice();
            request.finish(Outcome.OK, System.nanoTime());
        } else {
            donor.readDisturbed();
            request.asked = true;
            pending.add(request);
        }
    }

    /** Called by the session: a message of the request was answered. */
    void answered(LinkRequest request, byte status, int freeSlabs) {
        donor.freeSlabs(freeSlabs);
        Outcome outcome = Outcome.of(status);
        UUID process = request.incarnation;
        if (outcome == Outcome.OK && process != null && !request.urgent() && !request.background) {
            donor.acknowledged(process, request.version);
        }
        if (outcome != Outcome.OK && request.operation != Operation.EXPOSE) {
            request.worst = outcome;
            if (outcome == Outcome.REFUSED) {
                LOG.error("donor {} refused operation {}: {}", donor, request.operation, Status.name(status));
            }
        }
        if (request.queue == null) {
            left(request, System.nanoTime());
        }
        if (outcome == Outcome.FENCED) {
            fenced();
        }
    }

    private LinkRequest own(byte operation, long now) {
        LinkRequest request = new LinkRequest();
        request.operation = operation;
        request.startNanos = now;
        request.deadlineNanos = now + requestTimeoutNanos;
        return request;
    }

    @Override
    public void tick(long now) {
        RdmaSession on = session;
        if (on != null) {
            if (!ready && now - connectDeadline >= 0) {
                disconnect("no connection and hello in " + connectTimeout.toMillis() + " ms");
            } else if (ready && on.anyExpired(now)) {
                donor.timedOut();
                disconnect("a request had no reply in time");
            } else if (ready && on.pingDue(now, lane == 0)) {
                post(own(Operation.PING, now));
            }
        }
        pending.expire(now);
        pending.pump();
    }

    /** For the log. */
    @Override
    public String toString() {
        return "link " + lane + " to " + donor + (ready ? "" : " (down)");
    }
}
