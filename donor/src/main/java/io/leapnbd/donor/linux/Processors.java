package io.leapnbd.donor.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/** On which processors the calling thread may run (sched_setaffinity(2)). */
public final class Processors {

    /** Bits of a set as the kernel takes it: more than it can be built for. */
    private static final int MASK_BITS = 8192;

    private static final NativeCalls C = NativeCalls.system();

    private Processors() {}

    /**
     * Those that the calling thread may run on, by their numbers, ascending; at least one. What its cgroup's cpuset leaves out is not
     * among them.
     */
    public static int[] allowed() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment words = arena.allocate(MASK_BITS / Byte.SIZE, Long.BYTES);
            if (C.integer("sched_getaffinity", 0, words.byteSize(), words.address()) < 0) {
                throw new IllegalStateException("the kernel does not say which processors this thread may use: error "
                        + NativeCalls.lastError());
            }
            return BitSet.valueOf(words.toArray(JAVA_LONG)).stream().toArray();
        }
    }

    /**
     * Binds the calling thread, and those that it will start, to one processor.
     *
     * @return whether it is bound; not if there is no such processor, or if it is not among those of the thread's cgroup
     */
    public static boolean pin(int processor) {
        BitSet one = new BitSet();
        one.set(processor);
        return set(one);
    }

    /** Binds the calling thread to those of a mask: bit n is processor n, of the first 64. 0, or -1. */
    public static int setAffinity(long mask) {
        return set(BitSet.valueOf(new long[] {mask})) ? 0 : -1;
    }

    /** A mask of those that the calling thread may run on, of the first 64. */
    public static long affinity() {
        long mask = 0;
        for (int processor : allowed()) {
            mask |= processor < Long.SIZE ? 1L << processor : 0;
        }
        return mask;
    }

    private static boolean set(BitSet processors) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment words = arena.allocate(MASK_BITS / Byte.SIZE, Long.BYTES);
            MemorySegment.copy(
                    MemorySegment.ofArray(processors.toLongArray()), 0, words, 0, (processors.length() + 63) / 64 * 8L);
            return C.integer("sched_setaffinity", 0, words.byteSize(), words.address()) == 0;
        }
    }
}
