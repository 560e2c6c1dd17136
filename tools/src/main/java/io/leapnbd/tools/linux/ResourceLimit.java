package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A resource limit of this process ({@code prlimit(2)}), in the resource's unit.
 *
 * @param soft what is enforced; {@link #UNLIMITED} for none
 * @param hard what an unprivileged process may raise it to
 */
public record ResourceLimit(long soft, long hard) {
    public static final long UNLIMITED = -1L;

    private static final int RLIMIT_MEMLOCK = 8;
    /** struct rlimit64: two unsigned 64-bit numbers. */
    private static final long SIZE = 16;

    private static final long SOFT = 0;
    private static final long HARD = 8;

    /** How many bytes may be locked in memory. */
    public static ResourceLimit memlock() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment old = arena.allocate(SIZE, 8);
            new SystemCalls(arena).require(Call.PRLIMIT64, 0, RLIMIT_MEMLOCK, 0, old.address(), 0);
            return new ResourceLimit(old.get(JAVA_LONG, SOFT), old.get(JAVA_LONG, HARD));
        }
    }

    /** Sets how many bytes may be locked in memory; raising the hard limit needs the capability SYS_RESOURCE. */
    public static void memlock(ResourceLimit limit) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(SIZE, 8);
            value.set(JAVA_LONG, SOFT, limit.soft);
            value.set(JAVA_LONG, HARD, limit.hard);
            new SystemCalls(arena).require(Call.PRLIMIT64, 0, RLIMIT_MEMLOCK, value.address(), 0, 0);
        }
    }
}
