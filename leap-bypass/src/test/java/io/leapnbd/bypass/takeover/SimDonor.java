package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Granted;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** A donor process: the real store, without its sockets. For one thread. */
final class SimDonor {

    static final int SLAB_SIZE = 1 << 20;
    private static final int SLABS = 64;
    private static final long[] NOTHING = {};

    final UUID incarnation;
    final SlabStore store;

    /** Hosts that cannot reach its address. */
    final BitSet cutFrom = new BitSet();

    /** Its process has ended. */
    boolean ended;

    /** Its process is stopped: what arrives waits. */
    boolean paused;

    /** Whether an operator has said that it will not come back. */
    boolean givenUp;

    /** When it answered its owner last, in the simulation's nanoseconds; -1 if never. */
    long answered = -1;

    /** Who owned the export when it ended. */
    UUID lastOwner = Found.NONE;

    /** The owner's first link. */
    private @Nullable Claim owners;

    private final List<Claim> claims = new ArrayList<>();

    /** Requests of links that have ended, which are still on their way or wait to be read. */
    private final ArrayDeque<Late> late = new ArrayDeque<>();

    private record Late(Claim claim, LinkRequest request) {}

    SimDonor(UUID incarnation, LongSupplier clock) {
        this.incarnation = incarnation;
        StoreSettings settings = StoreSettings.ofMemory((long) SLABS * SLAB_SIZE, SLAB_SIZE)
                .withReadySlabs(0)
                .withLock(false)
                .withHugePages(false)
                .withNanoClock(clock);
        try {
            store = SlabStore.open(settings, incarnation);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The process ends, and all that it held with it. */
    void end() {
        lastOwner = describe().instance();
        ended = true;
        paused = false;
        late.clear();
        // That takes a while, and nothing asks it any more.
        Thread _ = Thread.ofVirtual().start(store::close);
    }

    /** What it tells of the export. */
    HelloReply describe() {
        return Objects.requireNonNull(store.hello(Hello.observe("e", 0)).reply());
    }

    Found observe(boolean ownerAnswers) {
        HelloReply reply = describe();
        Owner owner = new Owner(reply.instance(), reply.term(), reply.host(), reply.owner(), 0);
        return new Found(
                incarnation,
                SLAB_SIZE,
                reply.epoch(),
                reply.content(),
                owner,
                ownerAnswers,
                0,
                100,
                reply.freeSlabs(),
                reply.heldSlabs(),
                Note.decode(reply.note()));
    }

    /** A hello over a link. */
    Admission hello(Hello hello) {
        Admission admission = store.hello(hello);
        Claim claim = admission.claim();
        if (claim != null && hello.mode() != Hello.Mode.OBSERVE) {
            if (hello.mode() == Hello.Mode.CLAIM) {
                givenUp = false;
                owners = claim;
            }
            claims.add(claim);
        }
        return admission;
    }

    boolean ownedBy(UUID instance) {
        return !ended && describe().instance().equals(instance);
    }

    boolean reachableFrom(int host) {
        return !ended && !paused && !cutFrom.get(host);
    }

    /** All links are gone. */
    void closeLinks() {
        claims.forEach(Claim::close);
        claims.clear();
    }

    /** What it holds of the export. */
    SlabList held() {
        Claim claim = owners;
        return claim == null || ended ? new SlabList() : store.list(claim, 0).slabs();
    }

    Set<SlabName> names() {
        SlabList list = held();
        Set<SlabName> names = new HashSet<>();
        for (int i = 0; i < list.size(); i++) {
            names.add(new SlabName(incarnation, list.handle(i), list.grantVersion(i)));
        }
        return names;
    }

    /** Does what a link asks for; answers one of {@link Status}. */
    byte serve(Claim claim, LinkRequest request) {
        return switch (request.operation) {
            case Operation.READ ->
                store.read(claim, request.slab, request.offset, request.length, body(request), request.bufferIndex);
            case Operation.WRITE ->
                store.write(
                        claim,
                        request.slab,
                        request.offset,
                        request.length,
                        request.version,
                        body(request),
                        request.bufferIndex);
            case Operation.TRIM -> store.trim(claim, request.slab, request.offset, request.length, request.version);
            case Operation.LOSE -> store.lose(claim, request.slab, request.offset, request.length, request.version);
            case Operation.GRANT -> {
                Granted granted = store.grant(
                        claim,
                        request.slab,
                        request.version,
                        request.filling ? SlabCopies.FILLING : SlabCopies.ALONE,
                        request.lost == null ? NOTHING : request.lost);
                request.grantedHandle = granted.handle();
                yield granted.status();
            }
            case Operation.PLACE -> store.place(claim, request.slab, request.version, copies(request));
            case Operation.FREE -> store.free(claim, request.slab, request.version);
            case Operation.NOTE ->
                store.note(claim, request.version, body(request).nioBuffer(request.bufferIndex, request.length));
            case Operation.PING -> store.ping(claim);
            case Operation.RELEASE -> store.release(claim);
            default -> throw new IllegalArgumentException("operation " + request.operation);
        };
    }

    private static ByteBuf body(LinkRequest request) {
        return Objects.requireNonNull(request.buffer);
    }

    private static SlabCopies copies(LinkRequest request) {
        try {
            return SlabCopies.decodePlace(body(request).slice(request.bufferIndex, request.length));
        } catch (ProtocolException e) {
            throw new AssertionError(e);
        }
    }

    /** A link has ended, and what it sent is still on its way, as it was when it was sent. */
    void later(Claim claim, LinkRequest sent) {
        LinkRequest copy = new LinkRequest();
        copy.operation = sent.operation;
        copy.slab = sent.slab;
        copy.offset = sent.offset;
        copy.length = sent.length;
        copy.version = sent.version;
        copy.filling = sent.filling;
        copy.lost = sent.lost;
        ByteBuf buffer = sent.buffer;
        if (buffer != null) {
            byte[] bytes = new byte[sent.length];
            buffer.getBytes(sent.bufferIndex, bytes);
            copy.buffer = Unpooled.wrappedBuffer(bytes);
        }
        late.add(new Late(claim, copy));
    }

    /** What was on its way arrives, or some of it. */
    void arrive(Random random) {
        while (!paused && !ended && !late.isEmpty() && random.nextInt(3) != 0) {
            Late first = late.removeFirst();
            byte _ = serve(first.claim(), first.request());
        }
    }
}
