package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * The body of the reply to a list: some of an export's slabs, by growing index.
 *
 * @param more whether slabs with higher indices follow; ask again from the last index + 1 on
 * @param slabs what this reply tells
 */
public record SlabList(boolean more, List<Slab> slabs) {

    private static final int FIXED_LENGTH = 8;

    /**
     * One slab.
     *
     * @param index which part of the device it holds
     * @param handle what requests call it
     * @param grantVersion version of the grant; of two slabs for one index the higher is the one in use
     * @param written a bit for each page that was written and not trimmed since
     */
    public record Slab(int index, int handle, long grantVersion, BitSet written) {}

    /** Bytes of one slab's entry. */
    public static int entryLength(int slabSize) {
        return 16 + bitmapLength(slabSize);
    }

    /** How many entries a frame can hold. */
    public static int maxEntries(int slabSize) {
        return (Protocol.MAX_PAYLOAD - FIXED_LENGTH) / entryLength(slabSize);
    }

    /** Bytes of the body. */
    public int encodedLength(int slabSize) {
        return FIXED_LENGTH + slabs.size() * entryLength(slabSize);
    }

    /** Appends the body. */
    public void encode(ByteBuf out, int slabSize) {
        out.writeInt(slabs.size());
        out.writeInt(more ? 1 : 0);
        for (Slab slab : slabs) {
            out.writeInt(slab.index);
            out.writeInt(slab.handle);
            out.writeLong(slab.grantVersion);
            byte[] bits = slab.written.toByteArray();
            out.writeBytes(bits);
            out.writeZero(bitmapLength(slabSize) - bits.length);
        }
    }

    /**
     * Reads a body that fills the rest of {@code in}.
     *
     * @throws ProtocolException if it is not one
     */
    public static SlabList decode(ByteBuf in, int slabSize) throws ProtocolException {
        if (in.readableBytes() < FIXED_LENGTH) {
            throw new ProtocolException("slab list of " + in.readableBytes() + " bytes is too short");
        }
        int count = in.readInt();
        boolean more = in.readInt() != 0;
        if (count < 0 || (long) count * entryLength(slabSize) != in.readableBytes()) {
            throw new ProtocolException("slab list of " + count + " entries in " + in.readableBytes() + " bytes");
        }
        if (more && count == 0) {
            throw new ProtocolException("slab list that is empty and goes on");
        }
        List<Slab> slabs = new ArrayList<>(count);
        byte[] bits = new byte[bitmapLength(slabSize)];
        for (int i = 0; i < count; i++) {
            int index = in.readInt();
            int handle = in.readInt();
            long grantVersion = in.readLong();
            in.readBytes(bits);
            slabs.add(new Slab(index, handle, grantVersion, BitSet.valueOf(bits)));
        }
        return new SlabList(more, slabs);
    }

    private static int bitmapLength(int slabSize) {
        return slabSize / Protocol.PAGE_SIZE / Byte.SIZE;
    }
}
