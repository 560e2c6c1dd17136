package io.leapnbd.bypass.path;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Slabs of which something was trimmed, so that their memory may be of no use any more: a bit each. A slab that is to keep its memory, as a client
 * has asked for zeroes without a hole, is none. Any thread.
 */
final class TrimmedSlabs {

    private final AtomicLongArray bits;

    TrimmedSlabs(int slabs) {
        bits = new AtomicLongArray((slabs + Long.SIZE - 1) / Long.SIZE);
    }

    /** Something of it was trimmed. */
    void add(int slab) {
        long bit = 1L << slab;
        if ((bits.get(slab >>> 6) & bit) == 0) {
            long _ = bits.accumulateAndGet(slab >>> 6, bit, (before, more) -> before | more);
        }
    }

    /** It is to keep its memory, or was looked at. */
    void remove(int slab) {
        long bit = 1L << slab;
        if ((bits.get(slab >>> 6) & bit) != 0) {
            long _ = bits.accumulateAndGet(slab >>> 6, bit, (before, less) -> before & ~less);
        }
    }

    /** The first one from here on; -1 if there is none. */
    int next(int from) {
        for (int word = from >>> 6; word < bits.length(); word++) {
            long left = bits.get(word) & (word == from >>> 6 ? -1L << from : -1L);
            if (left != 0) {
                return (word << 6) + Long.numberOfTrailingZeros(left);
            }
        }
        return -1;
    }
}
