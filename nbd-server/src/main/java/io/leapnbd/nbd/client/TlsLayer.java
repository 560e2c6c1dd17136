package io.leapnbd.nbd.client;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;

/** TLS over a socket that does not block ({@link SSLEngine} says how it is driven). Nothing here waits. One thread at a time. */
final class TlsLayer {

    private static final ByteBuffer[] NOTHING = {ByteBuffer.allocate(0)};

    private final SSLEngine engine;
    private final SocketChannel socket;

    /** Received and not decrypted: from the position on. */
    private final ByteBuffer received;

    /** Encrypted and not sent: from the position on. */
    private final ByteBuffer sending;

    /** Decrypted and not read: from the position on. */
    private ByteBuffer plain;

    private boolean ended;

    TlsLayer(SSLEngine engine, SocketChannel socket) {
        this.engine = engine;
        this.socket = socket;
        int record = engine.getSession().getPacketBufferSize();
        received = ByteBuffer.allocateDirect(2 * record).limit(0);
        sending = ByteBuffer.allocateDirect(2 * record).limit(0);
        plain = ByteBuffer.allocate(engine.getSession().getApplicationBufferSize())
                .limit(0);
    }

    /** Goes on with the handshake; returns whether it is over. If not, the socket has to be waited for. */
    boolean shakeHands() throws IOException {
        if (engine.getHandshakeStatus() == HandshakeStatus.NOT_HANDSHAKING) {
            engine.beginHandshake();
        }
        while (flush()) {
            switch (engine.getHandshakeStatus()) {
                case NEED_TASK -> runTasks();
                case NEED_WRAP -> {
                    long _ = wrap(NOTHING);
                }
                case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> {
                    if (!unwrap()) {
                        return false;
                    }
                }
                case FINISHED, NOT_HANDSHAKING -> {
                    return true;
                }
            }
        }
        return false;
    }

    /** Whether something was encrypted that has not left. */
    boolean unsent() {
        return sending.hasRemaining();
    }

    /** Reads what there is; 0 if that is nothing, -1 at the end. */
    int read(ByteBuffer into) throws IOException {
        while (!plain.hasRemaining()) {
            boolean more = unwrap();
            runTasks();
            if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP && flush()) {
                long _ = wrap(NOTHING);
            }
            if (!more && !plain.hasRemaining()) {
                return ended ? -1 : 0;
            }
        }
        int bytes = Math.min(into.remaining(), plain.remaining());
        into.put(plain.slice(plain.position(), bytes));
        plain.position(plain.position() + bytes);
        return bytes;
    }

    /** Encrypts and sends what goes; returns the bytes that were taken. */
    long write(ByteBuffer[] from) throws IOException {
        long taken = 0;
        while (flush() && Arrays.stream(from).anyMatch(ByteBuffer::hasRemaining)) {
            taken += wrap(from);
        }
        return taken;
    }

    private long wrap(ByteBuffer[] from) throws IOException {
        sending.clear();
        SSLEngineResult result = engine.wrap(from, sending);
        sending.flip();
        if (result.getStatus() == Status.CLOSED && result.bytesProduced() == 0) {
            throw new EOFException("the server has ended TLS");
        }
        boolean _ = flush();
        return result.bytesConsumed();
    }

    /** Sends what was encrypted; returns whether all of it has left. */
    private boolean flush() throws IOException {
        while (sending.hasRemaining()) {
            if (socket.write(sending) == 0) {
                return false;
            }
        }
        return true;
    }

    /** Decrypts a record, if a whole one has come; returns whether that, or anything, was got on with. */
    private boolean unwrap() throws IOException {
        plain.compact();
        SSLEngineResult result = engine.unwrap(received, plain);
        plain.flip();
        return switch (result.getStatus()) {
            case OK -> result.bytesConsumed() > 0 || result.bytesProduced() > 0;
            case CLOSED -> {
                ended = true;
                yield false;
            }
            case BUFFER_OVERFLOW -> {
                plain = ByteBuffer.allocate(
                                plain.capacity() + engine.getSession().getApplicationBufferSize())
                        .put(plain)
                        .flip();
                yield true;
            }
            case BUFFER_UNDERFLOW -> receive();
        };
    }

    private boolean receive() throws IOException {
        received.compact();
        int bytes = socket.read(received);
        received.flip();
        if (bytes < 0) {
            if (engine.getHandshakeStatus() != HandshakeStatus.NOT_HANDSHAKING) {
                throw new EOFException("the server has closed the connection");
            }
            ended = true;
        }
        return bytes > 0;
    }

    private void runTasks() {
        for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
            task.run();
        }
    }
}
