package io.leapnbd.bypass.cipher;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * The functions of libcrypto that a page needs: EVP_EncryptInit(3). Versions 3 and 1.1 have them alike. Pointers are longs. Calls do not leave the
 * state of Java code: each takes a microsecond at most, and none waits.
 */
final class OpenSsl {

    private static final List<String> NAMES = List.of("libcrypto.so.3", "libcrypto.so.1.1");

    private static final int GET_TAG = 0x10;
    private static final int SET_TAG = 0x11;

    private static final Optional<SymbolLookup> LIBRARY = find();
    private static final boolean WORKS = works();

    /** Its functions. To be looked at only where the library is. */
    private static final class Calls {
        static final MethodHandle NEW = handle("EVP_CIPHER_CTX_new", FunctionDescriptor.of(JAVA_LONG));
        static final MethodHandle FREE = handle("EVP_CIPHER_CTX_free", FunctionDescriptor.ofVoid(JAVA_LONG));
        static final MethodHandle AES_256 = handle("EVP_aes_256_gcm", FunctionDescriptor.of(JAVA_LONG));
        static final MethodHandle AES_128 = handle("EVP_aes_128_gcm", FunctionDescriptor.of(JAVA_LONG));
        static final MethodHandle INIT = handle(
                "EVP_CipherInit_ex",
                FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT));
        static final MethodHandle UPDATE = handle(
                "EVP_CipherUpdate",
                FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT));
        static final MethodHandle FINAL =
                handle("EVP_CipherFinal_ex", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
        static final MethodHandle CONTROL = handle(
                "EVP_CIPHER_CTX_ctrl", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));

        private Calls() {}

        @SuppressWarnings("restricted")
        private static MethodHandle handle(String function, FunctionDescriptor of) {
            return Linker.nativeLinker()
                    .downcallHandle(LIBRARY.orElseThrow().findOrThrow(function), of, Linker.Option.critical(false));
        }
    }

    private OpenSsl() {}

    @SuppressWarnings("restricted")
    private static Optional<SymbolLookup> find() {
        for (String name : NAMES) {
            try {
                SymbolLookup library = SymbolLookup.libraryLookup(name, Arena.global());
                if (library.find("EVP_aes_256_gcm").isPresent()) {
                    return Optional.of(library);
                }
            } catch (IllegalArgumentException e) {
                // The next one.
            }
        }
        return Optional.empty();
    }

    /** Whether libcrypto is installed, and does what it should. Otherwise nothing else may be called. */
    static boolean present() {
        return WORKS;
    }

    /** Test case 14 of the GCM specification (McGrew and Viega, 2005): a key, a nonce and a block of zeros. */
    private static boolean works() {
        if (LIBRARY.isEmpty()) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            long zeros = arena.allocate(32).address();
            MemorySegment block = arena.allocate(16);
            MemorySegment tag = arena.allocate(16);
            long length = arena.allocate(8).address();
            long context = newContext();
            if (context == 0) {
                return false;
            }
            init(context, cipher(CipherKind.AES_256_GCM), zeros, zeros, true);
            update(context, block.address(), length, zeros, 16);
            boolean ended = end(context, tag.address(), length);
            getTag(context, 16, tag.address());
            free(context);
            return ended
                    && HexFormat.of()
                            .formatHex(block.toArray(ValueLayout.JAVA_BYTE))
                            .equals("cea7403d4d606b6e074ec5d3baf39d18")
                    && HexFormat.of()
                            .formatHex(tag.toArray(ValueLayout.JAVA_BYTE))
                            .equals("d0d1c8a799996bf0265b98b5d48ab919");
        } catch (IllegalStateException | AssertionError | ExceptionInInitializerError e) {
            // It refuses the cipher, or lacks a function.
            return false;
        }
    }

    static long newContext() {
        try {
            return (long) Calls.NEW.invokeExact();
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    static void free(long context) {
        try {
            Calls.FREE.invokeExact(context);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    static long cipher(CipherKind kind) {
        try {
            return kind == CipherKind.AES_256_GCM
                    ? (long) Calls.AES_256.invokeExact()
                    : (long) Calls.AES_128.invokeExact();
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** Begins; a cipher, key or nonce of 0 stays what it was. */
    static void init(long context, long cipher, long key, long nonce, boolean encrypt) {
        int done;
        try {
            done = (int) Calls.INIT.invokeExact(context, cipher, 0L, key, nonce, encrypt ? 1 : 0);
        } catch (Throwable e) {
            throw failed(e);
        }
        require(done);
    }

    static void update(long context, long to, long length, long from, int bytes) {
        int done;
        try {
            done = (int) Calls.UPDATE.invokeExact(context, to, length, from, bytes);
        } catch (Throwable e) {
            throw failed(e);
        }
        require(done);
    }

    /** Whether the tag is right, if it decrypts. */
    static boolean end(long context, long to, long length) {
        try {
            return (int) Calls.FINAL.invokeExact(context, to, length) == 1;
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    static void getTag(long context, int bytes, long to) {
        control(context, GET_TAG, bytes, to);
    }

    static void setTag(long context, int bytes, long from) {
        control(context, SET_TAG, bytes, from);
    }

    private static void control(long context, int what, int bytes, long at) {
        int done;
        try {
            done = (int) Calls.CONTROL.invokeExact(context, what, bytes, at);
        } catch (Throwable e) {
            throw failed(e);
        }
        require(done);
    }

    private static void require(int done) {
        if (done != 1) {
            throw new IllegalStateException("libcrypto refused a call");
        }
    }

    private static AssertionError failed(Throwable e) {
        return new AssertionError("libcrypto through the linker", e);
    }
}
