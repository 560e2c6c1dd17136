package io.leapnbd.donor.memory;

import io.netty.buffer.ByteBuf;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * Loads, stores and copies at plain addresses, allocating nothing. An address that is not mapped ends the process, so callers
 * check every range before they come here.
 *
 * <p>One segment that spans the whole address space stands for memory; the addresses are offsets into it. A segment for each
 * slab would be an object to make, or to look up, for every request.
 */
public final class RawMemory {

    @SuppressWarnings("restricted")
    private static final MemorySegment EVERYTHING = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();

    private static final int ZEROS_LENGTH = 1 << 16;

    /** Zeros to copy from: {@code fill} needs a slice, which is an object. */
    private static final long ZEROS =
            Arena.global().allocate(ZEROS_LENGTH, 4096).address();

    private RawMemory() {}

    /** Copies bytes between ranges that do not overlap. */
    public static void copy(long from, long to, long length) {
        MemorySegment.copy(EVERYTHING, from, EVERYTHING, to, length);
    }

    /** Makes a range zeros. */
    public static void zero(long address, long length) {
        for (long done = 0; done < length; done += ZEROS_LENGTH) {
            copy(ZEROS, address + done, Math.min(ZEROS_LENGTH, length - done));
        }
    }

    /** Copies {@code length} bytes of a buffer, from {@code index} on, to {@code to}. For buffers without an address; slow. */
    public static void copyFrom(ByteBuf from, int index, long to, int length) {
        from.getBytes(index, EVERYTHING.asSlice(to, length).asByteBuffer());
    }

    /** Copies {@code length} bytes at {@code from} into a buffer, from {@code index} on. For buffers without an address; slow. */
    public static void copyTo(long from, ByteBuf to, int index, int length) {
        to.setBytes(index, EVERYTHING.asSlice(from, length).asByteBuffer());
    }

    /** Copies {@code length} bytes at {@code from} to the beginning of an array. */
    public static void copyToArray(long from, byte[] to, int length) {
        MemorySegment.copy(EVERYTHING, ValueLayout.JAVA_BYTE, from, to, 0, length);
    }

    /** Copies {@code length} bytes of an array, from {@code index} on, to {@code to}. */
    public static void copyFromArray(byte[] from, int index, long to, int length) {
        MemorySegment.copy(from, index, EVERYTHING, ValueLayout.JAVA_BYTE, to, length);
    }

    /** Eight bytes, in the order of this machine; the address need not be aligned. */
    public static long get(long address) {
        return EVERYTHING.get(ValueLayout.JAVA_LONG_UNALIGNED, address);
    }

    /** Writes eight bytes likewise. */
    public static void put(long address, long value) {
        EVERYTHING.set(ValueLayout.JAVA_LONG_UNALIGNED, address, value);
    }

    /** Whether a range is zeros; a multiple of 8 bytes long. */
    public static boolean isZero(long address, long length) {
        for (long at = address; at < address + length; at += Long.BYTES) {
            if (get(at) != 0) {
                return false;
            }
        }
        return true;
    }

    /** A word of 8 bytes at an aligned address, as a volatile field is read. */
    public static long getVolatile(long address) {
        return (long) WORD.getVolatile(EVERYTHING, address);
    }

    /** Writes a word so that whoever reads it sees what was written before. */
    public static void setRelease(long address, long value) {
        WORD.setRelease(EVERYTHING, address, value);
    }

    /** Replaces a word if it is what it is expected to be, as a volatile access. */
    public static boolean compareAndSet(long address, long expected, long value) {
        return WORD.compareAndSet(EVERYTHING, address, expected, value);
    }

    /** Writes a word's own value to it in one step, so that its page of memory becomes resident. */
    static void touch(long address) {
        long ignored = (long) WORD.getAndAdd(EVERYTHING, address, 0L);
    }
}
