package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Granted;
import io.leapnbd.donor.store.SlabStore;
import io.netty.channel.EventLoop;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A connection that is a method call: it is ready when {@link #open} returns, and every request is done when {@link #send} does. */
final class LocalSession implements LinkSession {

    private static final Logger LOG = LoggerFactory.getLogger(LocalSession.class);

    private static final long[] NOTHING_LOST = {};

    private final ReconnectingLink link;
    private final EventLoop loop;
    private final SlabStore store;
    private @Nullable Claim claim;
    private long lastAsked;

    LocalSession(ReconnectingLink link, EventLoop loop, SlabStore store) {
        this.link = link;
        this.loop = loop;
        this.store = store;
    }

    @Override
    public void open() {
        link.connected();
    }

    @Override
    public void hello(Hello hello) {
        lastAsked = System.nanoTime();
        Admission admission = store.hello(hello, this::fencedOff);
        Claim fresh = admission.claim();
        if (fresh != null) {
            close();
            claim = fresh;
        }
        link.helloAnswered(admission.status(), admission.reply());
    }

    /** On the thread that claims, before it is answered: what is answered from memory has to end before that. */
    private void fencedOff() {
        Donor donor = link.donor();
        donor.listener().fenced(donor);
        try {
            loop.execute(link::fenced);
        } catch (RejectedExecutionException e) {
            LOG.debug("the loop of a link is gone already");
        }
    }

    @Override
    public void greeted(HelloReply reply) {
        // The claim is all there is to it.
    }

    @Override
    public boolean advance(LinkRequest request) {
        return true;
    }

    @Override
    public void send(LinkRequest request, long now) {
        lastAsked = request.sentNanos;
        Claim with = claim;
        byte status = with == null ? Status.NOT_CLAIMED : perform(with, request);
        link.requests().answered(request, status, store.freeSlabs(), store.wantedBack(), true, System.nanoTime());
    }

    private byte perform(Claim with, LinkRequest r) {
        return switch (r.operation) {
            case Operation.READ -> store.read(with, r.slab, r.offset, r.length, r.data(), r.bufferIndex);
            case Operation.WRITE -> store.write(with, r.slab, r.offset, r.length, r.version, r.data(), r.bufferIndex);
            case Operation.TRIM -> store.trim(with, r.slab, r.offset, r.length, r.version);
            case Operation.LOSE -> store.lose(with, r.slab, r.offset, r.length, r.version);
            case Operation.GRANT -> grant(with, r);
            case Operation.NOTE -> store.note(with, r.version, r.data().nioBuffer(r.bufferIndex, r.length));
            case Operation.PLACE -> place(with, r);
            case Operation.FREE -> store.free(with, r.slab, r.version);
            case Operation.PING -> store.ping(with);
            case Operation.RELEASE -> store.release(with);
            default -> Status.BAD_REQUEST;
        };
    }

    private byte grant(Claim with, LinkRequest r) {
        long[] lost = r.lost;
        SlabCopies copies = r.filling ? SlabCopies.FILLING : SlabCopies.ALONE;
        Granted granted = store.grant(with, r.slab, r.version, copies, lost == null ? NOTHING_LOST : lost);
        r.grantedHandle = granted.handle();
        return granted.status();
    }

    private byte place(Claim with, LinkRequest r) {
        SlabCopies copies;
        try {
            copies = SlabCopies.decodePlace(r.data().slice(r.bufferIndex, r.length));
        } catch (ProtocolException e) {
            LOG.error("a placement that is none: {}", e.getMessage());
            return store.malformed(with);
        }
        return store.place(with, r.slab, r.version, copies);
    }

    @Override
    public void promoted(LinkRequest request) {
        // Nothing is under way here.
    }

    @Override
    public void flush() {
        // Nothing is held back.
    }

    @Override
    public boolean anyOverdue(Patience patience, long now, long heardNanos) {
        return false;
    }

    @Override
    public boolean awaitsReply() {
        return false;
    }

    @Override
    public long lastAskedNanos() {
        return lastAsked;
    }

    @Override
    public void eachUnderWay(Consumer<LinkRequest> to) {
        // Nothing is under way here.
    }

    /** They stop and go on together. */
    @Override
    public boolean outlivedByPeer() {
        return false;
    }

    @Override
    public void close() {
        Claim open = claim;
        claim = null;
        if (open != null) {
            open.close();
        }
    }

    @Override
    public @Nullable LinkRequest removeAny() {
        return null;
    }
}
