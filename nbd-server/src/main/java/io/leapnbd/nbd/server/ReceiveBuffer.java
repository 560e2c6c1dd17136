package io.leapnbd.nbd.server;

import io.leapnbd.nbd.protocol.Transmission;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelConfig;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.util.UncheckedBooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Where a connection's bytes arrive. Netty asks here for a buffer before each receive; it always gets the same one, and
 * what it receives is appended to what has not been consumed yet, so that a request is decoded where it lies even when it
 * came in two parts.
 *
 * <pre>
 *            readerIndex          writerIndex
 *   +------------+--------------------+------------------------+
 *   |  consumed  |  part of a request |  next receive          |   256 KiB
 *   +------------+--------------------+------------------------+
 *      ^ slices of it may still be in the device
 * </pre>
 *
 * A connection has a buffer only while something in it waits for more; else those of a loop share one ({@link LoopBuffers}).
 *
 * A large payload that has only begun to arrive is received into its own buffer instead, the {@linkplain #divert
 * diversion}, and never copied. Behind a large write another one is likely: then the {@linkplain #expectHeader header} is received by itself, so
 * that no part of the payload comes along with it. All methods run on the connection's event loop.
 */
final class ReceiveBuffer implements RecvByteBufAllocator, RecvByteBufAllocator.ExtendedHandle {

    /** Holds a 128 KiB write, which is what Linux swaps out at once, with room for what comes behind it. */
    static final int CAPACITY = 256 << 10;

    /** A receive into less room than this is not worth its system call. */
    private static final int LEAST_ROOM = 64 << 10;

    /** A receive of encrypted bytes: four records of TLS. */
    static final int ENCRYPTED = 64 << 10;

    /** Receives in one turn, and bytes, so that one busy connection does not starve the others of its loop, or the processor's. */
    private static final int MOST_RECEIVES = 16;

    private static final int MOST_BYTES = 128 << 10;

    private final LoopBuffers loop;
    private final ByteBufAllocator allocator;
    private final ConnectionCredit credit;

    /** Bytes taken from the connection's credit for a buffer that had to be larger. */
    private int grown;

    private boolean overflows;
    private @Nullable ByteBuf buffer;
    private @Nullable ByteBuf diversion;

    /** As long as a request's header; allocated when the first one is expected. */
    private @Nullable ByteBuf header;

    private boolean headerExpected;
    private boolean encrypted;
    private boolean held;
    private int receives;
    private int received;
    private int attempted;
    private int last;

    ReceiveBuffer(LoopBuffers loop, ByteBufAllocator allocator, ConnectionCredit credit) {
        this.loop = loop;
        this.allocator = allocator;
        this.credit = credit;
    }

    /** What has arrived and is not consumed: from the reader index on. The caller moves the reader index only. */
    ByteBuf arrived() {
        ByteBuf current = buffer;
        return current == null ? Unpooled.EMPTY_BUFFER : current;
    }

    /**
     * Whether more has arrived ahead of its time than there is room for. That happens to a client that has closed its end
     * only: the system hands over all that is in the socket then, whether it can be begun or not.
     */
    boolean overflows() {
        return overflows;
    }

    /** Gives the buffer back, unless something in it waits for more or is in the device. */
    void endOfTurn() {
        ByteBuf current = buffer;
        if (current != null && !current.isReadable() && current.refCnt() == 1) {
            buffer = null;
            if (current.capacity() == CAPACITY) {
                loop.giveBack(current);
            } else {
                current.release();
                shrink();
            }
        }
    }

    private void shrink() {
        if (grown > 0) {
            credit.give(grown);
            grown = 0;
        }
    }

    /** Receives into the rest of {@code payload}, up to its capacity, until {@link #endDiversion}. */
    void divert(ByteBuf payload) {
        diversion = payload;
    }

    void endDiversion() {
        diversion = null;
    }

    /** The next receive is for no more than a request's header, if nothing of it is there yet. */
    void expectHeader() {
        headerExpected = true;
    }

    /** What is received from now on is decrypted elsewhere first, and comes back as foreign bytes. */
    void encrypted() {
        encrypted = true;
    }

    /** No further receive in this turn. */
    void hold() {
        held = true;
    }

    /** Takes what {@code channelRead} was given: the reference that {@link #allocate} handed out, or foreign bytes. */
    @SuppressWarnings("ReferenceEquality") // Two buffers of the same bytes are equal, and not the same.
    void accept(ByteBuf received) {
        if (received != buffer && received != diversion) {
            append(received);
        }
        received.release();
    }

    /** Consumes all that has arrived. */
    void discard() {
        ByteBuf current = arrived();
        current.readerIndex(current.writerIndex());
    }

    private void append(ByteBuf foreign) {
        ByteBuf payload = diversion;
        if (payload != null) {
            payload.writeBytes(foreign, Math.min(foreign.readableBytes(), payload.writableBytes()));
        }
        if (foreign.isReadable()) {
            room(foreign.readableBytes()).writeBytes(foreign);
        }
    }

    private ByteBuf header() {
        ByteBuf current = header;
        if (current == null) {
            current = allocator.directBuffer(Transmission.REQUEST_SIZE, Transmission.REQUEST_SIZE);
            header = current;
        }
        return current.clear();
    }

    /** The buffer with at least {@code least} bytes to write; what has not been consumed is kept. */
    private ByteBuf room(int least) {
        ByteBuf current = buffer;
        if (current == null) {
            current = loop.receiveBuffer();
            buffer = current;
        }
        if (!current.isReadable() && current.refCnt() == 1) {
            current.clear();
        }
        if (current.capacity() - current.writerIndex() >= least) {
            return current;
        }
        int kept = current.readableBytes();
        if (current.refCnt() == 1 && current.capacity() - kept >= least) {
            return current.discardReadBytes();
        }
        // Slices of it are in the device, or a client that has closed its end had more under way than fits.
        int capacity = Math.max(CAPACITY, Integer.highestOneBit(kept + least) << 1);
        ByteBuf next = capacity == CAPACITY ? loop.receiveBuffer() : allocator.directBuffer(capacity);
        next.writeBytes(current);
        buffer = next;
        current.release();
        shrink();
        if (capacity > CAPACITY) {
            if (credit.takeNow(capacity)) {
                grown = capacity;
            } else {
                overflows = true;
            }
        }
        return next;
    }

    void release() {
        shrink();
        if (buffer != null) {
            buffer.release();
            buffer = null;
        }
        if (header != null) {
            header.release();
            header = null;
        }
        diversion = null;
    }

    @Override
    public ExtendedHandle newHandle() {
        return this;
    }

    @Override
    public ByteBuf allocate(ByteBufAllocator ignored) {
        if (encrypted) {
            return allocator.directBuffer(ENCRYPTED);
        }
        ByteBuf payload = diversion;
        if (payload != null) {
            return payload.retain();
        }
        boolean alone = headerExpected && !arrived().isReadable();
        headerExpected = false;
        return (alone ? header() : room(LEAST_ROOM)).retain();
    }

    @Override
    public int guess() {
        return CAPACITY;
    }

    @Override
    public void reset(ChannelConfig config) {
        receives = 0;
        received = 0;
        held = false;
    }

    @Override
    public void incMessagesRead(int count) {
        receives += count;
    }

    @Override
    public void lastBytesRead(int bytes) {
        last = bytes;
        received += Math.max(0, bytes);
    }

    @Override
    public int lastBytesRead() {
        return last;
    }

    @Override
    public void attemptedBytesRead(int bytes) {
        attempted = bytes;
    }

    @Override
    public int attemptedBytesRead() {
        return attempted;
    }

    @Override
    public boolean continueReading() {
        return last == attempted && !held && receives < MOST_RECEIVES && received < MOST_BYTES;
    }

    @Override
    public boolean continueReading(UncheckedBooleanSupplier maybeMoreDataSupplier) {
        return maybeMoreDataSupplier.get() && !held && receives < MOST_RECEIVES && received < MOST_BYTES;
    }

    @Override
    public void readComplete() {}
}
