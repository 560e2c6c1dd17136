package io.leapnbd.tools.linux;

import java.lang.foreign.Arena;

/** {@code mlockall(2)}: nothing of this process is ever paged out. Lost over {@code execve} and not inherited by fork. */
public final class MemoryLock {
    private static final int MCL_CURRENT = 1;
    private static final int MCL_FUTURE = 2;

    private MemoryLock() {}

    /** Locks everything that is mapped and everything that will be. */
    public static void lockAll() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            new SystemCalls(arena).require(Call.MLOCKALL, MCL_CURRENT | MCL_FUTURE);
        }
    }

    public static void unlockAll() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            new SystemCalls(arena).require(Call.MUNLOCKALL, 0);
        }
    }
}
