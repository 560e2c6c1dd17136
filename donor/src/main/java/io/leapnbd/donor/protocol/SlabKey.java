package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;

/**
 * The body of the reply to {@link Operation#EXPOSE}: where a slab's memory is for RDMA reads.
 *
 * @param address of its first byte
 * @param length bytes of the slab
 * @param key remote key of the memory region
 */
public record SlabKey(long address, int length, int key) {

    /** Bytes of the body. */
    public static final int LENGTH = 8 + 4 + 4;

    /** Appends the body. */
    public void encode(ByteBuf out) {
        out.writeLong(address);
        out.writeInt(length);
        out.writeInt(key);
    }

    /** Reads the body at {@code at}; the buffer's indices stay as they are. */
    public static SlabKey decode(ByteBuf in, int at) {
        return new SlabKey(in.getLong(at), in.getInt(at + 8), in.getInt(at + 12));
    }
}
