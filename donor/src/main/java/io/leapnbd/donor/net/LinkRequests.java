package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.Announcement;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Granted;
import io.leapnbd.donor.store.Identity;
import io.leapnbd.donor.store.Listing;
import io.leapnbd.donor.store.MarkedPages;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.tls.FrameKeys;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a link asks for: judges request headers, and answers whole requests from the store. The loop's thread. */
final class LinkRequests {

    /** Answer of {@link #answer} for a request of which a part is done. It is to be asked again, in another turn of the loop. */
    static final byte UNFINISHED = -1;

    /** Answer of {@link #payload} for a header that does not follow the protocol. */
    static final int BAD = -1;

    /** {@link #cost} of a list, however long. */
    private static final int LIST_COST = 1 << 15;

    /** Of a hello, which describes the export: a few microseconds. */
    private static final int HELLO_COST = 1 << 8;

    /** Of a request that changes what an export holds, under the lock that all links share. */
    private static final int LOCKED_COST = 1 << 6;

    /** Who a link is of. */
    interface Standing {

        /** A name for whoever has its address. */
        String address();

        /** How many links of an owner the listener would take. */
        int freeLinks(String owner);
    }

    private static final Logger LOG = LoggerFactory.getLogger(LinkRequests.class);

    private final SlabStore store;
    private final Replies replies;
    private final int maxPayload;

    private final Standing standing;

    /** Gives slabs' memory to RDMA reads; null if the link has none. */
    private final @Nullable SlabExposer exposer;

    /** Digest of the only export that the link may name; null if it may name any. */
    private final @Nullable UUID announced;

    /** Run when a newer server claims the export; on any thread. */
    private final Runnable onFenced;

    /** Bytes of the trim or exposure at hand that are done. */
    private int done;

    /** Who the peer has shown to be. */
    private Identity identity = Identity.ANONYMOUS;

    /** How the peer may have its frames in clear from then on; null if it may not ask. */
    private @Nullable KeyExchange keys;

    /** What the last hello that was accepted was given; null before. */
    private @Nullable Claim claim;

    LinkRequests(
            SlabStore store,
            Replies replies,
            Runnable onFenced,
            Standing standing,
            int maxPayload,
            @Nullable SlabExposer exposer,
            @Nullable UUID announced) {
        this.store = store;
        this.replies = replies;
        this.onFenced = onFenced;
        this.standing = standing;
        this.maxPayload = maxPayload;
        this.exposer = exposer;
        this.announced = announced;
    }

    /** The peer has shown who it is; before anything else. */
    void identified(Identity shown) {
        identity = shown;
    }

    /** The peer may ask for keys of frames, until it has said hello. */
    void mayAskForKeys(KeyExchange exchange) {
        keys = exchange;
    }

    /** Who the peer has shown to be. */
    Identity identity() {
        return identity;
    }

    /** Whose limits count: the identity that was shown, or else whoever has the address. The loop's thread. */
    String owner() {
        return identity.isAnonymous() ? standing.address() : identity.name();
    }

    /** Whether a hello was accepted. */
    boolean greeted() {
        return claim != null;
    }

    /** Whether the link has claimed or joined: only then may it ask for anything. */
    boolean claimed() {
        Claim its = claim;
        return its != null && !its.observes();
    }

    /** Whether another server owns the export now. */
    boolean ownedByAnother() {
        Claim its = claim;
        return its != null && its.ownedByAnother();
    }

    /** Something has arrived; to be called before the requests in it are looked at. */
    void heard() {
        Claim its = claim;
        if (its != null && !its.observes()) {
            store.heard(its);
        }
    }

    /**
     * Bytes that follow the header at {@code at}, or {@link #BAD}. Nothing is allocated for a request before this. A link that has
     * claimed nothing may send no payload but a hello's.
     */
    int payload(ByteBuf in, int at) {
        int payload = RequestHeader.payload(in, at);
        byte operation = RequestHeader.operation(in, at);
        byte flags = RequestHeader.flags(in, at);
        if (flags != 0 && (operation != Operation.GRANT || flags != RequestHeader.FILLING)) {
            return BAD;
        }
        boolean claimed = claimed();
        boolean good = switch (operation) {
            case Operation.HELLO -> !claimed && payload >= Hello.FIXED_LENGTH && payload <= Hello.MAX_LENGTH;
            case Operation.KEYS -> keys != null && payload == FrameKeys.SHARE;
            case Operation.WRITE ->
                (claimed ? payload >= 0 && payload <= maxPayload : payload == 0)
                        && payload == RequestHeader.length(in, at);
            case Operation.GRANT -> payload == 0 || (claimed && payload == lostLength());
            case Operation.NOTE -> payload == 0 || (claimed && payload > 0 && payload <= Protocol.MAX_NOTE);
            case Operation.PLACE -> claimed ? SlabCopies.isPlaceLength(payload) : payload == 0;
            case Operation.READ -> payload == 0 && RequestHeader.length(in, at) <= maxPayload;
            case Operation.PAGES ->
                payload == 0 && PageMarks.isRange(RequestHeader.offset(in, at), RequestHeader.length(in, at));
            case Operation.EXPOSE -> payload == 0 && exposer != null;
            case Operation.PING, Operation.FREE, Operation.LIST, Operation.TRIM, Operation.RELEASE -> payload == 0;
            case Operation.LOSE ->
                payload == 0
                        && ((RequestHeader.offset(in, at) | RequestHeader.length(in, at)) & Protocol.PAGE_SIZE - 1)
                                == 0;
            default -> false;
        };
        return good ? payload : BAD;
    }

    /** The longest reply that the request at {@code at} can have, header included, in bytes. */
    int mostReplyBytes(ByteBuf in, int at) {
        return ReplyHeader.LENGTH
                + switch (RequestHeader.operation(in, at)) {
                    case Operation.HELLO -> HelloReply.MAX_LENGTH;
                    case Operation.READ -> claimed() ? Math.max(0, RequestHeader.length(in, at)) : 0;
                    case Operation.PAGES ->
                        claimed() ? PageMarks.encodedLength(Math.max(0, RequestHeader.length(in, at))) : 0;
                    case Operation.LIST -> claimed() ? maxPayload : 0;
                    case Operation.GRANT, Operation.EXPOSE -> SlabKey.LENGTH;
                    case Operation.KEYS -> FrameKeys.SHARE;
                    default -> 0;
                };
    }

    /** How much work the request at {@code at} is: about so many pages are looked at, or copied. */
    static int cost(ByteBuf in, int at) {
        return switch (RequestHeader.operation(in, at)) {
            case Operation.LIST -> LIST_COST;
            case Operation.HELLO -> HELLO_COST;
            case Operation.GRANT -> LOCKED_COST + (Math.max(0, RequestHeader.payload(in, at)) >>> 3);
            case Operation.FREE, Operation.PLACE, Operation.NOTE, Operation.RELEASE -> LOCKED_COST;
            case Operation.READ, Operation.WRITE, Operation.TRIM, Operation.LOSE, Operation.PAGES ->
                1 + (Math.max(0, RequestHeader.length(in, at)) >>> Protocol.PAGE_SHIFT);
            default -> 1;
        };
    }

    /**
     * Answers the request at {@code at}, all of whose bytes are there.
     *
     * @return the status, or {@link #UNFINISHED}; the link has to end after any that {@link #ends}
     */
    byte answer(ByteBuf in, int at) {
        byte operation = RequestHeader.operation(in, at);
        if (operation == Operation.HELLO) {
            keys = null;
            return hello(in, at);
        }
        KeyExchange exchange = keys;
        if (operation == Operation.KEYS && exchange != null) {
            return keys(exchange, in, at);
        }
        Claim its = claim;
        if (its == null) {
            byte status = operation == Operation.PING ? Status.OK : Status.NOT_CLAIMED;
            refuse(in, at, status);
            return status;
        }
        return switch (operation) {
            case Operation.READ -> read(its, in, at);
            case Operation.GRANT -> grant(its, in, at);
            case Operation.LIST -> list(its, in, at);
            case Operation.PAGES -> pages(its, in, at);
            case Operation.EXPOSE -> expose(its, in, at);
            case Operation.TRIM, Operation.LOSE -> trim(its, operation, in, at);
            default -> change(its, operation, in, at);
        };
    }

    private byte change(Claim its, byte operation, ByteBuf in, int at) {
        int slab = RequestHeader.slab(in, at);
        int offset = RequestHeader.offset(in, at);
        int length = RequestHeader.length(in, at);
        long version = RequestHeader.version(in, at);
        int payload = at + RequestHeader.LENGTH;
        byte status = switch (operation) {
            case Operation.WRITE -> store.write(its, slab, offset, length, version, in, payload);
            case Operation.FREE -> store.free(its, slab, version);
            case Operation.PLACE -> place(its, in, at);
            case Operation.PING -> store.ping(its);
            case Operation.RELEASE -> store.release(its);
            case Operation.NOTE -> store.note(its, version, in.nioBuffer(payload, RequestHeader.payload(in, at)));
            default -> Status.BAD_REQUEST;
        };
        refuse(in, at, status);
        return status;
    }

    private byte place(Claim its, ByteBuf in, int at) {
        SlabCopies copies;
        try {
            copies = SlabCopies.decodePlace(in.slice(at + RequestHeader.LENGTH, RequestHeader.payload(in, at)));
        } catch (ProtocolException e) {
            LOG.debug("a placement that is none: {}", e.getMessage());
            return store.malformed(its);
        }
        return store.place(its, RequestHeader.slab(in, at), RequestHeader.version(in, at), copies);
    }

    /** Does the next part of a trim or loss. A long one would keep the other links of the loop waiting. */
    private byte trim(Claim its, byte operation, ByteBuf in, int at) {
        int slab = RequestHeader.slab(in, at);
        int offset = RequestHeader.offset(in, at);
        int length = RequestHeader.length(in, at);
        int from = done;
        int to = endOfPart(offset, Math.max(0, length), from, store.trimStep(slab));
        long version = RequestHeader.version(in, at);
        byte status = operation == Operation.LOSE
                ? store.losePart(its, slab, offset, length, from, to, version)
                : store.trimPart(its, slab, offset, length, from, to, version);
        if (status == Status.OK && to < length) {
            done = to;
            return UNFINISHED;
        }
        done = 0;
        refuse(in, at, status);
        return status;
    }

    /** Where a part that begins at {@code from} ends, both from the range's offset on. Parts end where pages do. */
    private static int endOfPart(int offset, int length, int from, int step) {
        return length - from <= step ? length : from + step - ((offset + from) & (Protocol.PAGE_SIZE - 1));
    }

    /** Whether a part of a request is done. */
    boolean unfinished() {
        return done > 0;
    }

    /** Whether the link ends after this status of an answer, be it to a hello or not. */
    static boolean ends(byte status, byte operation) {
        return switch (status) {
            case Status.BAD_REQUEST, Status.UNSUPPORTED_VERSION, Status.OTHER_IDENTITY, Status.TLS_ONLY -> true;
            case Status.FENCED -> operation != Operation.HELLO;
            case Status.NO_SPACE -> operation == Operation.HELLO;
            default -> false;
        };
    }

    /** Adds a reply that says no more than a status. */
    void refuse(ByteBuf in, int at, byte status) {
        replies.add(
                RequestHeader.operation(in, at),
                status,
                RequestHeader.cookie(in, at),
                store.freeSlabs(claim),
                store.wantedBack());
    }

    /** Adds a message that answers nothing: why the link is closed. */
    void lastWord(byte status) {
        replies.add(Operation.LAST_WORD, status, 0, store.freeSlabs(claim), store.wantedBack());
    }

    /** The link is gone. */
    void close() {
        Claim its = claim;
        if (its != null) {
            its.close();
        }
    }

    /** The link's frames go in clear behind this reply. */
    private byte keys(KeyExchange exchange, ByteBuf in, int at) {
        keys = null;
        byte[] theirs = new byte[FrameKeys.SHARE];
        in.getBytes(at + RequestHeader.LENGTH, theirs);
        byte[] ours = exchange.answer(theirs);
        byte status = ours == null ? Status.TLS_ONLY : Status.OK;
        if (ours == null) {
            refuse(in, at, status);
        } else {
            ByteBuf _ = begin(in, at, status, ours.length).writeBytes(ours);
        }
        return status;
    }

    private byte read(Claim its, ByteBuf in, int at) {
        int length = RequestHeader.length(in, at);
        int room = its.observes() ? 0 : Math.max(0, length);
        ByteBuf out = replies.room(ReplyHeader.LENGTH + room);
        int reply = out.writerIndex();
        byte status = store.read(
                its, RequestHeader.slab(in, at), RequestHeader.offset(in, at), length, out, reply + ReplyHeader.LENGTH);
        int payload = status == Status.OK ? length : 0;
        ReplyHeader.encode(
                out, reply, Operation.READ, status, RequestHeader.cookie(in, at), payload, store.freeSlabs(claim));
        ReplyHeader.setWantedBack(out, reply, store.wantedBack());
        out.writerIndex(reply + ReplyHeader.LENGTH + payload);
        return status;
    }

    private byte grant(Claim its, ByteBuf in, int at) {
        long[] lost = new long[RequestHeader.payload(in, at) / Long.BYTES];
        for (int i = 0; i < lost.length; i++) {
            lost[i] = in.getLongLE(at + RequestHeader.LENGTH + i * Long.BYTES);
        }
        SlabCopies copies = RequestHeader.flags(in, at) == 0 ? SlabCopies.ALONE : SlabCopies.FILLING;
        Granted granted = store.grant(its, RequestHeader.slab(in, at), RequestHeader.version(in, at), copies, lost);
        if (granted.status() != Status.OK) {
            refuse(in, at, granted.status());
        } else {
            ByteBuf out = begin(in, at, granted.status(), Integer.BYTES);
            out.writeInt(granted.handle());
        }
        return granted.status();
    }

    private byte list(Claim its, ByteBuf in, int at) {
        Listing listing = store.list(its, RequestHeader.slab(in, at), maxPayload);
        if (listing.status() != Status.OK) {
            refuse(in, at, listing.status());
        } else {
            listing.slabs()
                    .encode(begin(in, at, listing.status(), listing.slabs().encodedLength()));
        }
        return listing.status();
    }

    private byte pages(Claim its, ByteBuf in, int at) {
        int length = RequestHeader.length(in, at);
        MarkedPages pages = store.pages(its, RequestHeader.slab(in, at), RequestHeader.offset(in, at), length);
        if (pages.status() != Status.OK) {
            refuse(in, at, pages.status());
        } else {
            pages.marks().encode(begin(in, at, pages.status(), PageMarks.encodedLength(length)));
        }
        return pages.status();
    }

    /** Does the next part. What is to be zeroed of a large slab would keep the other links of the loop waiting. */
    private byte expose(Claim its, ByteBuf in, int at) {
        SlabExposer exposing = exposer;
        if (exposing == null) {
            refuse(in, at, Status.BAD_REQUEST);
            return Status.BAD_REQUEST;
        }
        int slab = RequestHeader.slab(in, at);
        int to = done + Math.min(store.slabSize() - done, store.exposures().step(slab));
        byte status = store.exposures().prepare(its, slab, done, to);
        if (status == Status.OK && to < store.slabSize()) {
            done = to;
            return UNFINISHED;
        }
        done = 0;
        SlabKey key = new SlabKey(0, 0, 0);
        if (status == Status.OK) {
            SlabExposer.Answer answer = exposing.expose(its, slab);
            status = answer.status();
            key = answer.key();
        }
        if (status != Status.OK) {
            refuse(in, at, status);
        } else {
            key.encode(begin(in, at, status, SlabKey.LENGTH));
        }
        return status;
    }

    private byte hello(ByteBuf in, int at) {
        byte status;
        try {
            Hello hello = Hello.decode(in.slice(at + RequestHeader.LENGTH, RequestHeader.payload(in, at)));
            UUID only = announced;
            if (only != null
                    && hello.speaksOurVersion()
                    && !Announcement.digest(hello.export()).equals(only)) {
                throw new ProtocolException("hello for another export than was announced");
            }
            if (hello.mode() != Hello.Mode.OBSERVE && hello.speaksOurVersion() && standing.freeLinks(owner()) == 0) {
                // Its owner has as many links as it may have; the last places are for others.
                refuse(in, at, Status.NO_SPACE);
                return Status.NO_SPACE;
            }
            Admission admission = store.hello(hello, identity, owner(), onFenced);
            status = admission.status();
            admitted(admission.claim());
            HelloReply reply = admission.reply();
            if (reply != null) {
                // The listener hears of this link's claim only after the reply.
                int free = standing.freeLinks(owner()) - (claimed() ? 1 : 0);
                HelloReply whole = reply.withFreeLinks(Math.max(0, free));
                whole.encode(begin(in, at, status, whole.encodedLength()));
                return status;
            }
            Identity owner = admission.belongsTo();
            if (owner != null) {
                byte[] name = owner.name().getBytes(StandardCharsets.US_ASCII);
                begin(in, at, status, name.length).writeBytes(name);
                return status;
            }
        } catch (ProtocolException e) {
            LOG.debug("a hello that is none: {}", e.getMessage());
            status = Status.BAD_REQUEST;
        }
        refuse(in, at, status);
        return status;
    }

    private void admitted(@Nullable Claim fresh) {
        if (fresh == null) {
            return;
        }
        if (exposer != null) {
            fresh.readsUnseen();
        }
        close();
        claim = fresh;
    }

    private int lostLength() {
        return store.slabSize() / Protocol.PAGE_SIZE / Byte.SIZE;
    }

    /** Adds a reply's header; the payload has to be written next. */
    private ByteBuf begin(ByteBuf in, int at, byte status, int payload) {
        ByteBuf out = replies.room(ReplyHeader.LENGTH + payload);
        ReplyHeader.encode(
                out,
                out.writerIndex(),
                RequestHeader.operation(in, at),
                status,
                RequestHeader.cookie(in, at),
                payload,
                store.freeSlabs(claim));
        ReplyHeader.setWantedBack(out, out.writerIndex(), store.wantedBack());
        out.writerIndex(out.writerIndex() + ReplyHeader.LENGTH);
        return out;
    }
}
