package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import java.util.BitSet;

/**
 * The body of the reply to a list: some of an export's slabs, by growing index. Of primitive arrays, as an export may hold a million.
 * Not for several threads at a time while it is filled.
 */
public final class SlabList {

    /** Bytes of one slab's entry. */
    public static final int ENTRY_LENGTH = 4 + 4 + 8 + 4;

    private static final int FIXED_LENGTH = 8;
    private static final int TOUCHED = 1;
    private static final int FIRST_CAPACITY = 16;

    private int[] indices;
    private int[] handles;
    private long[] grantVersions;
    private final BitSet touched = new BitSet();
    private int size;
    private boolean more;

    /** An empty list, which does not go on. */
    public SlabList() {
        this(FIRST_CAPACITY);
    }

    private SlabList(int capacity) {
        indices = new int[capacity];
        handles = new int[capacity];
        grantVersions = new long[capacity];
    }

    /** How many entries a payload of so many bytes holds. */
    public static int maxEntries(int payload) {
        return (payload - FIXED_LENGTH) / ENTRY_LENGTH;
    }

    /** Appends a slab, with an index above that of the last. */
    public void add(int index, int handle, long grantVersion, boolean used) {
        if (size == indices.length) {
            int capacity = Math.max(FIRST_CAPACITY, 2 * size);
            indices = Arrays.copyOf(indices, capacity);
            handles = Arrays.copyOf(handles, capacity);
            grantVersions = Arrays.copyOf(grantVersions, capacity);
        }
        indices[size] = index;
        handles[size] = handle;
        grantVersions[size] = grantVersion;
        touched.set(size, used);
        size++;
    }

    /** Says whether slabs with higher indices follow. */
    public void more(boolean follow) {
        more = follow;
    }

    /** Whether slabs with higher indices follow; ask again from the last index + 1 on. */
    public boolean more() {
        return more;
    }

    /** How many slabs this reply tells. */
    public int size() {
        return size;
    }

    /** Which part of the device the slab holds; {@code at} from 0 to {@link #size} - 1. */
    public int index(int at) {
        return indices[at];
    }

    /** What requests call it. */
    public int handle(int at) {
        return handles[at];
    }

    /** Version of the grant; of two slabs for one index of the same contents the higher is the one in use. */
    public long grantVersion(int at) {
        return grantVersions[at];
    }

    /** Whether a write or trim has ever reached it. One that was granted in vain was not. */
    public boolean touched(int at) {
        return touched.get(at);
    }

    /** Bytes of the body. */
    public int encodedLength() {
        return FIXED_LENGTH + size * ENTRY_LENGTH;
    }

    /** Appends the body. */
    public void encode(ByteBuf out) {
        out.writeInt(size);
        out.writeInt(more ? 1 : 0);
        for (int i = 0; i < size; i++) {
            out.writeInt(indices[i]);
            out.writeInt(handles[i]);
            out.writeLong(grantVersions[i]);
            out.writeInt(touched.get(i) ? TOUCHED : 0);
        }
    }

    /**
     * Reads a body that fills the rest of {@code in}.
     *
     * @throws ProtocolException if it is not one, if its indices do not grow, or if it is empty and goes on: so a server that asks
     *     on comes to an end
     */
    public static SlabList decode(ByteBuf in) throws ProtocolException {
        Fields.require(in, FIXED_LENGTH, "a slab list");
        int count = in.readInt();
        boolean more = in.readInt() != 0;
        if (count < 0 || (long) count * ENTRY_LENGTH != in.readableBytes()) {
            throw new ProtocolException("slab list of " + count + " entries in " + in.readableBytes() + " bytes");
        }
        if (more && count == 0) {
            throw new ProtocolException("slab list that is empty and goes on");
        }
        SlabList list = new SlabList(count);
        list.more = more;
        int last = -1;
        for (int i = 0; i < count; i++) {
            int index = in.readInt();
            if (index <= last) {
                throw new ProtocolException("slab list with index " + index + " after " + last);
            }
            last = index;
            list.add(index, in.readInt(), in.readLong(), (in.readInt() & TOUCHED) != 0);
        }
        return list;
    }

    @Override
    public String toString() {
        return size + " slabs" + (more ? ", and more" : "");
    }
}
