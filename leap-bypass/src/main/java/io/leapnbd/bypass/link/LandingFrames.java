package io.leapnbd.bypass.link;

import io.netty.buffer.ByteBuf;

/**
 * Where a device puts what it reads for requests that may be called off at any time ({@link LinkRequest#calledOffAnyTime}): a read by a device cannot be recalled, so it must not end in a client's
 * buffer. What has come is copied by the loop. One loop's, for its links to all donors; registered with the devices. For the loop's thread.
 */
public final class LandingFrames {

    /** Bytes of a frame: what most reads of a swap device fit. A copy of as much takes about as long as asking for it. */
    static final int SIZE = 16 << 10;

    private static final int COUNT = 64;

    /** Bytes of them all. */
    public static final int BYTES = COUNT * SIZE;

    /** No frame. */
    static final int NONE = -1;

    private final ByteBuf memory;
    private final int[] free = new int[COUNT];
    private int freeCount = COUNT;

    /**
     * In so much memory.
     *
     * @param memory {@link #BYTES} bytes, which stay where they are
     */
    public LandingFrames(ByteBuf memory) {
        this.memory = memory;
        for (int i = 0; i < COUNT; i++) {
            free[i] = i;
        }
    }

    /** Takes a frame for so many bytes; {@link #NONE} if none is free, or they do not fit. */
    int take(int length) {
        return length > SIZE || freeCount == 0 ? NONE : free[--freeCount];
    }

    /** Where a frame is. */
    long address(int frame) {
        return memory.memoryAddress() + (long) frame * SIZE;
    }

    /** Copies what has come. */
    void copy(int frame, int length, ByteBuf into, int index) {
        into.setBytes(index, memory, frame * SIZE, length);
    }

    /** Gives a frame back in which no device writes any more. */
    void give(int frame) {
        free[freeCount++] = frame;
    }

    /** Whether all are free. */
    boolean allFree() {
        return freeCount == COUNT;
    }
}
