package io.leapnbd.tools.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Writes one generic netlink message (linux/netlink.h, linux/genetlink.h), host byte order, attributes padded to four
 * bytes:
 *
 * <pre>
 *   nlmsghdr   0 length u32   4 type u16   6 flags u16   8 sequence u32   12 port u32
 *   genlmsghdr 16 command u8  17 version u8  18 reserved u16
 *   nlattr     0 length u16 (without padding)  2 type u16  4 payload
 * </pre>
 */
public final class NetlinkWriter {
    static final int HEADER = 16;
    static final int GENERIC_HEADER = 20;
    static final int ATTRIBUTE_HEADER = 4;
    static final int NLM_F_REQUEST = 1;
    static final int NLM_F_ACK = 4;
    private static final int NLA_F_NESTED = 0x8000;

    private final ByteBuffer out;

    /** Writes into {@code out}, from its start; what does not fit throws {@link java.nio.BufferOverflowException}. */
    public NetlinkWriter(ByteBuffer out) {
        this.out = out.order(ByteOrder.nativeOrder());
    }

    /** Starts a request that asks for an acknowledgement. */
    public NetlinkWriter begin(int family, int sequence, int command, int version) {
        out.clear();
        out.putInt(0).putShort((short) family).putShort((short) (NLM_F_REQUEST | NLM_F_ACK));
        out.putInt(sequence).putInt(0);
        out.put((byte) command).put((byte) version).putShort((short) 0);
        return this;
    }

    public NetlinkWriter u32(int type, int value) {
        attribute(type, 4);
        out.putInt(value);
        return this;
    }

    public NetlinkWriter u64(int type, long value) {
        attribute(type, 8);
        out.putLong(value);
        return this;
    }

    /** A zero-terminated string. */
    public NetlinkWriter string(int type, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        attribute(type, bytes.length + 1);
        out.put(bytes).put((byte) 0);
        pad();
        return this;
    }

    /** Opens a nested attribute; returns where, for {@link #end}. */
    public int nest(int type) {
        int start = out.position();
        attribute(type | NLA_F_NESTED, 0);
        return start;
    }

    /** Closes the nested attribute that {@link #nest} opened at {@code start}. */
    public NetlinkWriter end(int start) {
        out.putShort(start, (short) (out.position() - start));
        return this;
    }

    /** Completes the message; the buffer is ready to be read. */
    public ByteBuffer finish() {
        out.putInt(0, out.position());
        return out.flip();
    }

    private void attribute(int type, int payload) {
        out.putShort((short) (ATTRIBUTE_HEADER + payload)).putShort((short) type);
    }

    private void pad() {
        while (out.position() % 4 != 0) {
            out.put((byte) 0);
        }
    }
}
