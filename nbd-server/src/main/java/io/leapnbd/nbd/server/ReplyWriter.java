package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.*;

import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;

/**
 * Encodes replies ("Simple reply message", "Structured reply chunk message"). A reply with data is one buffer: the header
 * goes in front of what the device has put there. Replies without are gathered by the {@link ReplyOutput}, and leave behind
 * those with data; the protocol leaves the order to the server.
 *
 * <p>When structured replies were negotiated, reads and block status are answered with one chunk that is also the last,
 * errors with an error chunk, and everything else with a simple reply, which the protocol permits and which is shorter.
 */
final class ReplyWriter {

    /** Bytes of a block status chunk before its extents: the header and the context's number. */
    static final int BLOCK_STATUS_SIZE = CHUNK_SIZE + Integer.BYTES;

    static final int EXTENT_SIZE = 2 * Integer.BYTES;

    /** Bytes of an error chunk without a message: the header, the error and the message's length. */
    private static final int ERROR_CHUNK_SIZE = CHUNK_SIZE + Integer.BYTES + Short.BYTES;

    private final ReplyOutput output;
    private final boolean structured;

    ReplyWriter(ReplyOutput output, boolean structured) {
        this.output = output;
        this.structured = structured;
    }

    /** Where a read's data starts in its reply. */
    int dataStart() {
        return structured ? OFFSET_DATA_SIZE : SIMPLE_REPLY_SIZE;
    }

    /** A success without data. */
    void done(long cookie) {
        shortSimple(0, cookie);
    }

    /** A read of no bytes: a structured one has no content chunk, since that must not be empty. */
    void noData(long cookie) {
        if (structured) {
            ByteBuf replies = output.shortReply(CHUNK_SIZE);
            int at = replies.writerIndex();
            chunk(replies, at, CHUNK_NONE, cookie, 0).writerIndex(at + CHUNK_SIZE);
        } else {
            done(cookie);
        }
    }

    void error(long cookie, int error) {
        if (structured) {
            ByteBuf replies = output.shortReply(ERROR_CHUNK_SIZE);
            int at = replies.writerIndex();
            chunk(replies, at, CHUNK_ERROR, cookie, ERROR_CHUNK_SIZE - CHUNK_SIZE)
                    .setInt(at + CHUNK_SIZE, error)
                    .setShort(at + CHUNK_SIZE + Integer.BYTES, 0)
                    .writerIndex(at + ERROR_CHUNK_SIZE);
        } else {
            shortSimple(error, cookie);
        }
    }

    /** An error at a byte of the device; -1 if it is not known where. */
    void error(long cookie, int error, long offset) {
        if (structured && offset >= 0) {
            ByteBuf replies = output.shortReply(ERROR_CHUNK_SIZE + Long.BYTES);
            int at = replies.writerIndex();
            chunk(replies, at, CHUNK_ERROR_OFFSET, cookie, ERROR_CHUNK_SIZE + Long.BYTES - CHUNK_SIZE)
                    .setInt(at + CHUNK_SIZE, error)
                    .setShort(at + CHUNK_SIZE + Integer.BYTES, 0)
                    .setLong(at + ERROR_CHUNK_SIZE, offset)
                    .writerIndex(at + ERROR_CHUNK_SIZE + Long.BYTES);
        } else {
            error(cookie, error);
        }
    }

    private void shortSimple(int error, long cookie) {
        ByteBuf replies = output.shortReply(SIMPLE_REPLY_SIZE);
        int at = replies.writerIndex();
        simple(replies, at, error, cookie).writerIndex(at + SIMPLE_REPLY_SIZE);
    }

    /** A read's data, which the device has put at {@link #dataStart}. Takes {@code reply} over. */
    void data(ByteBuf reply, long cookie, long offset, int length) {
        if (structured) {
            chunk(reply, 0, CHUNK_OFFSET_DATA, cookie, Long.BYTES + length).setLong(CHUNK_SIZE, offset);
        } else {
            simple(reply, 0, 0, cookie);
        }
        output.write(reply.writerIndex(dataStart() + length));
    }

    /** A block status, whose extents are in place. Takes {@code reply} over. */
    void blockStatus(ByteBuf reply, long cookie, int context, int extents) {
        int length = Integer.BYTES + extents * EXTENT_SIZE;
        chunk(reply, 0, CHUNK_BLOCK_STATUS, cookie, length).setInt(CHUNK_SIZE, context);
        output.write(reply.writerIndex(CHUNK_SIZE + length));
    }

    static void setExtent(ByteBuf reply, int index, long length, int flags) {
        int at = BLOCK_STATUS_SIZE + index * EXTENT_SIZE;
        reply.setInt(at, (int) length).setInt(at + Integer.BYTES, flags);
    }

    /**
     * What goes on the wire for an error from a device. Only numbers of the protocol do, and never ESHUTDOWN; whatever
     * else a device says is an I/O error.
     */
    static int onTheWire(int error) {
        for (NbdError known : NbdError.values()) {
            if (known.code() == error) {
                return error;
            }
        }
        return NbdError.EIO.code();
    }

    private static ByteBuf simple(ByteBuf reply, int at, int error, long cookie) {
        return reply.setInt(at, SIMPLE_REPLY_MAGIC).setInt(at + 4, error).setLong(at + 8, cookie);
    }

    private static ByteBuf chunk(ByteBuf reply, int at, int type, long cookie, int length) {
        return reply.setInt(at, STRUCTURED_REPLY_MAGIC)
                .setShort(at + 4, CHUNK_FLAG_DONE)
                .setShort(at + 6, type)
                .setLong(at + 8, cookie)
                .setInt(at + 16, length);
    }
}
