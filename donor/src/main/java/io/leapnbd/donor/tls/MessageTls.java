package io.leapnbd.donor.tls;

import io.leapnbd.donor.memory.MappedMemory;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * TLS 1.3 of one link over a transport of messages, as RDMA is one: first the handshake, then every message of the link, encrypted. A message
 * holds whole records. So it comes as it was sent, where it belongs in the order, and once; or the link is over.
 *
 * <p>Messages are encrypted and decrypted in buffers that are used again and again; all that is allocated for a record is what the engine says of
 * it. For the link's thread, except what {@link #runTask} has run.
 */
public final class MessageTls implements AutoCloseable {

    /** Plaintext of one record at most, in bytes (RFC 8446, section 5.1). */
    private static final int RECORD = 1 << 14;

    /** What a record has beside its plaintext, in bytes: header, kind, tag. */
    private static final int BESIDE = 5 + 1 + 16;

    private static final ByteBuffer NOTHING = ByteBuffer.allocateDirect(0);

    private final SSLEngine engine;
    private final Executor verifier;
    private final MappedMemory memory;
    private final int half;

    private final ByteBuf opened;
    private final ByteBuffer openedBytes;
    private final ByteBuf plain;
    private final ByteBuffer plainBytes;

    private boolean taskRuns;

    /** A task was run, after which the engine goes on by itself, and has to be asked to. */
    private boolean goesOn;

    private boolean closed;

    /**
     * Before the handshake.
     *
     * @param verifier what looks at certificates
     * @param mostBytes of the longest message, before it is encrypted
     */
    MessageTls(SSLEngine engine, Executor verifier, int mostBytes) throws IOException {
        this.engine = engine;
        this.verifier = verifier;
        // The engine wants room for a record before it looks how long its plaintext is.
        half = sealedLength(mostBytes) + MappedMemory.GRANULE - 1 & -MappedMemory.GRANULE;
        boolean whole = false;
        @Nullable MappedMemory reserved = null;
        try {
            reserved = MappedMemory.reserveSmall(2L * half);
            memory = reserved;
            openedBytes = window(memory.address(), half);
            plainBytes = window(memory.address() + half, half);
            opened = Unpooled.wrappedBuffer(openedBytes.duplicate());
            plain = Unpooled.wrappedBuffer(plainBytes.duplicate());
            engine.beginHandshake();
            whole = true;
        } finally {
            if (!whole) {
                boolean _ = ReferenceCountUtil.release(engine);
                MappedMemory taken = reserved;
                if (taken != null) {
                    taken.close();
                }
            }
        }
    }

    @SuppressWarnings("restricted")
    private static ByteBuffer window(long address, int length) {
        return MemorySegment.ofAddress(address).reinterpret(length).asByteBuffer();
    }

    /** How long a message is when it is encrypted. */
    public static int sealedLength(int plaintext) {
        return plaintext + (plaintext + RECORD - 1) / RECORD * BESIDE;
    }

    /** What the handshake needs next. */
    public enum Step {
        /** The next message of the peer. */
        RECEIVE,
        /** {@link #runTask}, and then the rest of the same message. */
        TASK,
        /** Nothing: the peer is known. */
        DONE
    }

    /**
     * Goes on with the handshake.
     *
     * @param in what has arrived and was not looked at; its reader index moves
     * @param out where what is to be sent is added: one message, if it is anything
     * @throws SSLException if one end refuses the other; what it is to be told is in {@link #lastWords}
     */
    public Step handshake(ByteBuf in, ByteBuf out) throws SSLException {
        while (true) {
            HandshakeStatus status = engine.getHandshakeStatus();
            switch (status) {
                case NEED_TASK -> {
                    return Step.TASK;
                }
                case NEED_WRAP -> wrapHandshake(out);
                case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> {
                    if (!in.isReadable() && !goesOn) {
                        // Where an alert was all that was written, the engine says only now what it was for.
                        wrapHandshake(out);
                        return Step.RECEIVE;
                    }
                    unwrapHandshake(in);
                }
                default -> {
                    if (in.isReadable()) {
                        throw new SSLException("a message before the end of the handshake");
                    }
                    return Step.DONE;
                }
            }
        }
    }

    private void wrapHandshake(ByteBuf out) throws SSLException {
        ByteBuffer to = out.internalNioBuffer(out.writerIndex(), out.writableBytes());
        SSLEngineResult result = engine.wrap(NOTHING, to);
        out.writerIndex(out.writerIndex() + result.bytesProduced());
        if (result.getStatus() != Status.OK) {
            throw new SSLException("the handshake is over: " + result.getStatus());
        }
    }

    private void unwrapHandshake(ByteBuf in) throws SSLException {
        ByteBuffer from = in.internalNioBuffer(in.readerIndex(), in.readableBytes());
        openedBytes.clear();
        SSLEngineResult result = engine.unwrap(from, openedBytes);
        in.skipBytes(result.bytesConsumed());
        boolean nothing = goesOn && result.getStatus() == Status.BUFFER_UNDERFLOW && !in.isReadable();
        goesOn = false;
        if (result.getStatus() != Status.OK && !nothing) {
            throw notWhole(result.getStatus());
        }
        if (result.bytesProduced() > 0) {
            throw new SSLException("a message before the end of the handshake");
        }
    }

    private static SSLException notWhole(Status status) {
        return new SSLException(
                status == Status.CLOSED ? "the peer has ended it" : "a message does not end where a record does");
    }

    /** Adds what the peer is to be told when {@link #handshake} has failed: an alert, as a rule. */
    public void lastWords(ByteBuf out) {
        try {
            int before;
            do {
                before = out.writerIndex();
                wrapHandshake(out);
            } while (out.writerIndex() > before);
        } catch (SSLException e) {
            // That it has failed is known.
            return;
        }
    }

    /**
     * Has the task of {@link Step#TASK} run by the thread that looks at certificates, which may take a while, and then {@code then}.
     *
     * @param back what runs {@code then}: the link's thread
     * @throws RejectedExecutionException if too many wait for that thread
     */
    public void runTask(Executor back, Runnable then) {
        runTask(verifier, back, then);
    }

    /** As the other, at once and here: for a thread that may wait. */
    public void runTask() {
        runTask(Runnable::run, Runnable::run, () -> {});
    }

    private void runTask(Executor runner, Executor back, Runnable then) {
        Runnable task = engine.getDelegatedTask();
        taskRuns = true;
        boolean taken = false;
        try {
            runner.execute(() -> {
                try {
                    if (task != null) {
                        task.run();
                    }
                } finally {
                    back.execute(() -> taskDone(then));
                }
            });
            taken = true;
        } finally {
            if (!taken) {
                taskRuns = false;
            }
        }
    }

    private void taskDone(Runnable then) {
        taskRuns = false;
        goesOn = true;
        if (closed) {
            release();
        } else {
            then.run();
        }
    }

    /**
     * Who the peer is, after the handshake.
     *
     * @throws SSLException if it has not shown who it is
     */
    public PoolName peer() throws SSLException {
        return LinkTls.peer(engine.getSession());
    }

    /** What was agreed on, after the handshake. */
    public SSLSession session() {
        return engine.getSession();
    }

    /** Where the next message is written, before {@link #seal}. It is the same buffer for all. */
    public ByteBuf plain() {
        return plain;
    }

    /**
     * Encrypts a message.
     *
     * @param length of {@link #plain}, from its beginning
     * @param frame where it goes, from the beginning on
     * @return how long it is there
     */
    public int seal(int length, ByteBuf frame) throws SSLException {
        plainBytes.clear().limit(length);
        ByteBuffer to = frame.internalNioBuffer(0, frame.capacity());
        int from = to.position();
        do {
            SSLEngineResult result = engine.wrap(plainBytes, to);
            if (result.getStatus() != Status.OK || result.bytesProduced() == 0) {
                throw new SSLException("a message cannot be encrypted: " + result.getStatus());
            }
        } while (plainBytes.hasRemaining());
        return to.position() - from;
    }

    /** Where the message is that was decrypted last. It is the same buffer for all. */
    public ByteBuf opened() {
        return opened;
    }

    /**
     * Decrypts a message into {@link #opened}.
     *
     * @param frame where it has arrived, from the beginning on
     * @param length of it, as it has arrived
     * @return how long it is; 0 if it has nothing for the link in it
     * @throws SSLException if it is not the next message of the peer, or says that the peer refuses this end
     */
    public int open(ByteBuf frame, int length) throws SSLException {
        ByteBuffer from = frame.internalNioBuffer(0, length);
        openedBytes.clear();
        while (from.hasRemaining()) {
            SSLEngineResult result = engine.unwrap(from, openedBytes);
            if (result.getStatus() != Status.OK) {
                throw notWhole(result.getStatus());
            }
            if (result.getHandshakeStatus() != HandshakeStatus.NOT_HANDSHAKING
                    && result.getHandshakeStatus() != HandshakeStatus.FINISHED) {
                throw why();
            }
        }
        return openedBytes.position();
    }

    /** The engine keeps what is wrong to itself until its alert was fetched. */
    private SSLException why() throws SSLException {
        plain.clear();
        for (int i = 0; i < 3; i++) {
            wrapHandshake(plain);
        }
        return new SSLException("it begins a handshake anew");
    }

    /** Forgets the keys. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            if (!taskRuns) {
                release();
            }
        }
    }

    private void release() {
        boolean _ = ReferenceCountUtil.release(engine);
        memory.close();
    }
}
