package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** SIGHUP, which a process gets when the terminal or ssh session that it was started from ends. */
public final class Hangup {
    private static final int SIGHUP = 1;
    private static final long SIG_IGN = 1;
    /** The kernel's {@code struct sigaction}: handler, flags, restorer and mask, of eight bytes each. */
    private static final long SIGACTION = 32;

    private static final long SIGNAL_SET = 8;

    private Hangup() {}

    /** From now on this process, and every child that it starts, ignores it; by default a JVM ends. */
    public static void ignore() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment action = arena.allocate(SIGACTION, 8);
            action.set(JAVA_LONG, 0, SIG_IGN);
            new SystemCalls(arena).require(Call.RT_SIGACTION, SIGHUP, action.address(), 0, SIGNAL_SET);
        }
    }
}
