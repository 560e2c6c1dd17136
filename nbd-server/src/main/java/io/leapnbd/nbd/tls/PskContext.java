package io.leapnbd.nbd.tls;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * TLS for a server whose clients prove a shared key (RFC 8446, 2.2; RFC 4279 and 5489 for TLS 1.2), by OpenSSL. Every handshake has an exchange of
 * Diffie and Hellman beside: who learns a key later cannot read what was sent before. So TLS 1.3 without it, and the plain PSK ciphers of TLS 1.2, are
 * refused. Nothing is resumed, and nothing is negotiated anew. Any thread.
 */
public final class PskContext implements AutoCloseable {

    /**
     * TLS 1.2. GnuTLS offers both, the second also where ChaCha20 is not allowed. With 128 bits its exchange is of 2,048 bits, a fraction of a
     * millisecond; with 256 it would be of 3,072.
     */
    private static final String CIPHERS = "ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES128-GCM-SHA256";

    /** TLS 1.3: an external key goes with a hash, which is SHA-256 where nobody has agreed on another. */
    private static final String SUITES = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";

    /** Those of large finite fields would let a stranger take milliseconds of a loop. */
    private static final String GROUPS = "X25519:P-256:P-384";

    private static final long TLS_1_2 = 0x0303;

    /** At least 112 bits everywhere, whatever the machine's configuration of OpenSSL says. */
    private static final int LEVEL = 2;

    /** No tickets, no compression, the server's order of ciphers, no renegotiation: SSL_CTX_set_options(3). */
    private static final long OPTIONS = 1L << 14 | 1L << 17 | 1L << 22 | 1L << 30;

    /** A connection without data keeps no buffers: SSL_CTX_set_mode(3). */
    private static final long RELEASE_BUFFERS = 0x10;

    private final PskKeys keys;

    /** The callback is there as long as anybody has this context: handshakes may be under way when it is closed. */
    private final MemorySegment callback;

    /** Connections in their handshake, by OpenSSL's pointer. */
    private final Map<Long, PskSession> shaking = new ConcurrentHashMap<>();

    private final long context;
    private boolean closed;

    private PskContext(PskKeys keys) throws IOException {
        this.keys = keys;
        callback = callback();
        context = LibSsl.newServerContext();
        if (context == 0) {
            throw new IOException("OpenSSL has no memory for TLS");
        }
    }

    /**
     * For these keys. The caller closes it.
     *
     * @throws IOException in one sentence, if OpenSSL is not installed or refuses a setting
     */
    public static PskContext open(PskKeys keys) throws IOException {
        if (!LibSsl.present()) {
            throw new IOException("TLS with shared keys is OpenSSL's work, and libssl.so.3 is not installed;"
                    + " install OpenSSL 3 (Debian: libssl3), or use certificates");
        }
        PskContext context = new PskContext(keys);
        try {
            context.configure();
            return context;
        } catch (IOException e) {
            context.close();
            throw e;
        }
    }

    private void configure() throws IOException {
        LibSsl.setOptions(context, OPTIONS);
        LibSsl.setLevel(context, LEVEL);
        LibSsl.setKeys(context, callback.address());
        long _ = LibSsl.control(context, LibSsl.SET_MODE, RELEASE_BUFFERS, 0);
        long _ = LibSsl.control(context, LibSsl.SET_SESSION_CACHE, 0, 0);
        try (Arena arena = Arena.ofConfined()) {
            boolean all = LibSsl.control(context, LibSsl.SET_LOWEST_VERSION, TLS_1_2, 0) == 1
                    && LibSsl.control(
                                    context,
                                    LibSsl.SET_GROUPS,
                                    0,
                                    arena.allocateFrom(GROUPS).address())
                            == 1
                    && LibSsl.control(context, LibSsl.SET_AUTOMATIC_DH, 1, 0) == 1
                    && LibSsl.setTickets(context, 0)
                    && LibSsl.setCiphers(context, arena.allocateFrom(CIPHERS).address())
                    && LibSsl.setSuites(context, arena.allocateFrom(SUITES).address());
            if (!all) {
                throw new IOException(
                        "this machine's OpenSSL does not have what TLS with shared keys needs: " + LibSsl.reason());
            }
        }
    }

    @SuppressWarnings("restricted")
    private MemorySegment callback() {
        MethodHandle find;
        try {
            find = MethodHandles.lookup()
                    .bind(
                            this,
                            "giveKey",
                            MethodType.methodType(int.class, long.class, long.class, long.class, int.class));
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("this class has no giveKey", e);
        }
        return Linker.nativeLinker()
                .upcallStub(
                        find,
                        FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT),
                        Arena.ofAuto());
    }

    /**
     * For one connection.
     *
     * @throws IllegalStateException if this is closed
     * @throws OutOfMemoryError if OpenSSL has no memory
     */
    public synchronized PskSession newSession() {
        if (closed) {
            throw new IllegalStateException("TLS is closed");
        }
        PskSession session = PskSession.open(this, context);
        shaking.put(session.pointer(), session);
        return session;
    }

    /** Whoever is in its handshake no longer. */
    void forget(long pointer) {
        shaking.remove(pointer);
    }

    /**
     * OpenSSL's question for a key: SSL_CTX_set_psk_server_callback(3). Nothing may be thrown through OpenSSL.
     *
     * @param pointer of the connection
     * @param name text with a zero byte at its end
     * @param key where to put it
     * @return bytes of the key; 0 if there is none
     */
    @SuppressWarnings({"UnusedMethod", "restricted"})
    private int giveKey(long pointer, long name, long key, int room) {
        try {
            PskSession session = shaking.get(pointer);
            if (session == null) {
                return 0;
            }
            String wanted = name(name);
            byte[] found = wanted == null ? null : keys.find(wanted);
            if (wanted == null || found == null || found.length > room) {
                session.refused(wanted);
                return 0;
            }
            session.accepted(wanted);
            MemorySegment.copy(found, 0, MemorySegment.ofAddress(key).reinterpret(room), JAVA_BYTE, 0, found.length);
            return found.length;
        } catch (Throwable e) {
            return 0;
        }
    }

    /** Null if it is longer than any that there may be. Bytes behind the zero are not looked at. */
    @SuppressWarnings("restricted")
    private static @Nullable String name(long pointer) {
        if (pointer == 0) {
            return null;
        }
        MemorySegment bytes = MemorySegment.ofAddress(pointer).reinterpret(PskKeys.LONGEST_NAME + 1L);
        for (int length = 0; length <= PskKeys.LONGEST_NAME; length++) {
            if (bytes.get(JAVA_BYTE, length) == 0) {
                return new String(bytes.asSlice(0, length).toArray(JAVA_BYTE), StandardCharsets.ISO_8859_1);
            }
        }
        return null;
    }

    /** Connections that are there go on; no new one begins. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            LibSsl.freeContext(context);
        }
    }
}
