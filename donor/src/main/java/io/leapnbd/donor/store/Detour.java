package io.leapnbd.donor.store;

import io.leapnbd.donor.memory.RawMemory;
import io.netty.buffer.ByteBuf;
import java.lang.foreign.Arena;

/** The way of bytes to and from buffers that have no address, on the heap or composite: over a copy outside the heap. */
final class Detour {

    private Detour() {}

    static boolean read(Slab slab, int offset, int length, ByteBuf into, int index) {
        try (Arena arena = Arena.ofConfined()) {
            long copy = arena.allocate(Math.max(1, length)).address();
            if (!SlabPages.read(slab, offset, length, copy)) {
                return false;
            }
            RawMemory.copyTo(copy, into, index, length);
            return true;
        }
    }

    static int write(Slab slab, Claim claim, int offset, int length, long version, ByteBuf from, int index) {
        try (Arena arena = Arena.ofConfined()) {
            long copy = arena.allocate(Math.max(1, length)).address();
            RawMemory.copyFrom(from, index, copy, length);
            return SlabPages.write(slab, claim, offset, length, version, copy);
        }
    }
}
