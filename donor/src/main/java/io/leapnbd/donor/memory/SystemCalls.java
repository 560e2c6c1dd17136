package io.leapnbd.donor.memory;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * The C library's calls on memory. Each answers 0, or the error number. None is made on the way of a page, so each brings its
 * own place for {@code errno}.
 */
final class SystemCalls {

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CALL_STATE.varHandle(PathElement.groupElement("errno"));

    private static final MethodHandle MMAP = find(
            "mmap", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MUNMAP = find("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MPROTECT =
            find("mprotect", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MADVISE =
            find("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MLOCK2 =
            find("mlock2", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MUNLOCK = find("munlock", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle GETRLIMIT = find("getrlimit", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));

    private SystemCalls() {}

    /** The address of a new private anonymous mapping; negative error number if there is none. */
    static long mmap(long length, int protection, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(CALL_STATE);
            long address = (long) MMAP.invokeExact(state, 0L, length, protection, flags, -1, 0L);
            return address == -1 ? -errno(state) : address;
        } catch (Throwable e) {
            throw new AssertionError("mmap through the linker", e);
        }
    }

    static int munmap(long address, long length) {
        return call(MUNMAP, address, length);
    }

    static int munlock(long address, long length) {
        return call(MUNLOCK, address, length);
    }

    static int mprotect(long address, long length, int protection) {
        return call(MPROTECT, address, length, protection);
    }

    static int madvise(long address, long length, int advice) {
        return call(MADVISE, address, length, advice);
    }

    static int mlock2(long address, long length, int flags) {
        return call(MLOCK2, address, length, flags);
    }

    /** The soft limit of a resource; -1 if there is none or it cannot be read. */
    static long softLimit(int resource) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment limits = arena.allocate(JAVA_LONG, 2);
            MemorySegment state = arena.allocate(CALL_STATE);
            int result = (int) GETRLIMIT.invokeExact(state, resource, limits);
            return result == 0 ? limits.getAtIndex(JAVA_LONG, 0) : -1;
        } catch (Throwable e) {
            throw new AssertionError("getrlimit through the linker", e);
        }
    }

    private static int call(MethodHandle function, long address, long length) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(CALL_STATE);
            int result = (int) function.invokeExact(state, address, length);
            return result == 0 ? 0 : errno(state);
        } catch (Throwable e) {
            throw new AssertionError("a call through the linker", e);
        }
    }

    private static int call(MethodHandle function, long address, long length, int argument) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(CALL_STATE);
            int result = (int) function.invokeExact(state, address, length, argument);
            return result == 0 ? 0 : errno(state);
        } catch (Throwable e) {
            throw new AssertionError("a call through the linker", e);
        }
    }

    private static int errno(MemorySegment state) {
        return (int) ERRNO.get(state, 0L);
    }

    @SuppressWarnings("restricted")
    private static MethodHandle find(String name, FunctionDescriptor descriptor) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name), descriptor, Linker.Option.captureCallState("errno"));
    }
}
