package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import java.util.UUID;
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
    private Donor.Held held;

    /** What the donor had acknowledged before the hello was said: it cannot have forgotten what it acknowledged since. */
    private long acknowledgedBefore;

    /** {@link System#nanoTime()} when the latest hello was said, or a little earlier. */
    private long saidNanos;

    LinkGreeting(Donor donor, LinkSettings settings, int lane) {
        this.donor = donor;
        this.settings = settings;
        this.lane = lane;
        held = donor.held();
    }

    /** What this server is at the donor, by the claim that the link serves. */
    Donor.Held held() {
        return held;
    }

    /** What to do first. */
    Step begin() {
        saidNanos = donor.now();
        held = donor.held();
        acknowledgedBefore = held.highestAcknowledged();
        if (held.standing().isClaimed()) {
            state = State.JOINING;
            return Step.say(settings.join(lane, held.standing().epoch()));
        }
        return observe();
    }

    /** What to do after an answer. */
    Step answered(byte status, @Nullable HelloReply reply) {
        boolean told = status == Status.OK || status == Status.FENCED || status == Status.CONFLICT;
        if (!told || reply == null) {
            return refusedWith(status);
        }
        Step step = step(status, reply);
        if (step.kind() == Step.Kind.READY) {
            donor.proven(saidNanos);
        }
        saidNanos = donor.now();
        return step;
    }

    private Step step(byte status, HelloReply reply) {
        return switch (state) {
            case JOINING -> joinAnswered(status, reply);
            case OBSERVING -> reply.slabSize() == settings.slabSize() ? observed(status, reply) : otherSlabs(reply);
            case CLAIMING -> claimAnswered(status, reply);
        };
    }

    private Step refusedWith(byte status) {
        donor.unfit(Donor.Unfit.REFUSES);
        return Step.later("refused the hello: " + Status.name(status));
    }

    /** A process has one slab size as long as it lives, so this is another one than that which we know, if we know one. */
    private Step otherSlabs(HelloReply reply) {
        if (!donor.standing().isOf(reply.incarnation())) {
            donor.lost(reply.incarnation(), false);
        }
        donor.unfit(Donor.Unfit.SLAB_SIZE);
        return Step.later("lends in slabs of " + reply.slabSize() + " bytes now, instead of " + settings.slabSize());
    }

    /** The connection has ended. */
    void ended() {
        donor.endClaim(this);
    }

    private Step joinAnswered(byte status, HelloReply reply) {
        boolean known = held.standing().isOf(reply.incarnation());
        if (status == Status.OK && !known && donor.listener().isElsewhere(donor, reply.incarnation())) {
            // Its epoch happens to be the same. A link that has joined cannot ask anything else.
            return elsewhere();
        }
        if (status != Status.OK || !known) {
            return observe();
        }
        if (reply.highest() >= acknowledgedBefore) {
            return Step.ready(reply);
        }
        // The machine was set back to an older state of itself, and has forgotten writes that it had acknowledged.
        // Another link may
        // have found that out already, and may have claimed anew. A link that has joined cannot say another hello.
        if (donor.beginClaim(this) && donor.held().equals(held)) {
            donor.rolledBack(reply.incarnation());
        }
        return Step.later(null);
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
            return refusedWith(status);
        }
        DonorStanding known = donor.standing();
        UUID process = reply.incarnation();
        if (donor.listener().isElsewhere(donor, process)) {
            return elsewhere();
        }
        boolean givenUp = settings.givenUp().test(process)
                // The term says that its owner began before the start that gave the address up.
                || (donor.listener().isGivenUpAddress(donor) && reply.term() < settings.term());
        Rejoin decision = Rejoin.decide(known, reply, settings.content(), settings.instance(), givenUp);
        if (decision.lost()) {
            donor.lost(process, decision.action() == Rejoin.Action.CLAIM);
        }
        return switch (decision.action()) {
            case JOIN -> {
                donor.claimed(process, reply.epoch());
                donor.endClaim(this);
                yield begin();
            }
            case CLAIM -> {
                if (donor.use() != Donor.Use.USED) {
                    // It joins, and the others may not know of it; or it leaves. Nothing that it holds is in use.
                    yield admit(reply, true);
                }
                donor.claiming(process);
                yield claim(reply, decision.blank());
            }
            case ADMIT -> admit(reply, decision.blank());
            case GIVEN_UP -> {
                donor.listener().givenUp(donor, process);
                donor.unfit(Donor.Unfit.HELD_BACK);
                yield Step.later("was given up with --lose-missing and is not used; restart it, and it is");
            }
            case FOREIGN -> {
                donor.unfit(Donor.Unfit.FOREIGN);
                yield Step.later("holds other contents of this export's name, of " + reply.owner());
            }
            case FENCED -> Step.FENCED;
        };
    }

    private Step admit(HelloReply reply, boolean blank) {
        String why = donor.admit(reply.incarnation());
        if (why == null) {
            return claim(reply, blank);
        }
        donor.unfit(Donor.Unfit.HELD_BACK);
        return Step.later(why);
    }

    private Step elsewhere() {
        donor.unfit(Donor.Unfit.HELD_BACK);
        return Step.later(
                "answers as a donor that this server knows at another address; restart the server, and it finds both");
    }

    private Step claim(HelloReply found, boolean blank) {
        state = State.CLAIMING;
        return Step.say(settings.claim(lane, blank, found));
    }

    private Step claimAnswered(byte status, HelloReply reply) {
        if (status != Status.OK) {
            // Somebody was faster. Who it was is found out the next time.
            return Step.later(null);
        }
        donor.claimed(reply.incarnation(), reply.epoch());
        held = donor.held();
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
