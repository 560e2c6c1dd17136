package io.leapnbd.bypass.link;

import io.leapnbd.bypass.map.Member;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One request to a donor, about one slab. Mutable and pooled; all fields belong to the event loop that posts it.
 *
 * <p>The owner fills in what is asked and posts it; the link fills in the outcome.
 */
public final class LinkRequest {

    private static final Logger LOG = LoggerFactory.getLogger(LinkRequest.class);

    /** One of {@link Operation}. */
    public byte operation;

    /** Which donor process granted the slab; for a grant null, until the link fills in who granted. */
    public @Nullable UUID incarnation;

    /** The slab's handle; for a grant the slab's index. */
    public int slab;

    /** The member of a placement that the request is for; null for what is not about a slab's bytes. */
    public @Nullable Member where;

    /** First byte within the slab. */
    public int offset;

    /** Bytes, at most {@link io.leapnbd.donor.protocol.Protocol#MAX_PAYLOAD} for reads and writes. */
    public int length;

    /** Order among the writes of the export; of a grant, a placement or a free the slab's generation. */
    public long version;

    /** Where a read's bytes go, or a write's, a note's or a placement's bytes come from. */
    public @Nullable ByteBuf buffer;

    /** First byte in {@link #buffer}. */
    public int bufferIndex;

    /** Of a grant: a bit for each page of the slab that is lost, 64 to a word; null if none is. */
    public long @Nullable [] lost;

    /** Of a grant: whether the slab is to be filled, so that it is not live before it is placed as that. */
    public boolean filling;

    /** Whether nobody waits for this read: it goes behind all others. */
    public boolean background;

    /** Whether it need not be done here: another donor can do it, or has done it. */
    public boolean spare;

    /**
     * {@link System#nanoTime()} when the client's request began: when the receive that brought the last of it was taken up, or, of
     * {@code --path queued}, when it was dispatched. Of what no client asked for, when it was made.
     */
    public long startNanos;

    /** {@link System#nanoTime()} of the first post on a connection; {@link #startNanos} if it was posted without waiting for credit. */
    public long postNanos;

    /** {@link System#nanoTime()} at which the request fails. */
    public long deadlineNanos;

    /** Called at the end. */
    public LinkCompletion completion = (request, now) -> {};

    /** The byte of the device that a request for data begins at. */
    public long position;

    /** For the completion's own use. */
    public int tag;

    /** For the completion's own use: what {@link WriteWatch#stamp} said when a read was posted. */
    public long stamp;

    /** For the completion's own use: the client request this is part of. */
    public @Nullable Object attachment;

    /** For the completion's own use: what joins this read to another one of the same bytes. */
    public @Nullable Object pair;

    /** For the completion's own use: {@link System#nanoTime()} at which a read that is in a list of such has taken too long. */
    public long dueNanos;

    /** Whether it is in that list, and its neighbours there. */
    public boolean inDueList;

    public @Nullable LinkRequest dueBefore;

    public @Nullable LinkRequest dueAfter;

    /** For the completion's own use: whether a read has taken too long. */
    public boolean late;

    /**
     * Whether a read's buffer may be exchanged for another one at any time, so that only the loop's thread may write there: {@link
     * DonorLink#onlyThisLoopWrites}. A link does what it can; it may cost a copy.
     */
    public boolean calledOffAnyTime;

    /** How it ended. */
    public Outcome outcome = Outcome.OK;

    /** A grant's handle, once it is {@link Outcome#OK}. */
    public int grantedHandle;

    /** The list that holds this, if one does. */
    @Nullable
    RequestQueue queue;

    /** Neighbours in that list. */
    @Nullable
    LinkRequest next;

    @Nullable
    LinkRequest previous;

    /** Slot in the link's table of requests in flight. */
    int slot;

    /** {@link System#nanoTime()} when it was sent on the present connection. */
    long sentNanos;

    /** What {@link BulkWindow#sent} said then, of a write or trim. */
    long deliveredBefore;

    // Of a link whose messages are smaller than requests can be.

    /** How much of it was sent, in bytes; of a request without data 1 once it was. */
    int sent;

    /** Messages that wait for a reply. */
    int unanswered;

    /** What the first reply that was not OK said. */
    Outcome worst = Outcome.OK;

    /** Whether another loop's link has it: {@link ReadyLinks#handOver}. */
    boolean handedOver;

    /** Whether the donor has to be asked for these pages, by message. */
    boolean asked;

    /** Made by the pools of the loops only. */
    public LinkRequest() {}

    /**
     * Is about bytes of one copy.
     *
     * @param copy of the slab
     * @param at byte of the device that it begins at
     * @param within the same byte within the slab
     * @param bytes how many
     */
    public void about(byte what, Member copy, long at, int within, int bytes) {
        operation = what;
        where = copy;
        incarnation = copy.incarnation();
        slab = copy.handle();
        offset = within;
        length = bytes;
        position = at;
    }

    /** Hands a slab back that is of a generation at most. */
    public void free(Member copy, long generation) {
        about(Operation.FREE, copy, 0, 0, 0);
        where = null;
        version = generation;
    }

    /** Says that the export is given up at the donor. */
    public void release() {
        operation = Operation.RELEASE;
        incarnation = null;
        where = null;
        slab = 0;
        offset = 0;
        length = 0;
        version = 0;
    }

    /** Asks for a slab. */
    public void grant(int index, long grantVersion, boolean toBeFilled) {
        operation = Operation.GRANT;
        incarnation = null;
        where = null;
        slab = index;
        offset = 0;
        length = 0;
        version = grantVersion;
        filling = toBeFilled;
    }

    /** Says what a copy is, and who has the live ones. {@link #buffer} is new, and to be released at the end. */
    public void place(Member member, long generation, SlabCopies copies) {
        ByteBuf body = Unpooled.directBuffer(copies.encodedLength());
        copies.encode(body);
        about(Operation.PLACE, member, 0, 0, body.readableBytes());
        version = generation;
        buffer = body;
        bufferIndex = 0;
    }

    /** Whether this is a demand: something that a client waits for and that must not queue behind bulk data. */
    boolean urgent() {
        return operation != Operation.WRITE
                && operation != Operation.TRIM
                && operation != Operation.LOSE
                && !background;
    }

    /** Whether {@link #length} bytes of {@link #buffer} go to the donor. */
    boolean sendsData() {
        return operation == Operation.WRITE || operation == Operation.NOTE || operation == Operation.PLACE;
    }

    /** The flags of its header. */
    byte flags() {
        return operation == Operation.GRANT && filling ? RequestHeader.FILLING : 0;
    }

    /** Bytes that it takes on the way to the donor: of a trim, whatever its length, only a header. */
    int bytesOnTheWay() {
        return operation == Operation.WRITE ? length : RequestHeader.LENGTH;
    }

    /** The buffer of a request that moves data. */
    public ByteBuf data() {
        ByteBuf data = buffer;
        if (data == null) {
            throw new IllegalStateException("a request that moves data has no buffer");
        }
        return data;
    }

    /** Ends it. A completion that throws has ended its own request, and nothing else. */
    void finish(Outcome how, long now) {
        sent = 0;
        worst = Outcome.OK;
        outcome = how;
        try {
            completion.linkDone(this, now);
        } catch (RuntimeException | Error e) {
            LOG.error("a completion of operation {} has failed by a defect", operation, e);
        }
    }

    /** Ends it as one that cannot be done: its donor is none of the server's any more. */
    public void refuse() {
        finish(Outcome.UNREACHABLE, System.nanoTime());
    }

    /** Forgets what it referred to, before it goes back to a pool. */
    public void clear() {
        incarnation = null;
        where = null;
        version = 0;
        buffer = null;
        lost = null;
        filling = false;
        attachment = null;
        background = false;
        spare = false;
        pair = null;
        late = false;
        calledOffAnyTime = false;
        postNanos = 0;
        sent = 0;
        asked = false;
        worst = Outcome.OK;
    }

    /** How a request can end. */
    public enum Outcome {
        /** Done. */
        OK,
        /** The deadline passed, or the link was closed. The donor may or may not have done it. */
        UNREACHABLE,
        /** The slab's bytes are gone: the donor has restarted, or took the slab back. */
        LOST,
        /** The donor has no free slab. */
        NO_SPACE,
        /** A newer server owns the export. */
        FENCED,
        /** The slab has a newer generation than the request's. */
        STALE,
        /** The donor says that the request was wrong: a defect on one side. */
        REFUSED;

        /** Whether a donor that says so has looked first whether this server's claim is still the export's. */
        boolean provesOwnership() {
            return this == OK || this == LOST || this == NO_SPACE || this == STALE;
        }

        /** From one of {@link Status}. */
        static Outcome of(byte status) {
            return switch (status) {
                case Status.OK -> OK;
                case Status.NO_SPACE -> NO_SPACE;
                case Status.NOT_OWNER -> LOST;
                case Status.FENCED -> FENCED;
                case Status.STALE -> STALE;
                default -> REFUSED;
            };
        }
    }
}
