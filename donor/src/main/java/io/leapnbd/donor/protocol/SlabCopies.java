package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;

/**
 * What a donor is told of the copies of a slab's part of the device, of which its own slab is one: whether that is live or filling, and
 * the <i>names</i>, which are those of the live copies. {@code docs/replicas.md} says what for. Immutable; a set of names has no order.
 *
 * <p>The body of a {@link Operation#PLACE}, and a part of an entry of a {@link SlabList}: state, number of names, {@link SlabName#LENGTH}
 * bytes for each. A live slab without names is the only live copy. In a few words, since a donor keeps one for each slab.
 */
public final class SlabCopies {

    /** Most names. */
    public static final int MAX_NAMES = 4;

    /** Bytes of the longest body. */
    public static final int MAX_LENGTH = encodedLength(MAX_NAMES);

    /** Of a slab that is the only live copy. */
    public static final SlabCopies ALONE = new SlabCopies(false, new long[0]);

    /** Of a slab that was granted to be filled, and has not been placed. */
    public static final SlabCopies FILLING = new SlabCopies(true, new long[0]);

    private static final byte STATE_LIVE = 0;
    private static final byte STATE_FILLING = 1;

    /** Of a name: the process in two, the handle, the grant's version. */
    private static final int WORDS = 4;

    private final boolean filling;

    /** {@link #WORDS} for each name, by growing processes. */
    private final long[] names;

    private SlabCopies(boolean filling, long[] names) {
        this.filling = filling;
        this.names = names;
    }

    /**
     * Of a slab that has every acknowledged write.
     *
     * @param names of all live copies, the slab itself included: 1 to {@link #MAX_NAMES}, no two of one process
     */
    public static SlabCopies live(Collection<SlabName> names) {
        return new SlabCopies(false, words(names));
    }

    /**
     * Of a slab that does not have every acknowledged write.
     *
     * @param names of all live copies, so without the slab itself; otherwise as in {@link #live}
     */
    public static SlabCopies filling(Collection<SlabName> names) {
        return new SlabCopies(true, words(names));
    }

    private static long[] words(Collection<SlabName> names) {
        List<SlabName> sorted = new ArrayList<>(names);
        sorted.sort(Comparator.comparing(SlabName::incarnation));
        if (sorted.isEmpty() || sorted.size() > MAX_NAMES) {
            throw new IllegalArgumentException(sorted.size() + " names, not 1 to " + MAX_NAMES);
        }
        long[] words = new long[WORDS * sorted.size()];
        for (int i = 0; i < sorted.size(); i++) {
            SlabName name = sorted.get(i);
            UUID process = name.incarnation();
            if (i > 0 && process.equals(sorted.get(i - 1).incarnation())) {
                throw new IllegalArgumentException("two names of one process: " + process);
            }
            words[WORDS * i] = process.getMostSignificantBits();
            words[WORDS * i + 1] = process.getLeastSignificantBits();
            words[WORDS * i + 2] = name.handle();
            words[WORDS * i + 3] = name.grantVersion();
        }
        return words;
    }

    /** Whether the slab does not have every acknowledged write. Then no server may read it before it is placed as live. */
    public boolean filling() {
        return filling;
    }

    /** How many names there are: 0 to {@link #MAX_NAMES}. */
    public int count() {
        return names.length / WORDS;
    }

    /** The live copies, made anew; empty if the slab is the only one, or nobody has said. */
    public List<SlabName> names() {
        List<SlabName> all = new ArrayList<>(count());
        for (int i = 0; i < names.length; i += WORDS) {
            all.add(new SlabName(new UUID(names[i], names[i + 1]), (int) names[i + 2], names[i + 3]));
        }
        return Collections.unmodifiableList(all);
    }

    /** Whether a slab is one of those that are named. */
    public boolean names(SlabName slab) {
        int at = find(slab.incarnation(), slab.handle());
        return at >= 0 && names[at + 3] == slab.grantVersion();
    }

    /** Whether a slab that a process calls so, of whatever grant, is one of those that are named. */
    public boolean names(UUID incarnation, int handle) {
        return find(incarnation, handle) >= 0;
    }

    private int find(UUID incarnation, int handle) {
        for (int i = 0; i < names.length; i += WORDS) {
            if (names[i] == incarnation.getMostSignificantBits()
                    && names[i + 1] == incarnation.getLeastSignificantBits()
                    && names[i + 2] == handle) {
                return i;
            }
        }
        return -1;
    }

    /**
     * What the donor process of a slab keeps of this.
     *
     * @param own the name of that slab
     * @return {@link #ALONE} if it is the only one that is named, and live; otherwise this
     */
    public SlabCopies at(SlabName own) {
        return !filling && count() == 1 && names(own) ? ALONE : this;
    }

    /** Bytes of a body with so many names. */
    static int encodedLength(int count) {
        return 2 + SlabName.LENGTH * count;
    }

    /** Bytes of the body. */
    public int encodedLength() {
        return encodedLength(count());
    }

    /** Whether the body of a {@link Operation#PLACE} can be of so many bytes: it has a name. */
    public static boolean isPlaceLength(int bytes) {
        return bytes > encodedLength(0) && bytes <= MAX_LENGTH && (bytes - encodedLength(0)) % SlabName.LENGTH == 0;
    }

    /** Appends the body. */
    public void encode(ByteBuf out) {
        out.writeByte(filling ? STATE_FILLING : STATE_LIVE);
        out.writeByte(count());
        for (int i = 0; i < names.length; i += WORDS) {
            out.writeLong(names[i]);
            out.writeLong(names[i + 1]);
            out.writeInt((int) names[i + 2]);
            out.writeInt(0);
            out.writeLong(names[i + 3]);
        }
    }

    /**
     * Reads a body that fills the rest of {@code in}, of a {@link Operation#PLACE}.
     *
     * @throws ProtocolException if it is not one, or has no names
     */
    public static SlabCopies decodePlace(ByteBuf in) throws ProtocolException {
        SlabCopies copies = decode(in);
        if (copies.count() == 0 || in.isReadable()) {
            throw new ProtocolException(
                    "copies with " + copies.count() + " names, and " + in.readableBytes() + " bytes behind them");
        }
        return copies;
    }

    /**
     * Reads a body from {@code in}.
     *
     * @throws ProtocolException if it is not one
     */
    static SlabCopies decode(ByteBuf in) throws ProtocolException {
        Fields.require(in, encodedLength(0), "copies");
        byte state = in.readByte();
        int count = in.readUnsignedByte();
        if ((state != STATE_LIVE && state != STATE_FILLING) || count > MAX_NAMES) {
            throw new ProtocolException("copies in state " + state + " with " + count + " names");
        }
        if (count == 0) {
            return state == STATE_LIVE ? ALONE : FILLING;
        }
        Fields.require(in, SlabName.LENGTH * count, "names");
        List<SlabName> names = new ArrayList<>(count);
        try {
            for (int i = 0; i < count; i++) {
                UUID incarnation = Fields.readUuid(in);
                int handle = in.readInt();
                in.skipBytes(4);
                names.add(new SlabName(incarnation, handle, in.readLong()));
            }
            return new SlabCopies(state == STATE_FILLING, words(names));
        } catch (IllegalArgumentException e) {
            throw new ProtocolException("copies with " + e.getMessage());
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof SlabCopies its && filling == its.filling && Arrays.equals(names, its.names);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(names) + Boolean.hashCode(filling);
    }

    @Override
    public String toString() {
        return (filling ? "filling" : "live") + (count() == 0 ? ", alone" : ", of " + names());
    }
}
