package io.leapnbd.nbd.server;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * The payload of a write that is on its way in, and goes into a buffer of its own; while much of it is missing it is received there. One at
 * a time. Belongs to the connection's event loop.
 */
final class IncomingPayload {

    /** When at least this many bytes of a payload are missing, they are received where they will stay. */
    private static final int LEAST_DIVERSION = 16 << 10;

    private final ReceiveBuffer receive;
    private final ConnectionCredit credit;
    private @Nullable Request request;
    private long bytes;

    /**
     * None arrives yet.
     *
     * @param credit is told when one has ended
     */
    IncomingPayload(ReceiveBuffer receive, ConnectionCredit credit) {
        this.receive = receive;
        this.credit = credit;
    }

    /** The payload of a write begins, which has a buffer for it. */
    void begin(Request write) {
        request = write;
        bytes = 0;
    }

    /** Takes more of it; returns the write when it is whole, and null before. */
    @Nullable
    Request take(ByteBuf in) {
        Request write = request;
        if (write == null) {
            return null;
        }
        ByteBuf payload = write.presentBuffer();
        int missing = (int) write.length - payload.writerIndex();
        int here = Math.min(missing, in.readableBytes());
        payload.writeBytes(in, here);
        missing -= here;
        bytes = payload.writerIndex();
        if (missing >= LEAST_DIVERSION) {
            receive.divert(payload);
        } else {
            receive.endDiversion();
        }
        if (missing > 0) {
            return null;
        }
        request = null;
        credit.payloadEnded();
        return write;
    }

    /** It will not arrive any more: returns the write, which is not begun; null if there is none. */
    @Nullable
    Request abandon() {
        Request write = request;
        if (write != null) {
            request = null;
            receive.endDiversion();
            credit.payloadEnded();
        }
        return write;
    }

    /** Whether one is on its way. */
    boolean arrives() {
        return request != null;
    }

    /** How much of it is there. */
    long bytes() {
        return bytes;
    }

    /** How long it will be. */
    long length() {
        Request write = request;
        return write == null ? 0 : write.length;
    }

    /** When it began, by {@link System#nanoTime}. */
    long sinceNanos() {
        Request write = request;
        return write == null ? 0 : write.startNanos;
    }
}
