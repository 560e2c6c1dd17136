package io.leapnbd.donor.verbs;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** On which processors the calling thread runs: bits of a mask, of the first 64. */
public final class Processors {

    private Processors() {}

    /** Sets them; 0, or -1. */
    public static int setAffinity(long mask) {
        return affinity("sched_setaffinity", mask)[0] < 0 ? -1 : 0;
    }

    /** Those that it may run on. */
    public static long affinity() {
        return affinity("sched_getaffinity", 0)[1];
    }

    private static long[] affinity(String call, long mask) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment words = arena.allocate(JAVA_LONG, 16);
            words.set(JAVA_LONG, 0, mask);
            int result = NativeCalls.system().integer(call, 0, words.byteSize(), words.address());
            return new long[] {result, words.get(JAVA_LONG, 0)};
        }
    }
}
