package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;

/**
 * A request's header, as a flyweight over a buffer.
 *
 * <pre>
 *  0         1         2                   4                                       8
 * +---------+---------+-------------------+---------------------------------------+
 * |operation|  flags  |    reserved (0)   |                cookie                 |
 * +---------+---------+-------------------+---------------------------------------+
 * |       slab (handle, or index)         |                offset                 |
 * +---------------------------------------+---------------------------------------+
 * |                length                 |                payload                |
 * +---------------------------------------+---------------------------------------+
 * |                                    version                                    |
 * +-------------------------------------------------------------------------------+
 * </pre>
 */
public final class RequestHeader {

    /** Bytes of the header. */
    public static final int LENGTH = 32;

    /** Flag of {@link Operation#GRANT}: the slab is filling, not live. No other is defined. */
    public static final byte FILLING = 1;

    private static final int OPERATION = 0;
    private static final int FLAGS = 1;
    private static final int COOKIE = 4;
    private static final int SLAB = 8;
    private static final int OFFSET = 12;
    private static final int RANGE_LENGTH = 16;
    private static final int PAYLOAD = 20;
    private static final int VERSION = 24;

    private RequestHeader() {}

    /** Encodes a whole header without flags at {@code at}; the buffer's indices stay as they are. */
    public static void encode(
            ByteBuf buf,
            int at,
            byte operation,
            int cookie,
            int slab,
            int offset,
            int length,
            int payload,
            long version) {
        buf.setInt(at + OPERATION, operation << 24);
        buf.setInt(at + COOKIE, cookie);
        buf.setInt(at + SLAB, slab);
        buf.setInt(at + OFFSET, offset);
        buf.setInt(at + RANGE_LENGTH, length);
        buf.setInt(at + PAYLOAD, payload);
        buf.setLong(at + VERSION, version);
    }

    /** Sets the flags of a header that is encoded. */
    public static void setFlags(ByteBuf buf, int at, byte flags) {
        buf.setByte(at + FLAGS, flags);
    }

    /** One of {@link Operation}, or something a newer peer knows. */
    public static byte operation(ByteBuf buf, int at) {
        return buf.getByte(at + OPERATION);
    }

    /** Zero, or {@link #FILLING} of a grant; anything else is a bad request. */
    public static byte flags(ByteBuf buf, int at) {
        return buf.getByte(at + FLAGS);
    }

    /** Chosen by the server, opaque to the donor. */
    public static int cookie(ByteBuf buf, int at) {
        return buf.getInt(at + COOKIE);
    }

    /** A slab's handle, or its index in the device. */
    public static int slab(ByteBuf buf, int at) {
        return buf.getInt(at + SLAB);
    }

    /** First byte within the slab; negative is out of range. */
    public static int offset(ByteBuf buf, int at) {
        return buf.getInt(at + OFFSET);
    }

    /** Bytes of the range; negative or above {@link Protocol#MAX_SLAB_SIZE} is out of range. */
    public static int length(ByteBuf buf, int at) {
        return buf.getInt(at + RANGE_LENGTH);
    }

    /** Bytes that follow the header; negative or above {@link Protocol#MAX_PAYLOAD} is a bad request. */
    public static int payload(ByteBuf buf, int at) {
        return buf.getInt(at + PAYLOAD);
    }

    /** See {@link Version}. */
    public static long version(ByteBuf buf, int at) {
        return buf.getLong(at + VERSION);
    }
}
