package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * The body of the reply to a list: some of an export's slabs, by growing index. Of primitive arrays, as an export may hold a million.
 * Not for several threads at a time while it is filled.
 */
public final class SlabList {

    /** Bytes of a list without slabs. */
    public static final int FIXED_LENGTH = 8;

    /** Bytes of the entry of a slab that was never placed, the shortest. */
    public static final int ENTRY_LENGTH = entryLength(false, SlabCopies.ALONE);

    private static final int TOUCHED = 1;
    private static final int PLACED = 1;
    private static final int FIRST_CAPACITY = 16;

    private int[] indices;
    private int[] handles;
    private long[] generations;
    private final BitSet touched = new BitSet();

    /** Null as long as no slab was placed: then these are the generations. */
    private long @Nullable [] grantVersions;

    /** Null as long as each slab is the only copy. */
    private @Nullable SlabCopies @Nullable [] copies;

    private int size;
    private int encodedLength = FIXED_LENGTH;
    private boolean more;

    /** An empty list, which does not go on. */
    public SlabList() {
        this(FIRST_CAPACITY);
    }

    private SlabList(int capacity) {
        indices = new int[capacity];
        handles = new int[capacity];
        generations = new long[capacity];
    }

    /**
     * Bytes of a slab's entry.
     *
     * @param placed whether its generation is not that of its grant any more
     */
    public static int entryLength(boolean placed, SlabCopies its) {
        return 4 + 4 + 8 + 1 + 1 + its.encodedLength() + (placed ? Long.BYTES : 0);
    }

    /**
     * Appends a slab, with an index above that of the last.
     *
     * @param grantVersion version of its grant
     * @param generation that version, or a higher one of the last placement
     * @param used whether a write or trim has ever reached it
     */
    public void add(int index, int handle, long grantVersion, long generation, boolean used, SlabCopies its) {
        if (size == indices.length) {
            int capacity = Math.max(FIRST_CAPACITY, 2 * size);
            indices = Arrays.copyOf(indices, capacity);
            handles = Arrays.copyOf(handles, capacity);
            generations = Arrays.copyOf(generations, capacity);
            grantVersions = grantVersions == null ? null : Arrays.copyOf(grantVersions, capacity);
            copies = copies == null ? null : Arrays.copyOf(copies, capacity);
        }
        if (grantVersions == null && grantVersion != generation) {
            grantVersions = generations.clone();
        }
        if (grantVersions != null) {
            grantVersions[size] = grantVersion;
        }
        if (!its.equals(SlabCopies.ALONE)) {
            if (copies == null) {
                copies = new SlabCopies[indices.length];
            }
            copies[size] = its;
        }
        indices[size] = index;
        handles[size] = handle;
        generations[size] = generation;
        touched.set(size, used);
        size++;
        encodedLength += entryLength(grantVersion != generation, its);
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

    /** Version of its grant: with process and handle, which slab it is. */
    public long grantVersion(int at) {
        return grantVersions == null ? generations[at] : grantVersions[at];
    }

    /** Of its grant, or of the last that it was placed in. */
    public long generation(int at) {
        return generations[at];
    }

    /** Whether a write or trim has ever reached it. One that was granted in vain was not. */
    public boolean touched(int at) {
        return touched.get(at);
    }

    /** Whether it is live, and which copies there are. */
    public SlabCopies copies(int at) {
        SlabCopies its = copies == null ? null : copies[at];
        return its == null ? SlabCopies.ALONE : its;
    }

    /** Bytes of the body. */
    public int encodedLength() {
        return encodedLength;
    }

    /** Appends the body. */
    public void encode(ByteBuf out) {
        out.writeInt(size);
        out.writeInt(more ? 1 : 0);
        for (int i = 0; i < size; i++) {
            out.writeInt(indices[i]);
            out.writeInt(handles[i]);
            out.writeLong(generations[i]);
            out.writeByte(touched.get(i) ? TOUCHED : 0);
            boolean placed = grantVersion(i) != generations[i];
            out.writeByte(placed ? PLACED : 0);
            copies(i).encode(out);
            if (placed) {
                out.writeLong(grantVersion(i));
            }
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
        if (count < 0 || (long) count * ENTRY_LENGTH > in.readableBytes()) {
            throw new ProtocolException("slab list of " + count + " entries in " + in.readableBytes() + " bytes");
        }
        if (more && count == 0) {
            throw new ProtocolException("slab list that is empty and goes on");
        }
        SlabList list = new SlabList(count);
        list.more = more;
        int last = -1;
        for (int i = 0; i < count; i++) {
            Fields.require(in, ENTRY_LENGTH, "a slab's entry");
            int index = in.readInt();
            if (index <= last) {
                throw new ProtocolException("slab list with index " + index + " after " + last);
            }
            last = index;
            int handle = in.readInt();
            long generation = in.readLong();
            boolean used = (in.readByte() & TOUCHED) != 0;
            boolean placed = (in.readByte() & PLACED) != 0;
            SlabCopies its = SlabCopies.decode(in);
            long grantVersion = placed ? readGrantVersion(in) : generation;
            if (handle < 1 || grantVersion < 1 || grantVersion > generation) {
                throw new ProtocolException(
                        "slab " + handle + " of grant " + grantVersion + " in generation " + generation);
            }
            list.add(index, handle, grantVersion, generation, used, its);
        }
        if (in.isReadable()) {
            throw new ProtocolException(
                    "slab list with " + in.readableBytes() + " bytes behind its " + count + " entries");
        }
        return list;
    }

    private static long readGrantVersion(ByteBuf in) throws ProtocolException {
        Fields.require(in, Long.BYTES, "the version of a slab's grant");
        return in.readLong();
    }

    @Override
    public String toString() {
        return size + " slabs" + (more ? ", and more" : "");
    }
}
