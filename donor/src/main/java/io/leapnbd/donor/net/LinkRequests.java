package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Granted;
import io.leapnbd.donor.store.Listing;
import io.leapnbd.donor.store.SlabStore;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a link asks for: judges request headers, and answers whole requests from the store. The loop's thread. */
final class LinkRequests {

    /** Answer of {@link #payload} for a header that does not follow the protocol. */
    static final int BAD = -1;

    private static final Logger LOG = LoggerFactory.getLogger(LinkRequests.class);

    private final SlabStore store;
    private final Replies replies;
    private final int maxPayload;

    /** Gives slabs' memory to RDMA reads; null if the link has none. */
    private final @Nullable SlabExposer exposer;

    /** Run when a newer server claims the export; on any thread. */
    private final Runnable onFenced;

    /** What the hello was given; null before. */
    private @Nullable Claim claim;

    LinkRequests(SlabStore store, Replies replies, Runnable onFenced, int maxPayload, @Nullable SlabExposer exposer) {
        this.maxPayload = maxPayload;
        this.exposer = exposer;
        this.store = store;
        this.replies = replies;
        this.onFenced = onFenced;
    }

    /** Whether there was a hello, and it was accepted. */
    boolean open() {
        return claim != null;
    }

    /** Bytes that follow the header at {@code at}, or {@link #BAD}. Nothing is allocated for a request before this. */
    int payload(ByteBuf in, int at) {
        int payload = RequestHeader.payload(in, at);
        if (RequestHeader.flags(in, at) != 0) {
            return BAD;
        }
        byte operation = RequestHeader.operation(in, at);
        if ((operation == Operation.HELLO) == open()) {
            return BAD;
        }
        boolean good = switch (operation) {
            case Operation.HELLO -> payload >= Hello.FIXED_LENGTH && payload <= Hello.MAX_LENGTH;
            case Operation.WRITE -> payload >= 0 && payload <= maxPayload && payload == RequestHeader.length(in, at);
            case Operation.READ -> payload == 0 && RequestHeader.length(in, at) <= maxPayload;
            case Operation.EXPOSE -> payload == 0 && exposer != null;
            case Operation.PING, Operation.GRANT, Operation.FREE, Operation.LIST, Operation.TRIM -> payload == 0;
            default -> false;
        };
        return good ? payload : BAD;
    }

    /**
     * Answers the request at {@code at}, all of whose bytes are there.
     *
     * @return the status; the link has to end after any that {@link #ends}
     */
    byte answer(ByteBuf in, int at) {
        Claim claimed = claim;
        if (claimed == null) {
            return hello(in, at);
        }
        byte operation = RequestHeader.operation(in, at);
        if (operation == Operation.READ) {
            return read(claimed, in, at);
        }
        int slab = RequestHeader.slab(in, at);
        int offset = RequestHeader.offset(in, at);
        int length = RequestHeader.length(in, at);
        long version = RequestHeader.version(in, at);
        byte status;
        switch (operation) {
            case Operation.WRITE -> {
                int payload = at + RequestHeader.LENGTH;
                status = store.write(claimed, slab, offset, length, version, in, payload);
            }
            case Operation.TRIM -> status = store.trim(claimed, slab, offset, length, version);
            case Operation.FREE -> status = store.free(claimed, slab);
            case Operation.PING -> status = claimed.fenced() ? Status.FENCED : Status.OK;
            case Operation.GRANT -> {
                return grant(claimed, in, at);
            }
            case Operation.LIST -> {
                return list(claimed, in, at);
            }
            case Operation.EXPOSE -> {
                return expose(claimed, in, at);
            }
            default -> status = Status.BAD_REQUEST;
        }
        refuse(in, at, status);
        return status;
    }

    /** Whether the link ends after a reply with this status. */
    static boolean ends(byte status) {
        return status == Status.BAD_REQUEST || status == Status.FENCED || status == Status.UNSUPPORTED_VERSION;
    }

    /** Adds a reply that says no more than a status. */
    void refuse(ByteBuf in, int at, byte status) {
        replies.add(RequestHeader.operation(in, at), status, RequestHeader.cookie(in, at), store.freeSlabs());
    }

    /** The link is gone. */
    void close() {
        Claim claimed = claim;
        if (claimed != null) {
            claimed.close();
        }
    }

    private byte read(Claim claimed, ByteBuf in, int at) {
        int length = RequestHeader.length(in, at);
        int room = Math.max(0, length);
        ByteBuf out = replies.room(ReplyHeader.LENGTH + room);
        int reply = out.writerIndex();
        byte status = store.read(
                claimed,
                RequestHeader.slab(in, at),
                RequestHeader.offset(in, at),
                length,
                out,
                reply + ReplyHeader.LENGTH);
        int payload = status == Status.OK ? length : 0;
        ReplyHeader.encode(
                out, reply, Operation.READ, status, RequestHeader.cookie(in, at), payload, store.freeSlabs());
        out.writerIndex(reply + ReplyHeader.LENGTH + payload);
        return status;
    }

    private byte grant(Claim claimed, ByteBuf in, int at) {
        Granted granted = store.grant(claimed, RequestHeader.slab(in, at), RequestHeader.version(in, at));
        if (granted.status() != Status.OK) {
            refuse(in, at, granted.status());
        } else {
            ByteBuf out = begin(in, at, granted.status(), Integer.BYTES);
            out.writeInt(granted.handle());
        }
        return granted.status();
    }

    private byte list(Claim claimed, ByteBuf in, int at) {
        Listing listing = store.list(claimed, RequestHeader.slab(in, at));
        if (listing.status() != Status.OK) {
            refuse(in, at, listing.status());
        } else {
            listing.slabs()
                    .encode(begin(in, at, listing.status(), listing.slabs().encodedLength()));
        }
        return listing.status();
    }

    private byte expose(Claim claimed, ByteBuf in, int at) {
        SlabExposer exposing = exposer;
        SlabKey key = new SlabKey(0, 0, 0);
        byte status = Status.BAD_REQUEST;
        if (exposing != null) {
            SlabExposer.Answer answer = exposing.expose(claimed, RequestHeader.slab(in, at));
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
            Admission admission = store.hello(hello, onFenced);
            claim = admission.claim();
            status = admission.status();
            HelloReply reply = admission.reply();
            if (reply != null) {
                reply.encode(begin(in, at, status, reply.encodedLength()));
                return status;
            }
        } catch (ProtocolException e) {
            LOG.debug("a hello that is none: {}", e.getMessage());
            status = Status.BAD_REQUEST;
        }
        refuse(in, at, status);
        return status;
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
                store.freeSlabs());
        out.writerIndex(out.writerIndex() + ReplyHeader.LENGTH);
        return out;
    }
}
