package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.BareLink;
import io.leapnbd.bypass.link.BareLink.Answer;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.link.LinkSettings;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A running server's link to one donor. Greetings, and what is known of the donor, are the real ones. What becomes of requests follows
 * {@code ReconnectingLink} and {@code PostedRequests}: without a connection they wait, until their deadline or until the donor is down. When
 * a connection has ended they are sent again on the next one, or are lost if that is with another process.
 */
final class SimLink implements DonorLink {

    /** What a donor's machine says last on a link. */
    enum Last {
        /** The word FENCED, since another server has claimed. */
        FENCED,
        /** Nothing but the end of the connection, in good order: the process has ended. */
        END,
        /** A reset, which proves nothing. */
        RESET
    }

    /** A link that hears nothing is given up after so long. */
    private static final long DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(6);

    /** One whose request is overdue is given up after so long a silence. */
    private static final long SILENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(300);

    private final TakeoverWorld world;
    private final SimServer server;
    private final Donor donor;
    private final int address;
    private final BareLink bare;
    private final ArrayDeque<LinkRequest> waiting = new ArrayDeque<>();
    private final List<Sent> underWay = new ArrayList<>();
    private @Nullable SimDonor to;
    private @Nullable Claim claim;
    private @Nullable Last last;
    private @Nullable Outcome over;
    private long heard;

    /** Until then nothing gets through, in the simulation's nanoseconds. */
    private long slowUntil;

    /** When something was last in the way of requests, by the host's clock. */
    private long troubled;

    /** A request on a connection. */
    private static final class Sent {

        final LinkRequest request;
        boolean done;
        byte status;

        Sent(LinkRequest request) {
            this.request = request;
        }
    }

    SimLink(TakeoverWorld world, SimServer server, Donor donor, int address, LinkSettings settings) {
        this.world = world;
        this.server = server;
        this.donor = donor;
        this.address = address;
        bare = new BareLink(donor, settings);
        heard = now();
        troubled = now();
    }

    private long now() {
        return server.host().now();
    }

    @Nullable
    SimDonor to() {
        return to;
    }

    /** When something was last in the way of requests, by the host's clock. */
    long troubled() {
        return troubled;
    }

    void slow(long nanos) {
        slowUntil = world.network().now() + nanos;
    }

    /** The last that the donor says, on its way. */
    void told(Last word) {
        if (last == null) {
            last = word;
        }
    }

    private boolean getsThrough(SimDonor process) {
        return world.network().now() >= slowUntil
                && !process.paused
                && !world.network().at(address).cutFrom.get(server.host().number());
    }

    // Its life.

    /** What has arrived is heard, and a ping is answered where nothing has. */
    void listen() {
        SimDonor process = to;
        if (process == null || last != null || !getsThrough(process) || process.ended) {
            troubled = now();
        }
        if (process == null) {
            return;
        }
        if (last == null && getsThrough(process)) {
            if (process.ended) {
                // What it said while this host was cut off may have ended with its machine. A link that was fenced ends
                // by a reset, if the word is not read.
                boolean reset = !process.lastOwner.equals(server.instance())
                        || world.random().nextBoolean();
                last = reset && world.fencedWord() ? Last.RESET : Last.END;
            } else if (process.ownedBy(server.instance())) {
                if (Objects.requireNonNull(claim).fenced()) {
                    last = Last.RESET;
                } else {
                    answered(process);
                }
            } else {
                // A word that nobody reads for too long is given up.
                last = world.random().nextInt(4) == 0 ? Last.RESET : Last.FENCED;
            }
        }
        Last heardLast = last == Last.FENCED && !world.fencedWord() ? Last.END : last;
        if (heardLast == Last.FENCED) {
            server.fenced("the last word of donor " + address);
        } else if (heardLast != null) {
            boolean end = heardLast == Last.END;
            disconnect(end ? "is read to its end" : "is reset", end);
        } else if (now() - heard > DEADLINE_NANOS) {
            disconnect("is given up", false);
        }
    }

    private void answered(SimDonor by) {
        donor.freeSlabs(by.store.freeSlabs());
        donor.wantedBack(by.store.wantedBack());
        by.answered = world.network().now();
        heard = now();
        donor.heard(heard);
        donor.proven(heard);
    }

    private void say(String what) {
        world.say("  host " + server.host().number() + ": the link to donor " + address + " " + what);
    }

    private void disconnect(String why, boolean end) {
        say(why);
        letGo();
        to = null;
        claim = null;
        last = null;
        if (end) {
            bare.readToItsEnd();
        } else {
            bare.broken();
        }
        List<Sent> open = new ArrayList<>(underWay);
        underWay.clear();
        for (Sent one : open) {
            if (now() - one.request.deadlineNanos >= 0) {
                finish(one.request, Outcome.UNREACHABLE);
            } else {
                waiting.add(one.request);
            }
        }
    }

    /** What was sent may still arrive: the first so many. */
    private void letGo() {
        SimDonor process = to;
        Claim as = claim;
        if (process == null || process.ended || as == null) {
            return;
        }
        long sent = underWay.stream().filter(one -> !one.done).count();
        long arrive = sent == 0 ? 0 : world.random().nextInt((int) sent + 1);
        for (Sent one : underWay) {
            if (!one.done && arrive-- > 0) {
                byte operation = one.request.operation;
                if (operation != Operation.READ && operation != Operation.PING && operation != Operation.RELEASE) {
                    process.later(as, one.request);
                }
            }
        }
    }

    /** A link that is not connected tries to be. */
    void connect() {
        SimDonor there = world.network().at(address);
        if (to != null || over != null || !there.reachableFrom(server.host().number())) {
            return;
        }
        Claim[] mine = new Claim[1];
        switch (bare.greet(hello -> answer(there, hello, mine))) {
            case READY -> {
                to = there;
                claim = Objects.requireNonNull(mine[0]);
                last = null;
                heard = now();
                donor.heard(heard);
                there.answered = world.network().now();
                List<LinkRequest> all = new ArrayList<>(waiting);
                waiting.clear();
                all.forEach(this::post);
            }
            case FENCED -> server.fenced("donor " + address);
            case LATER -> {}
        }
    }

    private Answer answer(SimDonor there, Hello hello, Claim[] mine) {
        Set<SlabName> before = there.names();
        Admission admission = there.hello(hello);
        if (admission.claim() != null) {
            mine[0] = admission.claim();
        }
        if (hello.mode() == Hello.Mode.CLAIM && admission.status() == Status.OK) {
            world.say("  host " + server.host().number() + " claims at donor " + address);
            world.network().claimed(there, server);
            before.removeAll(there.names());
            server.requireUnused(before, "a claim");
        }
        return new Answer(admission.status(), Objects.requireNonNull(admission.reply()));
    }

    /** The server is killed: what it had sent may still arrive. */
    void killed() {
        letGo();
        to = null;
    }

    // Requests.

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public boolean ready() {
        return to != null && over == null;
    }

    @Override
    public void post(LinkRequest request) {
        Outcome ended = over;
        SimDonor process = to;
        if (ended != null) {
            finish(request, ended);
        } else if (now() - request.deadlineNanos >= 0) {
            finish(request, Outcome.UNREACHABLE);
        } else if (process == null) {
            if (!relieved(request)) {
                waiting.add(request);
            }
        } else {
            UUID meant = request.incarnation;
            if (meant != null && !meant.equals(process.incarnation)) {
                finish(request, Outcome.LOST);
                return;
            }
            if (request.operation == Operation.GRANT) {
                request.incarnation = process.incarnation;
            }
            request.postNanos = now();
            underWay.add(new Sent(request));
        }
    }

    private boolean relieved(LinkRequest request) {
        if (!donor.down(now(), SimServer.REQUEST_NANOS)) {
            return false;
        }
        UUID meant = request.incarnation;
        boolean gone = meant != null && !donor.standing().isOf(meant);
        finish(request, gone ? Outcome.LOST : Outcome.UNREACHABLE);
        return true;
    }

    private void finish(LinkRequest request, Outcome how) {
        request.outcome = how;
        try {
            request.completion.linkDone(request, now());
        } catch (RuntimeException | Error e) {
            world.failed(e);
        }
    }

    /** What came of a step. */
    enum Step {
        /** Nothing was to be done. */
        NONE,
        /** What changes nothing at a donor, or an answer to that. */
        LOOK,
        /** What changes something at a donor, or an answer to that. */
        CHANGE
    }

    /** One request is done there, or one answer arrives. The link may be slow after it. */
    Step step() {
        SimDonor process = to;
        Claim as = claim;
        if (process == null || as == null || underWay.isEmpty() || process.ended || !getsThrough(process)) {
            return Step.NONE;
        }
        Sent first = underWay.getFirst();
        Sent next = underWay.stream().filter(one -> !one.done).findFirst().orElse(first);
        boolean serves = !next.done && (!first.done || world.random().nextBoolean());
        // An answer gives the request back.
        byte kind = (serves ? next : first).request.operation;
        if (serves) {
            serve(process, as, next);
        } else {
            underWay.removeFirst();
            answer(process, first);
        }
        boolean looks = kind == Operation.READ
                || kind == Operation.PING
                || (kind == Operation.NOTE && !server.donors().change());
        if (world.stutters()) {
            slow(TimeUnit.MILLISECONDS.toNanos(20L << world.random().nextInt(7)));
        }
        return looks ? Step.LOOK : Step.CHANGE;
    }

    private void serve(SimDonor process, Claim as, Sent next) {
        LinkRequest request = next.request;
        boolean takes = request.operation == Operation.GRANT || request.operation == Operation.FREE;
        Set<SlabName> before = takes ? process.names() : new HashSet<>();
        next.status = process.serve(as, request);
        next.done = true;
        if (request.operation != Operation.READ
                && request.operation != Operation.PING
                && request.operation != Operation.NOTE) {
            world.say("    donor " + address + " does " + name(request.operation) + " of " + request.slab + ", version "
                    + Long.toHexString(request.version) + ": " + Status.name(next.status));
        }
        if (takes) {
            before.removeAll(process.names());
            server.requireUnused(before, name(request.operation));
        }
    }

    private void answer(SimDonor process, Sent first) {
        Outcome outcome = switch (first.status) {
            case Status.OK -> Outcome.OK;
            case Status.NO_SPACE -> Outcome.NO_SPACE;
            case Status.NOT_OWNER -> Outcome.LOST;
            case Status.FENCED -> Outcome.FENCED;
            case Status.STALE -> Outcome.STALE;
            default -> Outcome.REFUSED;
        };
        boolean reset = outcome == Outcome.FENCED && process.ownedBy(server.instance());
        if (reset) {
            underWay.addFirst(first);
            disconnect("is reset, as it was claimed anew", false);
        } else if (outcome == Outcome.FENCED) {
            underWay.addFirst(first);
            server.fenced("an answer of donor " + address);
        } else {
            if (outcome != Outcome.REFUSED) {
                answered(process);
            } else {
                say("is answered " + Status.name(first.status) + " to operation " + first.request.operation);
            }
            finish(first.request, outcome);
        }
    }

    @Override
    public void promote(LinkRequest request) {}

    @Override
    public boolean onlyThisLoopWrites(LinkRequest request) {
        return true;
    }

    @Override
    public void flush() {}

    @Override
    public void giveUpSpare(long now, long nanos) {
        if (now - donor.heardNanos() >= nanos) {
            waiting.forEach(request -> giveUpSpare(request, now, nanos));
            underWay.forEach(one -> giveUpSpare(one.request, now, nanos));
        }
    }

    private static void giveUpSpare(LinkRequest request, long now, long nanos) {
        if (request.spare && now - request.startNanos >= nanos && now - request.deadlineNanos < 0) {
            request.deadlineNanos = now;
        }
    }

    @Override
    public void tick(long now) {
        boolean overdue = underWay.stream().anyMatch(one -> now - one.request.deadlineNanos >= 0);
        if (overdue && now - heard >= SILENCE_NANOS) {
            disconnect("has a request that had no reply in time", false);
        }
        for (int left = waiting.size(); left > 0; left--) {
            LinkRequest request = waiting.pollFirst();
            if (request == null) {
                return;
            }
            if (now - request.deadlineNanos >= 0) {
                finish(request, Outcome.UNREACHABLE);
            } else if (to != null) {
                post(request);
            } else if (!relieved(request)) {
                waiting.addLast(request);
            }
        }
    }

    @Override
    public void each(Consumer<LinkRequest> to) {
        waiting.forEach(to);
        underWay.forEach(one -> to.accept(one.request));
    }

    @Override
    public void close() {
        over = Outcome.UNREACHABLE;
        hangUp();
        List<Sent> open = new ArrayList<>(underWay);
        underWay.clear();
        open.forEach(one -> finish(one.request, Outcome.UNREACHABLE));
        for (LinkRequest first = waiting.pollFirst(); first != null; first = waiting.pollFirst()) {
            finish(first, Outcome.UNREACHABLE);
        }
        bare.broken();
    }

    /** The donor sees the link end, if it is reached, and with it the last one of this server. */
    private void hangUp() {
        SimDonor process = to;
        to = null;
        if (process != null && last == null && getsThrough(process) && process.ownedBy(server.instance())) {
            Set<SlabName> before = process.names();
            process.closeLinks();
            if (!process.describe().hasContent()) {
                server.requireUnused(before, "the end of a link");
                world.tally().released++;
                say("was the last one, and the export is forgotten there");
            }
        }
    }

    private static String name(byte operation) {
        return switch (operation) {
            case Operation.WRITE -> "WRITE";
            case Operation.TRIM -> "TRIM";
            case Operation.LOSE -> "LOSE";
            case Operation.GRANT -> "GRANT";
            case Operation.PLACE -> "PLACE";
            case Operation.FREE -> "FREE";
            default -> "operation " + operation;
        };
    }

    /** Whether it has nothing to do. */
    boolean idle() {
        return underWay.isEmpty() && waiting.isEmpty();
    }
}
