package io.leapnbd.nbd.tls;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * The functions of OpenSSL 3 that a TLS server with shared keys needs: ssl(7), bio(7), err(3). Pointers are longs. Neither the JDK nor BoringSSL
 * knows shared keys in TLS 1.3. The library is loaded when this class is. Without it ({@link #present}) nothing else may be called.
 *
 * <p>OpenSSL keeps errors by thread: {@link #clearErrors}, a call, {@link #error} and {@link #reason} belong together. No call waits.
 */
final class LibSsl {

    /** {@link #error}: more has to be received. */
    static final int WANT_READ = 2;

    /** {@link #error}: the other end has ended TLS. */
    static final int ENDED = 6;

    /** For {@link #control}. */
    static final int SET_MODE = 33;

    static final int SET_SESSION_CACHE = 44;
    static final int SET_GROUPS = 92;
    static final int SET_AUTOMATIC_DH = 118;
    static final int SET_LOWEST_VERSION = 123;

    /** Longest text of OpenSSL that is read. */
    private static final int LONGEST_TEXT = 256;

    private static final FunctionDescriptor LONG = FunctionDescriptor.of(JAVA_LONG);
    private static final FunctionDescriptor VOID_OF_LONG = FunctionDescriptor.ofVoid(JAVA_LONG);
    private static final FunctionDescriptor VOID_OF_LONGS = FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG);
    private static final FunctionDescriptor INT_OF_LONG = FunctionDescriptor.of(JAVA_INT, JAVA_LONG);
    private static final FunctionDescriptor INT_OF_LONGS = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final FunctionDescriptor LONG_OF_LONG = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG);
    private static final FunctionDescriptor TRANSFER = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);

    private static final Optional<SymbolLookup> SSL = load("libssl.so.3");
    private static final Optional<SymbolLookup> CRYPTO = load("libcrypto.so.3");

    private static final MethodHandle SERVER = handle(SSL, "TLS_server_method", LONG);
    private static final MethodHandle CONTEXT_NEW = handle(SSL, "SSL_CTX_new", LONG_OF_LONG);
    private static final MethodHandle CONTEXT_FREE = handle(SSL, "SSL_CTX_free", VOID_OF_LONG);
    private static final MethodHandle CONTROL =
            handle(SSL, "SSL_CTX_ctrl", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle OPTIONS =
            handle(SSL, "SSL_CTX_set_options", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle CIPHERS = handle(SSL, "SSL_CTX_set_cipher_list", INT_OF_LONGS);
    private static final MethodHandle SUITES = handle(SSL, "SSL_CTX_set_ciphersuites", INT_OF_LONGS);
    private static final MethodHandle TICKETS = handle(SSL, "SSL_CTX_set_num_tickets", INT_OF_LONGS);
    private static final MethodHandle LEVEL =
            handle(SSL, "SSL_CTX_set_security_level", FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_INT));
    private static final MethodHandle KEYS = handle(SSL, "SSL_CTX_set_psk_server_callback", VOID_OF_LONGS);
    private static final MethodHandle NEW = handle(SSL, "SSL_new", LONG_OF_LONG);
    private static final MethodHandle FREE = handle(SSL, "SSL_free", VOID_OF_LONG);
    private static final MethodHandle SET_BIO =
            handle(SSL, "SSL_set_bio", FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle ACCEPT = handle(SSL, "SSL_set_accept_state", VOID_OF_LONG);
    private static final MethodHandle HANDSHAKE = handle(SSL, "SSL_do_handshake", INT_OF_LONG);
    private static final MethodHandle READ = handle(SSL, "SSL_read", TRANSFER);
    private static final MethodHandle WRITE = handle(SSL, "SSL_write", TRANSFER);
    private static final MethodHandle SHUTDOWN = handle(SSL, "SSL_shutdown", INT_OF_LONG);
    private static final MethodHandle ERROR =
            handle(SSL, "SSL_get_error", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle VERSION = handle(SSL, "SSL_get_version", LONG_OF_LONG);
    private static final MethodHandle MEMORY = handle(CRYPTO, "BIO_s_mem", LONG);
    private static final MethodHandle BIO_NEW = handle(CRYPTO, "BIO_new", LONG_OF_LONG);
    private static final MethodHandle BIO_FREE = handle(CRYPTO, "BIO_free", INT_OF_LONG);
    private static final MethodHandle BIO_WRITE = handle(CRYPTO, "BIO_write", TRANSFER);
    private static final MethodHandle BIO_READ = handle(CRYPTO, "BIO_read", TRANSFER);
    private static final MethodHandle BIO_PENDING = handle(CRYPTO, "BIO_ctrl_pending", LONG_OF_LONG);
    private static final MethodHandle CLEAR = handle(CRYPTO, "ERR_clear_error", FunctionDescriptor.ofVoid());
    private static final MethodHandle GET_ERROR = handle(CRYPTO, "ERR_get_error", LONG);
    private static final MethodHandle REASON = handle(CRYPTO, "ERR_reason_error_string", LONG_OF_LONG);

    private LibSsl() {}

    @SuppressWarnings("restricted")
    private static Optional<SymbolLookup> load(String library) {
        try {
            return Optional.of(SymbolLookup.libraryLookup(library, Arena.global()));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    @SuppressWarnings({"restricted", "NullAway"})
    private static MethodHandle handle(Optional<SymbolLookup> library, String function, FunctionDescriptor of) {
        return library.flatMap(symbols -> symbols.find(function))
                .map(symbol -> Linker.nativeLinker().downcallHandle(symbol, of))
                .orElse(null);
    }

    /** Whether OpenSSL 3 is installed, with the functions that came last. */
    static boolean present() {
        return SSL.isPresent() && CRYPTO.isPresent();
    }

    /** A new context for servers; 0 if there is no memory. */
    static long newServerContext() {
        return get(CONTEXT_NEW, get(SERVER));
    }

    static void freeContext(long context) {
        run(CONTEXT_FREE, context);
    }

    /** Sets one thing; returns what OpenSSL does. */
    static long control(long context, int what, long value, long pointer) {
        try {
            return (long) CONTROL.invokeExact(context, what, value, pointer);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    static void setOptions(long context, long options) {
        try {
            long _ = (long) OPTIONS.invokeExact(context, options);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** Sets the ciphers of TLS 1.2; false if none of them is known. */
    static boolean setCiphers(long context, long names) {
        return get(CIPHERS, context, names) == 1;
    }

    /** Sets the ciphers of TLS 1.3; false if one is not known. */
    static boolean setSuites(long context, long names) {
        return get(SUITES, context, names) == 1;
    }

    static boolean setTickets(long context, long count) {
        return get(TICKETS, context, count) == 1;
    }

    /** Least strength: 2 stands for 112 bits. */
    static void setLevel(long context, int level) {
        try {
            LEVEL.invokeExact(context, level);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** Whom to ask for keys: SSL_CTX_set_psk_server_callback(3). */
    static void setKeys(long context, long callback) {
        try {
            KEYS.invokeExact(context, callback);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** A connection; 0 if there is no memory. */
    static long newConnection(long context) {
        return get(NEW, context);
    }

    /** Frees its queues too; 0 is nothing. */
    static void freeConnection(long connection) {
        run(FREE, connection);
    }

    /** A queue of bytes in memory; 0 if there is none. */
    static long newQueue() {
        return get(BIO_NEW, get(MEMORY));
    }

    /** Of a queue that no connection owns; 0 is nothing. */
    static void freeQueue(long queue) {
        int _ = getInt(BIO_FREE, queue);
    }

    /** Gives a connection its queues, which it owns from then on, and the server's part. */
    static void accept(long connection, long received, long sending) {
        try {
            SET_BIO.invokeExact(connection, received, sending);
        } catch (Throwable e) {
            throw failed(e);
        }
        run(ACCEPT, connection);
    }

    /** 1 when it is over; else see {@link #error}. */
    static int handshake(long connection) {
        return getInt(HANDSHAKE, connection);
    }

    /** Bytes that were decrypted; if not positive, see {@link #error}. */
    static int read(long connection, long to, int room) {
        return transfer(READ, connection, to, room);
    }

    /** Bytes that were encrypted; if not positive, see {@link #error}. */
    static int write(long connection, long from, int bytes) {
        return transfer(WRITE, connection, from, bytes);
    }

    /** Writes the message that ends TLS. */
    static void shutdown(long connection) {
        int _ = getInt(SHUTDOWN, connection);
    }

    static int error(long connection, int result) {
        try {
            return (int) ERROR.invokeExact(connection, result);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** As in {@code TLSv1.3}. */
    static String version(long connection) {
        return text(get(VERSION, connection));
    }

    /** Appends to a queue; returns the bytes that were taken. */
    static int append(long queue, long from, int bytes) {
        return transfer(BIO_WRITE, queue, from, bytes);
    }

    /** Takes from a queue; returns how many bytes. */
    static int take(long queue, long to, int room) {
        return transfer(BIO_READ, queue, to, room);
    }

    /** Bytes in a queue. */
    static long pending(long queue) {
        return get(BIO_PENDING, queue);
    }

    static void clearErrors() {
        try {
            CLEAR.invokeExact();
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** Why the last call of this thread failed, in OpenSSL's words. */
    static String reason() {
        long error = get(GET_ERROR);
        String words = error == 0 ? "" : text(get(REASON, error));
        return words.isEmpty() ? "OpenSSL does not say why" : words;
    }

    @SuppressWarnings("restricted")
    private static String text(long pointer) {
        if (pointer == 0) {
            return "";
        }
        MemorySegment characters = MemorySegment.ofAddress(pointer).reinterpret(LONGEST_TEXT);
        int length = 0;
        while (length < LONGEST_TEXT && characters.get(JAVA_BYTE, length) != 0) {
            length++;
        }
        return new String(characters.asSlice(0, length).toArray(JAVA_BYTE), StandardCharsets.US_ASCII);
    }

    private static long get(MethodHandle function) {
        try {
            return (long) function.invokeExact();
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private static long get(MethodHandle function, long argument) {
        try {
            return (long) function.invokeExact(argument);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private static int get(MethodHandle function, long one, long two) {
        try {
            return (int) function.invokeExact(one, two);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private static int getInt(MethodHandle function, long argument) {
        try {
            return (int) function.invokeExact(argument);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private static void run(MethodHandle function, long argument) {
        try {
            function.invokeExact(argument);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private static int transfer(MethodHandle function, long object, long address, int bytes) {
        try {
            return (int) function.invokeExact(object, address, bytes);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private static AssertionError failed(Throwable e) {
        return new AssertionError("OpenSSL through the linker", e);
    }
}
