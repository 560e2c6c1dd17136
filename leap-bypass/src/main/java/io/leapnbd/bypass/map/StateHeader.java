package io.leapnbd.bypass.map;

import io.leapnbd.bypass.cipher.CipherKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * What a state file says of itself.
 *
 * <pre>
 *  0 magic  8 version  12 slab shift  16 sequence  24 size  32 content  48 owner  64 claimer
 *  80 term  88 boot  104 clean  108 cipher  112 sum of rows and bitmaps  120 sum of all before
 * </pre>
 *
 * <p>A file has two headers. The one with the higher sequence counts.
 *
 * @param sequence 0 or more; grows by one with every header that is written
 * @param size bytes of the device
 * @param slabShift binary logarithm of the slab size
 * @param cipher how pages are encrypted; never changes
 * @param content contents whose slabs the rows name; {@link #NOBODY} if there are none
 * @param owner server whose map this is; {@link #NOBODY} if there is none
 * @param claimer server that began to take over with this file, and has not ended; {@link #NOBODY} if there is none
 * @param term the higher of the owner's term and the claimer's; 0 if there is neither
 * @param boot boot of the machine in which the file was last opened to be changed
 * @param clean whether the file was closed in good order since then
 * @param cleanSum if it was: checksum of rows, bitmaps and seals
 */
public record StateHeader(
        long sequence,
        long size,
        int slabShift,
        CipherKind cipher,
        UUID content,
        UUID owner,
        UUID claimer,
        long term,
        UUID boot,
        boolean clean,
        long cleanSum) {

    /** No server, or no contents. */
    public static final UUID NOBODY = new UUID(0, 0);

    /** "LEAPMAP" and the layout's first byte: every version begins with it. */
    static final long MAGIC = 0x4C45_4150_4D41_5031L;

    /** Layout of this version. */
    static final int VERSION = 5;

    static final int AT_VERSION = 8;

    private static final int AT_SUM = 120;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

    static StateHeader blank(long size, int slabShift, CipherKind cipher) {
        return new StateHeader(0, size, slabShift, cipher, NOBODY, NOBODY, NOBODY, 0, NOBODY, false, 0);
    }

    /** The header in some bytes; null if there is none, or it is not whole. */
    static @Nullable StateHeader read(MemorySegment from) {
        if (from.get(LONG, 0) != MAGIC || from.get(INT, AT_VERSION) != VERSION || from.get(INT, AT_SUM) != sum(from)) {
            return null;
        }
        CipherKind cipher;
        try {
            cipher = CipherKind.of(from.get(INT, 108));
        } catch (IllegalArgumentException e) {
            return null;
        }
        return new StateHeader(
                from.get(LONG, 16),
                from.get(LONG, 24),
                from.get(INT, 12),
                cipher,
                uuid(from, 32),
                uuid(from, 48),
                uuid(from, 64),
                from.get(LONG, 80),
                uuid(from, 88),
                from.get(INT, 104) != 0,
                from.get(LONG, 112));
    }

    void write(MemorySegment to) {
        to.set(LONG, 0, MAGIC);
        to.set(INT, AT_VERSION, VERSION);
        to.set(INT, 12, slabShift);
        to.set(LONG, 16, sequence);
        to.set(LONG, 24, size);
        put(to, 32, content);
        put(to, 48, owner);
        put(to, 64, claimer);
        to.set(LONG, 80, term);
        put(to, 88, boot);
        to.set(INT, 104, clean ? 1 : 0);
        to.set(INT, 108, cipher.number());
        to.set(LONG, 112, cleanSum);
        to.set(INT, AT_SUM, sum(to));
    }

    StateHeader withSequence(long next) {
        return new StateHeader(next, size, slabShift, cipher, content, owner, claimer, term, boot, clean, cleanSum);
    }

    StateHeader withClaimer(UUID instance, long higher, UUID now) {
        return new StateHeader(
                sequence, size, slabShift, cipher, content, owner, instance, Math.max(term, higher), now, false, 0);
    }

    StateHeader withOwner(UUID instance, UUID contents, long higher, UUID now) {
        return new StateHeader(
                sequence, size, slabShift, cipher, contents, instance, NOBODY, Math.max(term, higher), now, false, 0);
    }

    StateHeader withClean(long sum) {
        return new StateHeader(sequence, size, slabShift, cipher, content, owner, claimer, term, boot, true, sum);
    }

    private static int sum(MemorySegment header) {
        CRC32C sum = new CRC32C();
        sum.update(header.asSlice(0, AT_SUM).asByteBuffer());
        return (int) sum.getValue();
    }

    private static UUID uuid(MemorySegment from, long at) {
        return new UUID(from.get(LONG, at), from.get(LONG, at + 8));
    }

    private static void put(MemorySegment to, long at, UUID id) {
        to.set(LONG, at, id.getMostSignificantBits());
        to.set(LONG, at + 8, id.getLeastSignificantBits());
    }
}
