package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.REQUEST_SIZE;

import io.leapnbd.nbd.spi.Command;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * The buffers of a connection's requests, and the {@linkplain ConnectionCredit credit} that they are paid for with. Belongs to the
 * connection's event loop.
 */
final class RequestBuffers {

    /** A payload of at least this many bytes that has arrived whole is not copied out of the receive buffer. */
    private static final int LEAST_SLICE = 64 << 10;

    private final ByteBufAllocator allocator;
    private final ConnectionCredit credit;
    private final int dataStart;

    /** Bytes of credit that the next request waits for; 0 when it does not. */
    private long wants;

    /**
     * Of one connection.
     *
     * @param dataStart where a read's data starts in its reply
     */
    RequestBuffers(ByteBufAllocator allocator, ConnectionCredit credit, int dataStart) {
        this.allocator = allocator;
        this.credit = credit;
        this.dataStart = dataStart;
    }

    /** What a request's buffer takes, in bytes. */
    long bytes(Command command, long length) {
        return switch (command) {
            case READ -> length == 0 ? 0 : dataStart + length;
            case WRITE -> length;
            case BLOCK_STATUS ->
                ReplyWriter.BLOCK_STATUS_SIZE + TransmissionPhase.MAX_EXTENTS * ReplyWriter.EXTENT_SIZE;
            case FLUSH, TRIM, CACHE, WRITE_ZEROES -> 0;
        };
    }

    /**
     * Whether a payload can stay where it arrived. It keeps the whole receive buffer from being used again, and that is paid for
     * then; when credit is short the payload is copied.
     */
    boolean takeSlice(@Nullable Command command, ByteBuf in, long bytes) {
        return command == Command.WRITE
                && bytes >= LEAST_SLICE
                && in.readableBytes() >= REQUEST_SIZE + bytes
                && credit.takeNow(in.capacity());
    }

    /** Pays for the buffer of the request at the beginning of {@code in}, which has to wait if there is no credit. */
    boolean pay(@Nullable Command command, ByteBuf in, long bytes) {
        boolean toCome = command == Command.WRITE && in.readableBytes() < REQUEST_SIZE + bytes;
        boolean paid = bytes == 0 || credit.take(bytes, toCome);
        wants = paid ? 0 : bytes;
        return paid;
    }

    /** Whether there is credit for the request that had to wait, or none had to. */
    boolean mayPay() {
        return wants == 0 || credit.mayTake(wants);
    }

    /** A direct buffer, or null when the system has no memory left: the process may have it, or there would be no credit. */
    @Nullable
    ByteBuf allocate(int bytes) {
        try {
            return allocator.directBuffer(bytes, bytes);
        } catch (OutOfMemoryError e) {
            return null;
        }
    }
}
