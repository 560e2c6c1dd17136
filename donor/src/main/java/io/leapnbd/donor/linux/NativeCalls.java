package io.leapnbd.donor.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Functions of one native library, each called by name with longs and ints; pointers are longs. For what happens a few times
 * in the life of a connection: every call looks its function up and brings its own place for {@code errno}.
 */
public final class NativeCalls {

    private static final Linker LINKER = Linker.nativeLinker();
    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(PathElement.groupElement("errno"));
    private static final ThreadLocal<int[]> LAST_ERROR = ThreadLocal.withInitial(() -> new int[1]);

    private final SymbolLookup symbols;
    private final Map<String, MethodHandle> handles = new HashMap<>();

    private NativeCalls(SymbolLookup symbols) {
        this.symbols = symbols;
    }

    /** The C library. */
    public static NativeCalls system() {
        return new NativeCalls(LINKER.defaultLookup());
    }

    /**
     * A library of the system.
     *
     * @throws IOException if it cannot be loaded
     */
    @SuppressWarnings("restricted")
    public static NativeCalls load(String library) throws IOException {
        try {
            return new NativeCalls(SymbolLookup.libraryLookup(library, Arena.global()));
        } catch (IllegalArgumentException e) {
            throw new IOException(library + " is not installed", e);
        }
    }

    /** Whether the library has it. */
    public boolean has(String function) {
        return symbols.find(function).isPresent();
    }

    /** Calls a function that answers a pointer. */
    public long pointer(String function, Object... arguments) {
        return (long) call(JAVA_LONG, function, arguments);
    }

    /** Calls a function that answers an int. */
    public int integer(String function, Object... arguments) {
        return (int) call(JAVA_INT, function, arguments);
    }

    /** The {@code errno} of this thread's last call. */
    public static int lastError() {
        return LAST_ERROR.get()[0];
    }

    private Object call(ValueLayout result, String function, Object[] arguments) {
        MethodHandle handle = find(result, function, arguments);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(Linker.Option.captureStateLayout());
            Object[] all = new Object[arguments.length + 1];
            all[0] = state;
            System.arraycopy(arguments, 0, all, 1, arguments.length);
            Object answer = handle.invokeWithArguments(all);
            LAST_ERROR.get()[0] = (int) ERRNO.get(state, 0L);
            return answer;
        } catch (Throwable e) {
            throw new AssertionError(function + " through the linker", e);
        }
    }

    @SuppressWarnings("restricted")
    private synchronized MethodHandle find(ValueLayout result, String function, Object[] arguments) {
        return handles.computeIfAbsent(function, name -> {
            MemoryLayout[] layouts = Arrays.stream(arguments)
                    .map(argument -> argument instanceof Long ? JAVA_LONG : JAVA_INT)
                    .toArray(MemoryLayout[]::new);
            return LINKER.downcallHandle(
                    symbols.findOrThrow(name),
                    FunctionDescriptor.of(result, layouts),
                    Linker.Option.captureCallState("errno"));
        });
    }
}
