package io.leapnbd.tools.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Walks over netlink attributes (see {@link NetlinkWriter} for the layout):
 *
 * <pre>
 *   NetlinkReader attributes = ...;
 *   while (attributes.next()) switch (attributes.type()) { ... attributes.u32() ... attributes.nested() ... }
 * </pre>
 *
 * An attribute that claims to be longer than what holds it ends the walk.
 */
public final class NetlinkReader {
    private static final int TYPE_MASK = 0x3fff;

    private final ByteBuffer in;
    private int next;
    private int payload;
    private int length;
    private int type;

    /** Walks over the remaining bytes of {@code attributes}. */
    public NetlinkReader(ByteBuffer attributes) {
        in = attributes.slice().order(ByteOrder.nativeOrder());
    }

    /** Moves to the next attribute, if there is one. */
    public boolean next() {
        if (in.limit() - next < NetlinkWriter.ATTRIBUTE_HEADER) {
            return false;
        }
        int size = Short.toUnsignedInt(in.getShort(next));
        if (size < NetlinkWriter.ATTRIBUTE_HEADER || size > in.limit() - next) {
            return false;
        }
        type = Short.toUnsignedInt(in.getShort(next + 2)) & TYPE_MASK;
        payload = next + NetlinkWriter.ATTRIBUTE_HEADER;
        length = size - NetlinkWriter.ATTRIBUTE_HEADER;
        next += size + 3 & ~3;
        return true;
    }

    public int type() {
        return type;
    }

    public int u8() {
        return Byte.toUnsignedInt(in.get(payload));
    }

    public int u16() {
        return Short.toUnsignedInt(in.getShort(payload));
    }

    public int u32() {
        return in.getInt(payload);
    }

    /** A string, without the zero byte that ends it. */
    public String string() {
        byte[] bytes = new byte[length];
        in.get(payload, bytes);
        int end = 0;
        while (end < length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, 0, end, StandardCharsets.UTF_8);
    }

    /** The attributes within this one. */
    public NetlinkReader nested() {
        return new NetlinkReader(in.slice(payload, length));
    }
}
