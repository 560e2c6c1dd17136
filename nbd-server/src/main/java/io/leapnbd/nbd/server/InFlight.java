package io.leapnbd.nbd.server;

import io.leapnbd.nbd.spi.Command;
import org.jspecify.annotations.Nullable;

/**
 * A connection's requests in flight: how many there are, what they weigh, how many bytes they carry, how many more there may
 * be, and the pool that they come from. Belongs to the connection's event loop.
 *
 * <p>A request weighs one, and one about a large range without data as much as several, so that a client cannot have work
 * for minutes in the device with a few bytes.
 */
final class InFlight {

    /** Bytes of a range that weigh as much as a request. */
    private static final int RANGE_SHIFT = 24;

    private final TransmissionPhase phase;
    private final int maxRequests;
    private final long maxBytes;
    private @Nullable Request pool;
    private int requests;
    private int weight;
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

    /** Whether another request may be begun at all. */
    boolean hasRoom() {
        return weight < maxRequests;
    }

    /** Whether a request may be begun beside those that there are. One without others always may. */
    boolean admits(Command command, long length) {
        if (requests == 0) {
            return true;
        }
        boolean carriesData = command == Command.READ || command == Command.WRITE;
        return weight + weight(command, length) <= maxRequests && (!carriesData || bytes + length <= maxBytes);
    }

    /** At most a quarter of what a connection may have. */
    private int weight(Command command, long length) {
        return switch (command) {
            case READ, WRITE, FLUSH -> 1;
            case TRIM, WRITE_ZEROES, CACHE, BLOCK_STATUS -> 1 + (int) Math.min(length >>> RANGE_SHIFT, maxRequests / 4);
        };
    }

    /**
     * Takes a request from the pool.
     *
     * @param credit bytes that were taken for its buffer
     */
    Request begin(Command command, int flags, long cookie, long offset, long length, long credit, long startNanos) {
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
        request.credit = credit;
        request.weight = weight(command, length);
        request.startNanos = startNanos;
        request.active = true;
        requests++;
        weight += request.weight;
        bytes += bytesOf(request);
        return request;
    }

    /** Puts a request back; what is in it stays readable until the next {@link #begin}. */
    void end(Request request) {
        request.active = false;
        request.buffer = null;
        requests--;
        weight -= request.weight;
        bytes -= bytesOf(request);
        request.next = pool;
        pool = request;
    }

    private static long bytesOf(Request request) {
        return request.command == Command.READ || request.command == Command.WRITE ? request.length : 0;
    }
}
