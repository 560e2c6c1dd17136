package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.Transfers;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The messages under way on one connection, by slot, which is also the frame that they are sent from. A request that is larger
 * than a message is sent in pieces. Some slots are kept for demands. Cookies are made as {@link InFlight} makes them. For one
 * thread.
 */
final class Messages {

    private static final int SLOTS = Protocol.RDMA_MESSAGES;

    /** Slots that bulk and background reads may not have. */
    private static final int FOR_DEMANDS = 4;

    private static final int HELLO_COOKIE = 0;
    private static final int NONE = -1;

    private final Transfers transfers;

    // By slot.
    private final @Nullable LinkRequest[] requests = new LinkRequest[SLOTS];
    private final int[] offsets = new int[SLOTS];
    private final int[] lengths = new int[SLOTS];
    private final short[] generations = new short[SLOTS];
    private final boolean[] sending = new boolean[SLOTS];
    private final int[] free = new int[SLOTS];
    private int freeCount = SLOTS;

    /** The slot of the hello, until it is answered. */
    private int helloSlot = NONE;

    /** Of a new connection. */
    Messages(Transfers transfers) {
        this.transfers = transfers;
        for (int i = 0; i < SLOTS; i++) {
            free[i] = i;
        }
    }

    boolean isEmpty() {
        return freeCount == SLOTS;
    }

    /** Sends the hello, which is the first message. */
    void hello(Hello hello) throws IOException {
        int slot = free[--freeCount];
        helloSlot = slot;
        ByteBuf frame = transfers.sendFrame(slot);
        frame.setIndex(0, RequestHeader.LENGTH);
        hello.encode(frame);
        int payload = frame.readableBytes() - RequestHeader.LENGTH;
        RequestHeader.encode(frame, 0, Operation.HELLO, HELLO_COOKIE, 0, 0, 0, payload, 0);
        send(slot, frame.readableBytes());
    }

    /** Whether a hello was sent and not answered. */
    boolean awaitsHello() {
        return helloSlot != NONE;
    }

    void helloAnswered() {
        int slot = helloSlot;
        helloSlot = NONE;
        release(slot);
    }

    /**
     * Sends as much of a request as can be sent now.
     *
     * @return whether that was the rest of it, or there is no point in sending more
     * @throws IOException if a message could not be posted; it counts as sent all the same, as the connection is over
     */
    boolean send(LinkRequest request) throws IOException {
        int total = total(request);
        int keep = request.urgent() ? 0 : FOR_DEMANDS;
        while (request.sent < total && request.worst == Outcome.OK) {
            if (freeCount <= keep) {
                return false;
            }
            sendPiece(request, Math.min(total - request.sent, Protocol.MAX_RDMA_PAYLOAD));
        }
        return true;
    }

    private void sendPiece(LinkRequest request, int piece) throws IOException {
        int slot = free[--freeCount];
        boolean data = carries(request);
        requests[slot] = request;
        offsets[slot] = request.sent;
        lengths[slot] = data ? piece : request.length;
        long[] lost = request.lost;
        int payload = request.sendsData() ? piece : lost == null ? 0 : lost.length * Long.BYTES;
        ByteBuf frame = transfers.sendFrame(slot);
        frame.setIndex(0, RequestHeader.LENGTH);
        RequestHeader.encode(
                frame,
                0,
                request.operation,
                generations[slot] << 16 | slot,
                request.slab,
                request.offset + (data ? request.sent : 0),
                lengths[slot],
                payload,
                request.version);
        RequestHeader.setFlags(frame, 0, request.flags());
        if (lost != null) {
            for (long word : lost) {
                frame.writeLongLE(word);
            }
        } else if (payload > 0) {
            frame.writeBytes(request.data(), request.bufferIndex + request.sent, payload);
        }
        request.sent += piece;
        request.unanswered++;
        send(slot, RequestHeader.LENGTH + payload);
    }

    private void send(int slot, int length) throws IOException {
        sending[slot] = true;
        transfers.send(slot, length);
    }

    /** A frame has left. */
    void sent(int slot) {
        sending[slot] = false;
        release(slot);
    }

    /** A frame can be written again when it was sent and its message answered, in whichever order. */
    private void release(int slot) {
        if (!sending[slot] && requests[slot] == null && slot != helloSlot) {
            free[freeCount++] = slot;
        }
    }

    /**
     * Takes what a reply carries to where it belongs, except an exposed slab's key.
     *
     * @param payload bytes behind the header
     * @return the request that waits for one message less; null if nobody has asked for such a reply
     */
    @Nullable
    LinkRequest answered(ByteBuf frame, int payload) {
        int cookie = ReplyHeader.cookie(frame, 0);
        int slot = cookie & 0xffff;
        LinkRequest request = slot < SLOTS && generations[slot] == (short) (cookie >>> 16) ? requests[slot] : null;
        boolean right = ReplyHeader.status(frame, 0) == Status.OK;
        if (request == null
                || request.operation != ReplyHeader.operation(frame, 0)
                || payload != (right ? expected(request, slot) : 0)) {
            return null;
        }
        requests[slot] = null;
        generations[slot]++;
        release(slot);
        request.unanswered--;
        if (right && request.operation == Operation.READ) {
            request.data().setBytes(request.bufferIndex + offsets[slot], frame, ReplyHeader.LENGTH, lengths[slot]);
        } else if (right && request.operation == Operation.GRANT) {
            request.grantedHandle = frame.getInt(ReplyHeader.LENGTH);
        }
        return request;
    }

    private int expected(LinkRequest request, int slot) {
        return switch (request.operation) {
            case Operation.READ -> lengths[slot];
            case Operation.GRANT -> Integer.BYTES;
            case Operation.EXPOSE -> SlabKey.LENGTH;
            default -> 0;
        };
    }

    /** Whether a request was sent whole, or does not need to be, and every message of it is answered. */
    static boolean complete(LinkRequest request) {
        return request.unanswered == 0 && (request.worst != Outcome.OK || request.sent >= total(request));
    }

    private static boolean carries(LinkRequest request) {
        return request.operation == Operation.READ || request.sendsData();
    }

    private static int total(LinkRequest request) {
        return carries(request) ? request.length : 1;
    }

    /** Shows them to somebody, once each request that stands in no queue, however many messages of it are under way. */
    void each(Consumer<LinkRequest> to) {
        for (int slot = 0; slot < SLOTS; slot++) {
            LinkRequest request = requests[slot];
            if (request != null && request.queue == null && firstSlotOf(request) == slot) {
                to.accept(request);
            }
        }
    }

    private int firstSlotOf(LinkRequest request) {
        int slot = 0;
        while (requests[slot] != request) {
            slot++;
        }
        return slot;
    }

    boolean anyOverdue(Patience patience, long now, long heardNanos) {
        for (LinkRequest request : requests) {
            if (request != null && patience.isOver(request, now, heardNanos)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Takes out, once the connection has ended, any one request that waits for nothing else, as one that was not sent; null when
     * there is none left. Requests that are in a queue, to be sent further, stay there, as ones that were not sent either.
     */
    @Nullable
    LinkRequest removeAny() {
        for (int slot = 0; slot < SLOTS; slot++) {
            LinkRequest request = requests[slot];
            requests[slot] = null;
            if (request != null && --request.unanswered == 0) {
                request.sent = 0;
                request.worst = Outcome.OK;
                if (request.queue == null) {
                    return request;
                }
            }
        }
        return null;
    }
}
