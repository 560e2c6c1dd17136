package io.leapnbd.bypass.spill;

import io.leapnbd.donor.memory.MappedMemory;
import io.leapnbd.donor.protocol.Protocol;
import java.io.IOException;

/**
 * Memory that one loop's requests to the spill go through: the disk takes whole blocks from where blocks begin, and clients' buffers may be taken
 * away while it is at work. Reserved at once, and as much as there ever is. For the loop's thread.
 */
public final class SpillBuffers implements AutoCloseable {

    /** Of three pages, and one more for {@code FileBackedStore}: two pages that do not begin where one does. */
    private static final int SMALL = 4 * DirectFile.BLOCK;

    private static final int SMALL_COUNT = 32;

    /** Of as much as a request may have. */
    private static final int LARGE = Protocol.MAX_PAYLOAD + 4 * DirectFile.BLOCK;

    private static final int LARGE_COUNT = 2;

    /** Answer if there is none. */
    public static final long NONE = 0;

    private final MappedMemory memory;
    private final long[] small = new long[SMALL_COUNT];
    private final long[] large = new long[LARGE_COUNT];
    private int smallFree;
    private int largeFree;

    /** Reserves and locks it, as far as that is permitted. */
    public SpillBuffers() throws IOException {
        long length = (long) SMALL * SMALL_COUNT + (long) LARGE * LARGE_COUNT;
        memory = MappedMemory.reserve(length, false);
        String _ = memory.lock(0, length);
        memory.populate(0, length);
        long at = memory.address();
        for (; smallFree < SMALL_COUNT; smallFree++, at += SMALL) {
            small[smallFree] = at;
        }
        for (; largeFree < LARGE_COUNT; largeFree++, at += LARGE) {
            large[largeFree] = at;
        }
    }

    /** Requests that can be under way at a time, at most. */
    public int count() {
        return SMALL_COUNT + LARGE_COUNT;
    }

    /** Whether there is one for a range. */
    public boolean has(int offset, int length) {
        return isSmall(offset, length) ? smallFree > 0 : largeFree > 0;
    }

    /** One for a range, {@link #NONE} if there is none; to be given back with the same range. */
    public long take(int offset, int length) {
        if (isSmall(offset, length)) {
            return smallFree == 0 ? NONE : small[--smallFree];
        }
        return largeFree == 0 ? NONE : large[--largeFree];
    }

    /** Gives one back. */
    public void giveBack(long buffer, int offset, int length) {
        if (isSmall(offset, length)) {
            small[smallFree++] = buffer;
        } else {
            large[largeFree++] = buffer;
        }
    }

    private static boolean isSmall(int offset, int length) {
        return (offset & DirectFile.BLOCK - 1) + length <= SMALL - DirectFile.BLOCK;
    }

    @Override
    public void close() {
        memory.close();
    }
}
