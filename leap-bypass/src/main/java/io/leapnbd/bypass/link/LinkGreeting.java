package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import org.jspecify.annotations.Nullable;

/**
 * What a link says until it may serve: JOIN where the export is claimed; otherwise OBSERVE, and what {@link Rejoin} decides. One a connection,
 * whatever the transport. For the link's loop.
 *
 * <p>Only one link of a donor decides at a time ({@link Donor#beginClaim}), and on a description that it asked for while it had that right.
 * Otherwise two loops that meet a new process would claim it both, and the second one would give up what the first was granted.
 */
final class LinkGreeting {

    private enum State {
        JOINING,
        OBSERVING,
        CLAIMING
    }

    private final Donor donor;
    private final LinkSettings settings;
    private final int lane;
    private State state = State.JOINING;
    private DonorStanding joined = DonorStanding.NONE;

    LinkGreeting(Donor donor, LinkSettings settings, int lane) {
        this.donor = donor;
        this.settings = settings;
        this.lane = lane;
    }

    /** What to do first. */
    Step begin() {
        joined = donor.standing();
        if (joined.isClaimed()) {
            state = State.JOINING;
            return Step.say(settings.join(lane, joined.epoch()));
        }
        return observe();
    }

    /** What to do after an answer. */
    Step answered(byte status, @Nullable HelloReply reply) {
        boolean told = status == Status.OK || status == Status.FENCED || status == Status.CONFLICT;
        if (!told || reply == null) {
            return Step.later("refused the hello: " + Status.name(status));
        }
        if (reply.slabSize() != settings.slabSize()) {
            return Step.later(
                    "lends in slabs of " + reply.slabSize() + " bytes now, instead of " + settings.slabSize());
        }
        return switch (state) {
            case JOINING -> joinAnswered(status, reply);
            case OBSERVING -> observed(status, reply);
            case CLAIMING -> claimAnswered(status, reply);
        };
    }

    /** The connection has ended. */
    void ended() {
        donor.endClaim(this);
    }

    private Step joinAnswered(byte status, HelloReply reply) {
        boolean asClaimed = status == Status.OK && joined.isOf(reply.incarnation());
        if (asClaimed && reply.highest() >= donor.highestAcknowledged(reply.incarnation())) {
            return Step.ready(reply);
        }
        if (asClaimed) {
            // The machine was set back to an older state of itself, and has forgotten writes that it had acknowledged.
            donor.rolledBack(reply.incarnation());
        }
        return observe();
    }

    private Step observe() {
        if (!donor.beginClaim(this)) {
            return Step.later(null);
        }
        state = State.OBSERVING;
        return Step.say(settings.observe(lane));
    }

    private Step observed(byte status, HelloReply reply) {
        if (status != Status.OK) {
            return Step.later("refused to be observed: " + Status.name(status));
        }
        DonorStanding known = donor.standing();
        Rejoin decision = Rejoin.decide(known, reply, settings.content(), settings.instance(), settings.term());
        if (decision.lost()) {
            donor.lost(reply.incarnation());
        }
        return switch (decision.action()) {
            case JOIN -> {
                donor.claimed(reply.incarnation(), reply.epoch());
                donor.endClaim(this);
                yield begin();
            }
            case CLAIM -> {
                donor.claiming(reply.incarnation());
                state = State.CLAIMING;
                yield Step.say(settings.claim(lane, decision.blank(), reply.epoch(), reply.content()));
            }
            case FOREIGN -> Step.later("holds other contents of this export's name, of " + reply.owner());
            case FENCED -> Step.FENCED;
        };
    }

    private Step claimAnswered(byte status, HelloReply reply) {
        if (status != Status.OK) {
            // Somebody was faster. Who it was is found out the next time.
            return Step.later(null);
        }
        donor.claimed(reply.incarnation(), reply.epoch());
        donor.endClaim(this);
        return Step.ready(reply);
    }

    /**
     * What to do next.
     *
     * @param kind which of it
     * @param hello to be said
     * @param reply of the donor, if the link may serve
     * @param why it is to be tried again later, for the log; null if that is nothing to tell
     */
    record Step(
            Kind kind,
            @Nullable Hello hello,
            @Nullable HelloReply reply,
            @Nullable String why) {

        enum Kind {
            SAY,
            READY,
            FENCED,
            LATER
        }

        static final Step FENCED = new Step(Kind.FENCED, null, null, null);

        static Step say(Hello hello) {
            return new Step(Kind.SAY, hello, null, null);
        }

        static Step ready(HelloReply reply) {
            return new Step(Kind.READY, null, reply, null);
        }

        static Step later(@Nullable String why) {
            return new Step(Kind.LATER, null, null, why);
        }
    }
}
