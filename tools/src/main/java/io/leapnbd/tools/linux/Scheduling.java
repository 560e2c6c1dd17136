package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The scheduling class of a thread. Besides the processor, a realtime class gives a thread's allocations in the kernel
 * access to part of the memory reserves (6.1: {@code rt_task()} in {@code gfp_to_alloc_flags}).
 */
public final class Scheduling {
    /** The time-sharing class. */
    public static final int OTHER = 0;

    public static final int FIFO = 1;
    /** Realtime, round robin among equals. */
    public static final int RR = 2;

    private static final int SCHED_RESET_ON_FORK = 0x4000_0000;

    private Scheduling() {}

    /** The class of thread {@code tid}, 0 being the calling one: {@link #OTHER}, {@link #FIFO}, {@link #RR} or another. */
    public static int of(int tid) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            return (int) new SystemCalls(arena).require(Call.SCHED_GETSCHEDULER, tid) & ~SCHED_RESET_ON_FORK;
        }
    }

    /**
     * Sets the class of thread {@code tid}, 0 being the calling one. Needs the capability SYS_NICE for a realtime class.
     *
     * @param priority 1 to 99 for a realtime class, else 0
     */
    public static void set(int tid, int policy, int priority) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment param = arena.allocateFrom(JAVA_INT, priority);
            new SystemCalls(arena).require(Call.SCHED_SETSCHEDULER, tid, policy, param.address());
        }
    }

    public static boolean isRealtime(int policy) {
        return policy == FIFO || policy == RR;
    }
}
