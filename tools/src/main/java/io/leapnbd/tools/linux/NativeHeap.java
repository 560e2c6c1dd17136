package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * The C library's heap, which the JVM's compilers take their memory from. A compiler that runs while the machine has no page
 * left would wait for one, with locks that others want; so the heap gets its pages while there are some. It keeps them when it
 * has been told not to trim itself, as the launcher does ({@code MALLOC_TRIM_THRESHOLD_}).
 */
public final class NativeHeap {

    private static final String KEEPS_MEMORY = "MALLOC_TRIM_THRESHOLD_";

    private NativeHeap() {}

    /** Makes so many bytes of the heap resident, if it would keep them. */
    @SuppressWarnings("restricted") // functions of the C library
    public static void touch(long bytes) {
        if (System.getenv(KEEPS_MEMORY) == null) {
            return;
        }
        Linker linker = Linker.nativeLinker();
        SymbolLookup library = linker.defaultLookup();
        MethodHandle malloc =
                linker.downcallHandle(library.findOrThrow("malloc"), FunctionDescriptor.of(ADDRESS, JAVA_LONG));
        MethodHandle free = linker.downcallHandle(library.findOrThrow("free"), FunctionDescriptor.ofVoid(ADDRESS));
        try {
            MemorySegment block = (MemorySegment) malloc.invokeExact(bytes);
            if (block.address() != 0) {
                block.reinterpret(bytes).fill((byte) 0);
                free.invokeExact(block);
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("a call of the C library threw", e);
        }
    }
}
