package io.leapnbd.donor.verbs;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.leapnbd.donor.linux.NativeCalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** What is done with descriptors that the libraries have opened. */
final class Descriptors {

    private static final short POLLIN = 1;
    private static final int O_NONBLOCK = 04000;
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final NativeCalls C = NativeCalls.system();

    private Descriptors() {}

    /** Whether there is something to read, waiting {@code millis} for it; negative for ever. */
    static boolean readable(int descriptor, int millis) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment poll = arena.allocate(JAVA_INT, 2);
            poll.set(JAVA_INT, 0, descriptor);
            poll.set(JAVA_SHORT, 4, POLLIN);
            return C.integer("poll", poll.address(), 1L, millis) > 0;
        }
    }

    /** Has reads answer at once that there is nothing. */
    static void unblock(int descriptor) throws IOException {
        int flags = C.integer("fcntl", descriptor, F_GETFL, 0);
        Answers.notNegative("fcntl", C.integer("fcntl", descriptor, F_SETFL, flags | O_NONBLOCK));
    }

    /** Whether a descriptor is open. */
    static boolean open(int descriptor) {
        return descriptor >= 0 && C.integer("fcntl", descriptor, 1, 0) >= 0;
    }
}
