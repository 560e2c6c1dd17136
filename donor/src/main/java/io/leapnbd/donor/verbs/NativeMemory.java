package io.leapnbd.donor.verbs;

import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** Fields of structures that the libraries own, by address. An address that is not one of theirs ends the process. */
final class NativeMemory {

    @SuppressWarnings("restricted")
    private static final MemorySegment EVERYTHING = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private NativeMemory() {}

    static long getLong(long address) {
        return EVERYTHING.get(ValueLayout.JAVA_LONG_UNALIGNED, address);
    }

    static int getInt(long address) {
        return EVERYTHING.get(ValueLayout.JAVA_INT_UNALIGNED, address);
    }

    static void putInt(long address, int value) {
        EVERYTHING.set(ValueLayout.JAVA_INT_UNALIGNED, address, value);
    }

    static void putLong(long address, long value) {
        EVERYTHING.set(ValueLayout.JAVA_LONG_UNALIGNED, address, value);
    }

    static void copy(long from, long to, long length) {
        MemorySegment.copy(EVERYTHING, from, EVERYTHING, to, length);
    }

    static void copyOut(long from, byte[] to) {
        MemorySegment.copy(EVERYTHING, ValueLayout.JAVA_BYTE, from, to, 0, to.length);
    }

    /** A pointer, or a long, of the structure at {@code address}. */
    static long getLong(long address, StructLayout struct, String field) {
        return getLong(address + VerbsLayout.offset(struct, field));
    }

    static int getInt(long address, StructLayout struct, String field) {
        return getInt(address + VerbsLayout.offset(struct, field));
    }

    static void set(MemorySegment struct, StructLayout layout, String field, long value) {
        struct.set(ValueLayout.JAVA_LONG, VerbsLayout.offset(layout, field), value);
    }

    static void set(MemorySegment struct, StructLayout layout, String field, int value) {
        struct.set(ValueLayout.JAVA_INT, VerbsLayout.offset(layout, field), value);
    }

    static void set(MemorySegment struct, StructLayout layout, String field, short value) {
        struct.set(ValueLayout.JAVA_SHORT, VerbsLayout.offset(layout, field), value);
    }

    static void set(MemorySegment struct, StructLayout layout, String field, byte value) {
        struct.set(ValueLayout.JAVA_BYTE, VerbsLayout.offset(layout, field), value);
    }

    static int getInt(MemorySegment struct, StructLayout layout, String field) {
        return struct.get(ValueLayout.JAVA_INT, layout.byteOffset(PathElement.groupElement(field)));
    }

    static long getLong(MemorySegment struct, StructLayout layout, String field) {
        return struct.get(ValueLayout.JAVA_LONG, layout.byteOffset(PathElement.groupElement(field)));
    }
}
