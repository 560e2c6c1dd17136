package io.leapnbd.donor.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * For how long this machine has been suspended since it was started, in nanoseconds. {@code CLOCK_MONOTONIC}, which {@link
 * System#nanoTime} reads, stands still in a suspend, and {@code CLOCK_BOOTTIME} goes on; see clock_gettime(2).
 *
 * <p>An answer may be too high, by the time between the two looks at the clocks, and is never too low. Both are answered by the
 * kernel's vDSO, without a system call, wherever {@link System#nanoTime} is. Nothing is allocated. For one thread.
 */
public final class SuspendedTime implements LongSupplier {

    private static final int CLOCK_MONOTONIC = 1;
    private static final int CLOCK_BOOTTIME = 7;
    private static final int TIMESPEC = 16;

    @SuppressWarnings("restricted")
    private static final MethodHandle CLOCK_GETTIME = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("clock_gettime"),
                    FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS),
                    Linker.Option.critical(false));

    private final MemorySegment timespec = Arena.ofAuto().allocate(TIMESPEC, Long.BYTES);

    /** Looks at nothing yet. */
    public SuspendedTime() {}

    @Override
    public long getAsLong() {
        long awake = read(CLOCK_MONOTONIC);
        return read(CLOCK_BOOTTIME) - awake;
    }

    private long read(int clock) {
        int failed;
        try {
            failed = (int) CLOCK_GETTIME.invokeExact(clock, timespec);
        } catch (Throwable e) {
            throw new IllegalStateException("clock_gettime cannot be called", e);
        }
        if (failed != 0) {
            throw new IllegalStateException("the kernel has no clock " + clock);
        }
        return TimeUnit.SECONDS.toNanos(timespec.get(JAVA_LONG, 0)) + timespec.get(JAVA_LONG, Long.BYTES);
    }
}
