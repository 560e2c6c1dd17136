package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Status;
import io.netty.channel.EventLoop;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What becomes of the requests of one {@link ReconnectingLink}. They go to its session while that can be used, and wait in {@link
 * PendingRequests} while they cannot be sent. One that waits without a connection ends, or goes to another loop's link, when there is no
 * point in waiting. Each ends exactly once.
 *
 * <p>Every field belongs to the loop's thread.
 */
final class PostedRequests implements PendingRequests.Sender {

    private static final Logger LOG = LoggerFactory.getLogger(PostedRequests.class);

    /** Refusals are told no more often. */
    private static final long TELL_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final ReconnectingLink link;
    private final EventLoop loop;
    private final Donor donor;
    private final long requestTimeoutNanos;
    private final PendingRequests pending = new PendingRequests(this);

    /** Where requests go; null while there is none that can be used. */
    private @Nullable LinkSession session;

    /** The process at its other end, and what this server is there. */
    private @Nullable UUID incarnation;

    private Donor.Held held;

    /** How every further request ends, once the link is closed or fenced off for good. */
    private @Nullable Outcome over;

    private long lastHeard;
    private long lastTick = System.nanoTime();

    /** When a refusal was told last. */
    private long refusedNanos = lastTick - TELL_NANOS;

    /**
     * Of a link that is not connected.
     *
     * @param requestTimeoutNanos how long a request may take
     */
    PostedRequests(ReconnectingLink link, EventLoop loop, Donor donor, long requestTimeoutNanos) {
        this.link = link;
        this.loop = loop;
        this.donor = donor;
        this.requestTimeoutNanos = requestTimeoutNanos;
        held = donor.held();
    }

    // Called by the link, as its session comes and goes.

    /** A session can be used. */
    void begin(LinkSession with, UUID process, Donor.Held standing) {
        session = with;
        incarnation = process;
        held = standing;
        heard(System.nanoTime());
    }

    private void heard(long now) {
        lastHeard = now;
        donor.heard(now);
    }

    /** It cannot be used any more. */
    void stop() {
        session = null;
    }

    /** What this server is, or was, at the other end of its latest session. */
    Donor.Held held() {
        return held;
    }

    /** What was under way on a session that has ended waits for the next one. */
    void again(LinkSession ended) {
        long now = System.nanoTime();
        for (LinkRequest r = ended.removeAny(); r != null; r = ended.removeAny()) {
            pending.again(r, over, now);
        }
    }

    /** Every further request ends so; the first such reason counts. */
    void refuse(Outcome how) {
        if (over == null) {
            over = how;
        }
        session = null;
    }

    /** Whether no request is taken any more. */
    boolean over() {
        return over != null;
    }

    /** Ends all that wait. After {@link #refuse}. */
    void end() {
        Outcome how = over;
        if (how != null) {
            pending.end(how, System.nanoTime());
        }
    }

    /** Notes the time, several times a second. */
    void tick(long now) {
        lastTick = now;
    }

    /** Ends what waits past its deadline, or in vain. */
    void expire(long now) {
        pending.expire(now);
        if (session == null && over == null) {
            pending.offer(request -> relieved(request, now));
        }
    }

    /** Ends the time of spare requests that have had so much of it, here and on the session. */
    void giveUpSpare(long now, long nanos) {
        Consumer<LinkRequest> giveUp = request -> {
            if (request.spare && now - request.startNanos >= nanos && now - request.deadlineNanos < 0) {
                request.deadlineNanos = now;
            }
        };
        pending.each(giveUp);
        LinkSession on = session;
        if (on != null) {
            on.eachUnderWay(giveUp);
        }
    }

    /** Shows somebody all that was posted and has not ended, each once. */
    void each(Consumer<LinkRequest> to) {
        pending.each(to);
        LinkSession on = session;
        if (on != null) {
            on.eachUnderWay(to);
        }
    }

    /** Moves the deadlines of what waits by so many nanoseconds. */
    void postpone(long nanos) {
        pending.each(request -> request.deadlineNanos += nanos);
    }

    /** {@link System#nanoTime()} when the donor was heard last. */
    long lastHeardNanos() {
        return lastHeard;
    }

    // Requests on their way out.

    /** {@link DonorLink#post}. */
    void post(LinkRequest request) {
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
        if (session == null) {
            if (!relieved(request, System.nanoTime())) {
                pending.add(request);
            }
        } else if (pending.noneAhead(request) && advance(request, request.startNanos)) {
            left(request, request.startNanos);
        } else {
            pending.add(request);
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

    /**
     * Sees whether a request need not wait here for a connection. If the donor is {@linkplain Reachability#down down}, the request ends:
     * as {@link Outcome#LOST} if it is for a process that is gone, as the device knows where its pages are now. If the donor does not
     * take this link, another loop's link gets the request.
     */
    private boolean relieved(LinkRequest request, long now) {
        if (donor.down(now, requestTimeoutNanos)) {
            UUID meant = request.incarnation;
            boolean gone = meant != null && !donor.standing().isOf(meant);
            request.finish(gone ? Outcome.LOST : Outcome.UNREACHABLE, now);
            return true;
        }
        return link.failed() && donor.readyLinks().handOver(request, loop);
    }

    /** A background read has become a demand; whether it waited here. */
    boolean promote(LinkRequest request) {
        boolean waited = pending.promote(request);
        if (waited) {
            pending.pumpIfFirst(request, System.nanoTime());
        }
        return waited;
    }

    /** Sends what can be sent, without a flush. */
    void pump() {
        pending.pump();
    }

    /** Whether demands wait, so that background reads must not go now. */
    boolean demandsWait() {
        return pending.demandsWait();
    }

    @Override
    public boolean advance(LinkRequest request, long now) {
        LinkSession on = session;
        if (on == null) {
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
            link.fail("the donor has restarted");
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

    // Called by the session, as answers come.

    /** The donor has done what was sent at the request's {@code sentNanos} or later, and this server owned the export then. */
    void proven(LinkRequest request, long now) {
        heard(now);
        donor.proven(request.sentNanos);
    }

    /**
     * The donor has answered a request, or a piece of it.
     *
     * @param status one of {@link Status}
     * @param last whether that was all of it, so that it ends, as its worst answer says
     */
    void answered(LinkRequest request, byte status, int freeSlabs, int wantedBack, boolean last, long now) {
        heard(now);
        donor.freeSlabs(freeSlabs);
        donor.wantedBack(wantedBack);
        Outcome outcome = Outcome.of(status);
        if (outcome.provesOwnership()) {
            donor.proven(request.sentNanos);
        }
        if (outcome == Outcome.OK) {
            if (!request.urgent() && !request.background) {
                held.acknowledged(request.version);
            }
        } else if (request.operation != Operation.EXPOSE) {
            // What another donor has too is asked of that one.
            boolean elsewhere = outcome == Outcome.REFUSED && request.spare && status != Status.PAGE_LOST;
            request.worst = elsewhere ? Outcome.UNREACHABLE : outcome;
            // A placement or a free may be late. A grant is answered so by a defect only.
            if ((outcome == Outcome.REFUSED || (outcome == Outcome.STALE && request.operation == Operation.GRANT))
                    && now - refusedNanos >= TELL_NANOS) {
                refusedNanos = now;
                LOG.error("donor {} refused operation {}: {}", donor, request.operation, Status.name(status));
            }
        }
        if (last) {
            request.finish(request.worst, now);
        }
        if (outcome == Outcome.FENCED) {
            link.fenced();
        }
    }
}
