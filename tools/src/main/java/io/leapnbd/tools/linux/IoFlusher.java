package io.leapnbd.tools.linux;

import java.lang.foreign.Arena;

/**
 * {@code prctl(PR_SET_IO_FLUSHER)} (Linux 5.6, capability SYS_RESOURCE): memory that the kernel allocates for this task
 * is never waited for by writing pages out, which would wait for this very task.
 *
 * <p>It belongs to one thread, is inherited by threads and processes that it starts, and is kept over {@code execve}. So
 * only a launcher that sets it before it executes the JVM reaches all of the JVM's threads; what is set here reaches the
 * calling thread and those it starts.
 */
public final class IoFlusher {
    static final int PR_SET_IO_FLUSHER = 57;
    static final int PR_GET_IO_FLUSHER = 58;

    private IoFlusher() {}

    /** Whether the calling thread has it. */
    public static boolean isSet() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            return new SystemCalls(arena).require(Call.PRCTL, PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1;
        }
    }

    /** Sets or clears it for the calling thread. */
    public static void set(boolean on) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            new SystemCalls(arena).require(Call.PRCTL, PR_SET_IO_FLUSHER, on ? 1 : 0, 0, 0, 0);
        }
    }
}
