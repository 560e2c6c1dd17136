package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** A link without a connection: the real greeting and the real donor's state, for simulations in other packages. For one thread. */
public final class BareLink {

    /** What came of a greeting. */
    public enum Outcome {
        READY,
        FENCED,
        LATER
    }

    /** What a donor says to a hello. */
    public record Answer(byte status, HelloReply reply) {}

    private final Donor donor;
    private final LinkSettings settings;
    private @Nullable LinkGreeting greeting;

    /** One that is not connected. */
    public BareLink(Donor donor, LinkSettings settings) {
        this.donor = donor;
        this.settings = settings;
    }

    /** A donor with a clock of the simulation's. */
    public static Donor donor(String name, Donor.Listener listener, LongSupplier clock) {
        return new Donor(name, listener, clock);
    }

    /** Says hello until the link may serve or the donor is of no use now. */
    public Outcome greet(Function<Hello, Answer> peer) {
        LinkGreeting saying = new LinkGreeting(donor, settings, 0);
        LinkGreeting.Step step = saying.begin();
        Hello hello = step.hello();
        while (hello != null) {
            Answer answer = peer.apply(hello);
            step = saying.answered(answer.status(), answer.reply());
            hello = step.hello();
        }
        if (step.kind() == LinkGreeting.Step.Kind.READY) {
            greeting = saying;
            HelloReply reply = step.reply();
            if (reply != null) {
                donor.met(reply.totalSlabs(), reply.freeSlabs());
            }
            donor.linkUp(false);
            return Outcome.READY;
        }
        saying.ended();
        return step.kind() == LinkGreeting.Step.Kind.FENCED ? Outcome.FENCED : Outcome.LATER;
    }

    /** The link was read to its end, and there was no last word: the donor's process has ended. */
    public void readToItsEnd() {
        LinkGreeting was = greeting;
        if (was != null) {
            donor.processEnded(was.held());
        }
        broken();
    }

    /** The connection was reset or given up, which says nothing of the process. */
    public void broken() {
        LinkGreeting was = greeting;
        if (was != null) {
            greeting = null;
            was.ended();
            donor.linkDown("", false);
        }
    }
}
