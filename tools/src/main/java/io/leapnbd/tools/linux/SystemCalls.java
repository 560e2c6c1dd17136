package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Every system call goes through one downcall: libc's {@code syscall(2)} with six integer arguments.
 *
 * <p>One handle instead of one a function, because linking a handle costs tens of milliseconds and a class of its own,
 * and because nothing new has to be loaded when a call is made for the first time while the machine is short of memory.
 * A pointer is passed as {@link MemorySegment#address()}; its arena must outlive the call, so arenas here are closed
 * explicitly and never left to the garbage collector.
 *
 * <p>Results follow the kernel's own convention: zero or more, or the negated error number. Nothing is allocated by a
 * call. An instance belongs to one thread at a time.
 */
public final class SystemCalls {
    private static final MethodHandle SYSCALL = link();
    private static final long ERRNO_OFFSET = Linker.Option.captureStateLayout()
            .byteOffset(java.lang.foreign.MemoryLayout.PathElement.groupElement("errno"));

    private final MemorySegment state;

    /** {@code arena} owns the four bytes into which the error number is captured. */
    public SystemCalls(Arena arena) {
        state = arena.allocate(Linker.Option.captureStateLayout());
    }

    @SuppressWarnings("restricted") // the one native entry point of this package
    private static MethodHandle link() {
        Linker linker = Linker.nativeLinker();
        MemorySegment symbol = linker.defaultLookup().findOrThrow("syscall");
        return linker.downcallHandle(
                symbol,
                FunctionDescriptor.of(
                        JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                Linker.Option.firstVariadicArg(1),
                Linker.Option.captureCallState("errno"));
    }

    long call(Call call) {
        return call(call, 0, 0, 0, 0, 0, 0);
    }

    long call(Call call, long a) {
        return call(call, a, 0, 0, 0, 0, 0);
    }

    long call(Call call, long a, long b) {
        return call(call, a, b, 0, 0, 0, 0);
    }

    long call(Call call, long a, long b, long c) {
        return call(call, a, b, c, 0, 0, 0);
    }

    long call(Call call, long a, long b, long c, long d) {
        return call(call, a, b, c, d, 0, 0);
    }

    long call(Call call, long a, long b, long c, long d, long e) {
        return call(call, a, b, c, d, e, 0);
    }

    /** Makes the call; returns its result, or {@code -errno}. */
    long call(Call call, long a, long b, long c, long d, long e, long f) {
        long result;
        try {
            result = (long) SYSCALL.invokeExact(state, (long) call.number(), a, b, c, d, e, f);
        } catch (Throwable t) {
            throw new IllegalStateException("the foreign call failed before it reached the kernel", t);
        }
        return result == -1 ? -(long) state.get(JAVA_INT, ERRNO_OFFSET) : result;
    }

    /** As {@link #call(Call, long, long, long, long, long, long)}, but an error number becomes an exception. */
    long require(Call call, long a, long b, long c, long d, long e, long f) throws LinuxException {
        long result = call(call, a, b, c, d, e, f);
        if (result < 0) {
            throw new LinuxException(call.label(), (int) -result);
        }
        return result;
    }

    long require(Call call, long a, long b, long c, long d, long e) throws LinuxException {
        return require(call, a, b, c, d, e, 0);
    }

    long require(Call call, long a, long b, long c, long d) throws LinuxException {
        return require(call, a, b, c, d, 0, 0);
    }

    long require(Call call, long a, long b, long c) throws LinuxException {
        return require(call, a, b, c, 0, 0, 0);
    }

    long require(Call call, long a, long b) throws LinuxException {
        return require(call, a, b, 0, 0, 0, 0);
    }

    long require(Call call, long a) throws LinuxException {
        return require(call, a, 0, 0, 0, 0, 0);
    }

    /** A null-terminated array of C strings, as {@code execve} wants it. */
    static MemorySegment strings(Arena arena, java.util.List<String> values) {
        MemorySegment array = arena.allocate(ADDRESS, values.size() + 1L);
        for (int i = 0; i < values.size(); i++) {
            array.setAtIndex(ADDRESS, i, arena.allocateFrom(values.get(i)));
        }
        array.setAtIndex(ADDRESS, values.size(), MemorySegment.NULL);
        return array;
    }
}
