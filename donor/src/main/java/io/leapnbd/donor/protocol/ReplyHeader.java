package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;

/**
 * A reply's header, as a flyweight over a buffer.
 *
 * <pre>
 *  0         1         2                   4                                       8
 * +---------+---------+-------------------+---------------------------------------+
 * |operation| status  |    wanted back    |                cookie                 |
 * +---------+---------+-------------------+---------------------------------------+
 * |                payload                |              free slabs               |
 * +---------------------------------------+---------------------------------------+
 * </pre>
 *
 * <p>Every reply tells how many slabs the donor has free, so that a server places new ones by fresh numbers without asking. And it tells how many
 * of those that it has lent the donor wants back.
 */
public final class ReplyHeader {

    /** Bytes of the header. */
    public static final int LENGTH = 16;

    private static final int OPERATION = 0;
    private static final int STATUS = 1;
    private static final int WANTED_BACK = 2;
    private static final int COOKIE = 4;
    private static final int PAYLOAD = 8;
    private static final int FREE_SLABS = 12;

    private ReplyHeader() {}

    /** More slabs than this are wanted back as if they were so many. */
    public static final int MAX_WANTED_BACK = 0xffff;

    /** Encodes a whole header at {@code at}, of a donor that wants nothing back; the buffer's indices stay as they are. */
    public static void encode(
            ByteBuf buf, int at, byte operation, byte status, int cookie, int payload, int freeSlabs) {
        buf.setInt(at + OPERATION, operation << 24 | (status & 0xff) << 16);
        buf.setInt(at + COOKIE, cookie);
        buf.setInt(at + PAYLOAD, payload);
        buf.setInt(at + FREE_SLABS, freeSlabs);
    }

    /** Says how many slabs are wanted back, in a header that is encoded. */
    public static void setWantedBack(ByteBuf buf, int at, int slabs) {
        buf.setShort(at + WANTED_BACK, Math.min(slabs, MAX_WANTED_BACK));
    }

    /** The operation of the request that this answers. */
    public static byte operation(ByteBuf buf, int at) {
        return buf.getByte(at + OPERATION);
    }

    /** One of {@link Status}. */
    public static byte status(ByteBuf buf, int at) {
        return buf.getByte(at + STATUS);
    }

    /** The cookie of the request that this answers. */
    public static int cookie(ByteBuf buf, int at) {
        return buf.getInt(at + COOKIE);
    }

    /** Bytes that follow the header; negative or above {@link Protocol#MAX_PAYLOAD} breaks the protocol. */
    public static int payload(ByteBuf buf, int at) {
        return buf.getInt(at + PAYLOAD);
    }

    /** How many of the slabs that it has lent, to whomever, the donor wants back; 0 to {@link #MAX_WANTED_BACK}. */
    public static int wantedBack(ByteBuf buf, int at) {
        return buf.getUnsignedShort(at + WANTED_BACK);
    }

    /** Slabs that the donor could grant now. */
    public static int freeSlabs(ByteBuf buf, int at) {
        return buf.getInt(at + FREE_SLABS);
    }
}
