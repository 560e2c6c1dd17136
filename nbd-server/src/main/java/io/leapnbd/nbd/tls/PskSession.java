package io.leapnbd.nbd.tls;

import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * One connection of {@link PskContext}: what was received goes in, what is to be sent comes out, and both by their addresses in memory. One thread
 * at a time.
 */
public final class PskSession implements AutoCloseable {

    /** Most bytes that one record holds (RFC 8446, 5.1). */
    public static final int RECORD = 16 << 10;

    /** Most bytes that a record has beside: header, nonce and tag of the ciphers here. */
    public static final int RECORD_OVERHEAD = 64;

    private final PskContext context;
    private final long received;
    private final long sending;
    private long connection;
    private boolean failed;
    private @Nullable String name;

    /** In words. */
    private @Nullable String unknown;

    private PskSession(PskContext context, long connection, long received, long sending) {
        this.context = context;
        this.connection = connection;
        this.received = received;
        this.sending = sending;
    }

    static PskSession open(PskContext context, long settings) {
        long connection = LibSsl.newConnection(settings);
        long received = LibSsl.newQueue();
        long sending = LibSsl.newQueue();
        if (connection == 0 || received == 0 || sending == 0) {
            LibSsl.freeConnection(connection);
            LibSsl.freeQueue(received);
            LibSsl.freeQueue(sending);
            throw new OutOfMemoryError("OpenSSL has no memory for a connection");
        }
        LibSsl.accept(connection, received, sending);
        return new PskSession(context, connection, received, sending);
    }

    long pointer() {
        return connection;
    }

    /**
     * The client names a key that is not known. In its handshake, on its thread.
     *
     * @param wanted null if it is longer than any may be
     */
    void refused(@Nullable String wanted) {
        if (unknown == null) {
            unknown = wanted == null
                    ? "a key by more than " + PskKeys.LONGEST_NAME + " bytes"
                    : "the key '" + PskKeys.shown(wanted) + "'";
        }
    }

    /** The client names a key that is known; whether it has it is yet to be seen. In its handshake, on its thread. */
    void accepted(String wanted) {
        name = wanted;
    }

    /** Whether it is not closed. */
    public boolean isOpen() {
        return connection != 0;
    }

    /** Takes what was received. */
    public void offer(long address, int bytes) {
        if (LibSsl.append(received, address, bytes) != bytes) {
            throw new OutOfMemoryError("OpenSSL has no memory for " + bytes + " bytes");
        }
    }

    /**
     * Goes on with the handshake; there may be something to {@link #take} behind it, also when it fails.
     *
     * @return whether it is over
     * @throws SSLException if the two ends do not come to terms, in words for an operator
     */
    public boolean shakeHands() throws SSLException {
        LibSsl.clearErrors();
        int result = LibSsl.handshake(connection);
        if (result == 1) {
            context.forget(connection);
            return true;
        }
        if (LibSsl.error(connection, result) == LibSsl.WANT_READ) {
            return false;
        }
        failed = true;
        throw new SSLException(refusal(LibSsl.reason()));
    }

    private String refusal(String reason) {
        if (name != null) {
            return "it does not have the key of '" + PskKeys.shown(name) + "' (" + reason + ")";
        }
        if (unknown != null) {
            return "it names " + unknown + ", which is not known here (" + reason + ")";
        }
        return "it names no key (" + reason + ")";
    }

    /**
     * Decrypts what there is.
     *
     * @return bytes; 0 if more has to be received, -1 if the client has ended TLS
     * @throws SSLException if what was received is not what the client has sent
     */
    public int decrypt(long address, int room) throws SSLException {
        LibSsl.clearErrors();
        int bytes = LibSsl.read(connection, address, room);
        if (bytes > 0) {
            return bytes;
        }
        int error = LibSsl.error(connection, bytes);
        if (error == LibSsl.WANT_READ) {
            return 0;
        }
        if (error == LibSsl.ENDED) {
            return -1;
        }
        failed = true;
        throw new SSLException(LibSsl.reason());
    }

    /**
     * Encrypts all of it, to be taken after that.
     *
     * @param bytes 1..{@link #RECORD}
     */
    public void encrypt(long address, int bytes) throws SSLException {
        LibSsl.clearErrors();
        if (LibSsl.write(connection, address, bytes) != bytes) {
            failed = true;
            throw new SSLException(LibSsl.reason());
        }
    }

    /** Bytes that wait to be sent. */
    public int pending() {
        return Math.toIntExact(LibSsl.pending(sending));
    }

    /** Takes bytes that wait to be sent; returns how many. */
    public int take(long address, int room) {
        return Math.max(0, LibSsl.take(sending, address, room));
    }

    /** Says that nothing more comes, if that can still be said. */
    public void end() {
        if (!failed) {
            LibSsl.clearErrors();
            LibSsl.shutdown(connection);
        }
    }

    /** Version and name, after the handshake. */
    public String description() {
        String who = name == null ? "nobody" : "the key of " + PskKeys.shown(name);
        return LibSsl.version(connection) + " with " + who;
    }

    /** Gives all of it back; may be called again. */
    @Override
    public void close() {
        if (connection != 0) {
            context.forget(connection);
            LibSsl.freeConnection(connection);
            connection = 0;
        }
    }
}
