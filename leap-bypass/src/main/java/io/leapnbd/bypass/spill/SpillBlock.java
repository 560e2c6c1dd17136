package io.leapnbd.bypass.spill;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * A piece of a spill file's own records: memory to be written or read at once, with a checksum over it.
 *
 * <pre>
 *  0 magic (8)  8 checksum of the rest (4)  12 length (4)  16 sequence (8)  24 contents
 * </pre>
 *
 * <p>Each record has two places. The older one is overwritten, and counts when it is whole: so a kill in the middle leaves the one before.
 */
final class SpillBlock {

    private static final int AT_SUM = 8;
    private static final int AT_LENGTH = 12;
    private static final int AT_SEQUENCE = 16;
    private static final int AT_CONTENTS = 24;

    private final MemorySegment memory;
    private final ByteBuffer bytes;
    private final CRC32C sum = new CRC32C();

    /** In a range of memory whose address and length are multiples of {@link DirectFile#BLOCK}. */
    SpillBlock(MemorySegment memory) {
        this.memory = memory;
        bytes = memory.asByteBuffer().order(ByteOrder.BIG_ENDIAN);
    }

    long address() {
        return memory.address();
    }

    /** The contents, to be put or got. */
    ByteBuffer bytes() {
        return bytes;
    }

    /** Begins a record. */
    ByteBuffer begin(long magic, long sequence) {
        memory.fill((byte) 0);
        return bytes.clear().putLong(0, magic).putLong(AT_SEQUENCE, sequence).position(AT_CONTENTS);
    }

    /** Ends it; answers how many bytes are to be written, a multiple of {@link DirectFile#BLOCK}. */
    int end() {
        int length = bytes.position();
        bytes.putInt(AT_LENGTH, length);
        bytes.putInt(AT_SUM, sumOf(length));
        return Math.ceilDiv(length, DirectFile.BLOCK) * DirectFile.BLOCK;
    }

    /** The sequence of the record of this kind that this holds, ready to be got; negative if it holds none that is whole. */
    long open(long magic) {
        int length = bytes.clear().getInt(AT_LENGTH);
        if (bytes.getLong(0) != magic
                || length < AT_CONTENTS
                || length > bytes.capacity()
                || bytes.getInt(AT_SUM) != sumOf(length)) {
            return -1;
        }
        bytes.limit(length).position(AT_CONTENTS);
        return bytes.getLong(AT_SEQUENCE);
    }

    /** Whether it begins like a record of this kind, whole or not. */
    boolean looksLike(long magic) {
        return bytes.clear().getLong(0) == magic;
    }

    boolean isZero() {
        bytes.clear();
        while (bytes.remaining() >= Long.BYTES) {
            if (bytes.getLong() != 0) {
                return false;
            }
        }
        return true;
    }

    private int sumOf(int length) {
        sum.reset();
        sum.update(bytes.duplicate().limit(length).position(AT_LENGTH));
        return (int) sum.getValue();
    }

    static void put(ByteBuffer to, UUID number) {
        to.putLong(number.getMostSignificantBits()).putLong(number.getLeastSignificantBits());
    }

    static UUID uuid(ByteBuffer from) {
        return new UUID(from.getLong(), from.getLong());
    }

    static void put(ByteBuffer to, String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        to.putInt(utf8.length).put(utf8);
    }

    static String text(ByteBuffer from) {
        byte[] utf8 = new byte[from.getInt()];
        from.get(utf8);
        return new String(utf8, StandardCharsets.UTF_8);
    }

    @Override
    public @Nullable String toString() {
        return bytes.toString();
    }
}
