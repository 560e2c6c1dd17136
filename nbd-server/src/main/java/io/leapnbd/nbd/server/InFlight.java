package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.*;

import io.leapnbd.nbd.spi.Command;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * A connection's requests in flight: how many there are, how many bytes they hold, how many more there may be, and the
 * pool that they come from. Belongs to the connection's event loop.
 */
final class InFlight {

    private final TransmissionPhase phase;
    private final int maxRequests;
    private final long maxBytes;
    private @Nullable Request pool;
    private int requests;
    private long bytes;

    InFlight(TransmissionPhase phase, int maxRequests, long maxBytes) {
        this.phase = phase;
        this.maxRequests = maxRequests;
        this.maxBytes = maxBytes;
    }

    int requests() {
        return requests;
    }

    long bytes() {
        return bytes;
    }

    boolean isEmpty() {
        return requests == 0;
    }

    /**
     * Whether the request whose header starts at {@code at} may be begun now. One that will be refused for its length
     * always may, and so may any when there is no other.
     */
    boolean admits(ByteBuf in, int at) {
        if (requests >= maxRequests) {
            return false;
        }
        int type = in.getUnsignedShort(at + REQUEST_TYPE);
        long length = in.getUnsignedInt(at + REQUEST_LENGTH);
        boolean carriesData = type == Command.READ.code() || type == Command.WRITE.code();
        return requests == 0 || !carriesData || length > MAX_PAYLOAD || bytes + length <= maxBytes;
    }

    /**
     * Takes a request from the pool.
     *
     * @param held bytes that it counts for
     */
    Request begin(Command command, int flags, long cookie, long offset, long length, long held, long startNanos) {
        Request request = pool;
        if (request == null) {
            request = new Request(phase);
        } else {
            pool = request.next;
        }
        request.command = command;
        request.flags = flags;
        request.cookie = cookie;
        request.offset = offset;
        request.length = length;
        request.held = held;
        request.startNanos = startNanos;
        request.active = true;
        requests++;
        bytes += held;
        return request;
    }

    /** Puts a request back; what is in it stays readable until the next {@link #begin}. */
    void end(Request request) {
        request.active = false;
        request.buffer = null;
        requests--;
        bytes -= request.held;
        request.next = pool;
        pool = request;
    }
}
