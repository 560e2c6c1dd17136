package io.leapnbd.bypass.path;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;

/**
 * Where answers go that no client's buffer is for: a bounded number of buffers for hedges, by size class, and one place for all answers that nobody wants any more.
 * Made at the start. For one loop's thread; allocates nothing after that.
 */
final class HedgeBuffers {

    /** No buffer is free. */
    static final int NONE = -1;

    /** The longest read that is hedged: what the kernel reads ahead. */
    static final int LONGEST = 128 << 10;

    /** Bytes of a buffer of each class. Nearly all reads of a swap device are of the first two. */
    private static final int[] SIZES = {8 << 10, 32 << 10, LONGEST};

    private static final int[] COUNTS = {32, 8, 4};
    private static final int MOST = COUNTS[0] + COUNTS[1] + COUNTS[2];

    /** Bytes of them all. */
    static final int BYTES = LONGEST + COUNTS[0] * SIZES[0] + COUNTS[1] * SIZES[1] + COUNTS[2] * SIZES[2];

    private final ByteBuf unwanted;
    private final ByteBuf[] buffers = new ByteBuf[MOST];
    private final int[][] free = new int[SIZES.length][];
    private final int[] freeCounts = COUNTS.clone();

    HedgeBuffers() {
        // Zeroed, and so touched: it is there when memory is short.
        ByteBuffer memory = ByteBuffer.allocateDirect(BYTES);
        int at = 0;
        int number = 0;
        for (int size = 0; size < SIZES.length; size++) {
            free[size] = new int[COUNTS[size]];
            for (int i = 0; i < COUNTS[size]; i++) {
                buffers[number] = Unpooled.wrappedBuffer(memory.slice(at, SIZES[size]));
                at += SIZES[size];
                free[size][i] = number++;
            }
        }
        unwanted = Unpooled.wrappedBuffer(memory.slice(at, LONGEST));
    }

    /** How many size classes there are. */
    static int classes() {
        return SIZES.length;
    }

    /** The size class of a read of so many bytes, {@link #LONGEST} at most. */
    static int classOf(int length) {
        return length <= SIZES[0] ? 0 : length <= SIZES[1] ? 1 : 2;
    }

    /** Whether one is free for a read of so many bytes. */
    boolean any(int length) {
        return freeCounts[classOf(length)] > 0;
    }

    /** Takes a buffer for a read; its number, or {@link #NONE}. */
    int take(int length) {
        int size = classOf(length);
        return freeCounts[size] == 0 ? NONE : free[size][--freeCounts[size]];
    }

    /** The buffer of a number. */
    ByteBuf get(int number) {
        return buffers[number];
    }

    /** Gives a buffer back that no request names any more. */
    void give(int number) {
        int size = classOf(buffers[number].capacity());
        free[size][freeCounts[size]++] = number;
    }

    /** Whether all are free. */
    boolean allFree() {
        return freeCounts[0] == COUNTS[0] && freeCounts[1] == COUNTS[1] && freeCounts[2] == COUNTS[2];
    }

    /** Where answers go, from the first byte on, that nobody wants any more. Nobody reads it. */
    ByteBuf unwanted() {
        return unwanted;
    }
}
