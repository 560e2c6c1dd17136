package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.*;

import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.nbd.spi.RequestObserver;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * The transmission phase of one connection ("Transmission"): decodes requests where they lie, submits them to the
 * connection's device queue, and answers them as they complete, in whatever order that is.
 *
 * <p>A request is not begun while {@link NbdServerContext#maxRequestsInFlight} or
 * {@link NbdServerContext#maxBytesInFlight} would be exceeded, while there is no {@linkplain ConnectionCredit credit} for
 * its buffer, while the client does not take replies, and when the turn has done enough; then the phase is blocked and the
 * client is not read. After DISC, or when the client has closed its end, nothing more is begun; the
 * connection closes when what was begun has been answered.
 *
 * <p>Everything here belongs to the connection's event loop.
 */
final class TransmissionPhase implements Phase {

    /** The number by which this server knows {@code base:allocation}. */
    static final int ALLOCATION_CONTEXT = 1;

    /** Extents in one block status reply. */
    static final int MAX_EXTENTS = 1024;

    /** Requests in one turn, a MiB of a range counting as one: what a device does at once must not keep others waiting. */
    private static final int MOST_WORK = 1024;

    /** A payload of at least this many bytes that has arrived whole is not copied out of the receive buffer. */
    private static final int LEAST_SLICE = 64 << 10;

    /** When at least this many bytes of a payload are missing, they are received where they will stay. */
    private static final int LEAST_DIVERSION = 16 << 10;

    /** So much of a payload, or all, must have arrived before there is a buffer for it: a header alone costs nothing. */
    private static final int LEAST_ARRIVED = 64 << 10;

    private final Connection connection;
    private final Export export;
    private final DeviceQueue queue;
    private final ReplyWriter replies;
    private final RequestChecks checks;
    private final ServerStatistics statistics;
    private final @Nullable RequestObserver observer;
    private final InFlight inFlight;
    private final ConnectionCredit credit;
    private final RefusedWrite refused = new RefusedWrite();

    private @Nullable Request incoming;
    private long payloadBytes;
    private long turnNanos;
    private long turnWork;

    /** Bytes of credit that the next request waits for; 0 when it does not. */
    private long wantsCredit;

    private boolean blocked;
    private boolean inputEnded;
    private boolean disconnecting;
    private boolean closed;

    TransmissionPhase(
            Connection connection, Export export, DeviceQueue queue, boolean structured, boolean allocationContext) {
        this.connection = connection;
        this.export = export;
        this.queue = queue;

        this.replies = new ReplyWriter(connection, structured);
        this.checks =
                new RequestChecks(export.device().size(), export.device().readOnly(), structured, allocationContext);
        this.statistics = connection.server.statistics();
        this.observer = connection.server.observer(connection.channel.eventLoop());
        NbdServerContext context = connection.server.context();
        this.inFlight = new InFlight(this, context.maxRequestsInFlight(), connection.server.maxBytesInFlight());
        this.credit = connection.credit;
    }

    String exportName() {
        return export.name();
    }

    int requestsInFlight() {
        return inFlight.requests();
    }

    long bytesInFlight() {
        return inFlight.bytes();
    }

    @Override
    public void consume() {
        blocked = false;
        turnNanos = System.nanoTime();
        consume(connection.receive.arrived());
        if (inputEnded && !blocked && !disconnecting) {
            disconnect();
        }
    }

    private void consume(ByteBuf in) {
        while (true) {
            if (disconnecting || connection.closing()) {
                connection.receive.discard();
                return;
            } else if (incoming != null) {
                if (!receivePayload(incoming, in)) {
                    return;
                }
            } else if (refused.pending()) {
                if (!refused.drain(in)) {
                    return;
                }
                answer(Command.WRITE, refused.cookie(), refused.offset(), refused.length(), refused.error());
            } else if (in.readableBytes() < REQUEST_SIZE) {
                return;
            } else if (turnWork >= MOST_WORK) {
                blocked = true;
                connection.goOnLater();
                return;
            } else if (!isThere(in)) {
                return;
            } else if (!admits(in) || !decode(in)) {
                blocked = true;
                return;
            }
        }
    }

    @Override
    public boolean blocked() {
        return blocked;
    }

    @Override
    public boolean mayProceed() {
        return turnWork < MOST_WORK
                && admits(connection.receive.arrived())
                && (wantsCredit == 0 || credit.mayTake(wantsCredit));
    }

    /** Whether the next request may be begun, as far as this connection is concerned. One that will be refused always may. */
    private boolean admits(ByteBuf in) {
        if (!connection.takesReplies() || !inFlight.hasRoom()) {
            return false;
        }
        int at = in.readerIndex();
        Command command = Command.of(in.getUnsignedShort(at + REQUEST_TYPE));
        long length = in.getUnsignedInt(at + REQUEST_LENGTH);
        boolean carriesData = command == Command.READ || command == Command.WRITE;
        return command == null || (carriesData && length > MAX_PAYLOAD) || inFlight.admits(command, length);
    }

    /** Whether enough of the next request has arrived to begin it. */
    private static boolean isThere(ByteBuf in) {
        int at = in.readerIndex();
        long length = in.getUnsignedInt(at + REQUEST_LENGTH);
        return in.getUnsignedShort(at + REQUEST_TYPE) != Command.WRITE.code()
                || length > MAX_PAYLOAD
                || in.readableBytes() - REQUEST_SIZE >= Math.min(length, LEAST_ARRIVED)
                || in.getInt(at) != REQUEST_MAGIC;
    }

    /** Takes a request on; returns false, and leaves it where it is, when there is no credit for it. */
    private boolean decode(ByteBuf in) {
        int at = in.readerIndex();
        if (in.getInt(at) != REQUEST_MAGIC) {
            connection.drop("a request does not start with the magic number");
            return true;
        }
        int flags = in.getUnsignedShort(at + REQUEST_FLAGS);
        int type = in.getUnsignedShort(at + REQUEST_TYPE);
        long cookie = in.getLong(at + REQUEST_COOKIE);
        long offset = in.getLong(at + REQUEST_OFFSET);
        long length = in.getUnsignedInt(at + REQUEST_LENGTH);
        Command command = Command.of(type);
        int error = command == null ? 0 : checks.check(command, flags, offset, length);
        long bytes = command == null || error != 0 ? 0 : bufferBytes(command, length);
        boolean slice = command == Command.WRITE && bytes > 0 && takeSlice(in, bytes);
        if (bytes > 0 && !slice && !credit.take(bytes, isToCome(command, in, bytes))) {
            wantsCredit = bytes;
            return false;
        }
        wantsCredit = 0;
        turnWork += 1 + (length >>> 20);
        in.readerIndex(at + REQUEST_SIZE);

        if (command == null) {
            if (type == CMD_DISC) {
                disconnect();
            } else {
                statistics.errorSent(NbdError.EINVAL.code());
                replies.error(cookie, NbdError.EINVAL.code());
            }
        } else if (command == Command.WRITE) {
            decodeWrite(flags, cookie, offset, length, error, in, slice);
        } else if (error != 0 || (length == 0 && command != Command.FLUSH)) {
            answer(command, cookie, offset, length, error);
        } else {
            submit(command, flags, cookie, offset, length, bytes);
        }
        return true;
    }

    /** What a request's buffer takes. */
    private long bufferBytes(Command command, long length) {
        return switch (command) {
            case READ -> length == 0 ? 0 : replies.dataStart() + length;
            case WRITE -> length;
            case BLOCK_STATUS -> ReplyWriter.BLOCK_STATUS_SIZE + MAX_EXTENTS * ReplyWriter.EXTENT_SIZE;
            case FLUSH, TRIM, CACHE, WRITE_ZEROES -> 0;
        };
    }

    private static boolean isToCome(@Nullable Command command, ByteBuf in, long bytes) {
        return command == Command.WRITE && in.readableBytes() < REQUEST_SIZE + bytes;
    }

    /**
     * Whether a payload can stay where it arrived. It keeps the whole receive buffer from being used again, so that has to be
     * paid for; when credit is short the payload is copied.
     */
    private boolean takeSlice(ByteBuf in, long bytes) {
        return bytes >= LEAST_SLICE && in.readableBytes() >= REQUEST_SIZE + bytes && credit.takeNow(in.capacity());
    }

    private void decodeWrite(int flags, long cookie, long offset, long length, int error, ByteBuf in, boolean slice) {
        if (length > MAX_DRAINED) {
            connection.drop("a write announces " + length + " bytes");
        } else if (length == 0) {
            answer(Command.WRITE, cookie, offset, length, error);
        } else if (error != 0) {
            refused.start(cookie, offset, length, error);
        } else {
            int bytes = (int) length;
            int taken = slice ? in.capacity() : bytes;
            ByteBuf payload = slice ? in.readRetainedSlice(bytes) : allocate(bytes);
            if (payload == null) {
                credit.payloadEnded();
                credit.give(taken);
                refused.start(cookie, offset, length, NbdError.ENOMEM.code());
                return;
            }
            Request request = inFlight.begin(Command.WRITE, flags, cookie, offset, length, taken, turnNanos);
            request.buffer = payload;
            if (slice) {
                submitWrite(request, payload);
            } else {
                incoming = request;
            }
        }
    }

    /** Takes more of a write's payload; returns whether it is complete now, and then the write is in the device. */
    private boolean receivePayload(Request request, ByteBuf in) {
        ByteBuf payload = request.presentBuffer();
        int missing = (int) request.length - payload.writerIndex();
        int here = Math.min(missing, in.readableBytes());
        payload.writeBytes(in, here);
        missing -= here;
        payloadBytes = payload.writerIndex();
        if (missing >= LEAST_DIVERSION) {
            connection.receive.divert(payload);
        } else {
            connection.receive.endDiversion();
        }
        if (missing > 0) {
            return false;
        }
        incoming = null;
        credit.payloadEnded();
        submitWrite(request, payload);
        return true;
    }

    private void submitWrite(Request request, ByteBuf payload) {
        boolean fua = (request.flags & CMD_FLAG_FUA) != 0;
        queue.write(request.offset, (int) request.length, payload, 0, fua, request);
    }

    private void submit(Command command, int flags, long cookie, long offset, long length, long bytes) {
        ByteBuf buffer = bytes > 0 ? allocate((int) bytes) : null;
        if (bytes > 0 && buffer == null) {
            credit.give(bytes);
            answer(command, cookie, offset, length, NbdError.ENOMEM.code());
            return;
        }
        Request request = inFlight.begin(command, flags, cookie, offset, length, bytes, turnNanos);
        request.buffer = buffer;
        boolean fua = (flags & CMD_FLAG_FUA) != 0;
        switch (command) {
            case READ -> queue.read(offset, (int) length, request.presentBuffer(), replies.dataStart(), request);
            case FLUSH -> queue.flush(request);
            case TRIM -> queue.trim(offset, length, fua, request);
            case CACHE -> queue.cache(offset, length, request);
            case WRITE_ZEROES -> {
                boolean noHole = (flags & CMD_FLAG_NO_HOLE) != 0;
                boolean fast = (flags & CMD_FLAG_FAST_ZERO) != 0;
                queue.writeZeroes(offset, length, noHole, fast, fua, request);
            }
            case BLOCK_STATUS -> {
                request.startExtents();
                int most = (flags & CMD_FLAG_REQ_ONE) != 0 ? 1 : MAX_EXTENTS;
                queue.blockStatus(offset, length, most, request, request);
            }
            case WRITE -> throw new AssertionError("a write has a payload");
        }
    }

    /** A direct buffer, or null when the system has no memory left: the process may have it, or there would be no credit. */
    private @Nullable ByteBuf allocate(int bytes) {
        try {
            return connection.allocator().directBuffer(bytes, bytes);
        } catch (OutOfMemoryError e) {
            return null;
        }
    }

    /** When what is being consumed was received. */
    long turnNanos() {
        return turnNanos;
    }

    /** Ends a request; called by the device. */
    void complete(Request request, int deviceError, long nanos) {
        if (!connection.channel.eventLoop().inEventLoop()) {
            throw new IllegalStateException("a request was completed by a thread that is not its event loop's");
        }
        if (!request.active) {
            throw new IllegalStateException("a request was completed twice");
        }
        ByteBuf buffer = request.buffer;
        long errorOffset = request.takeErrorOffset();
        int error = deviceError == 0 ? 0 : ReplyWriter.onTheWire(deviceError);
        if (error == 0 && request.command == Command.BLOCK_STATUS && request.extents() == 0) {
            error = NbdError.EIO.code();
        }
        inFlight.end(request);
        if (closed) {
            release(buffer);
            credit.give(request.credit);
            retireIfDone();
            return;
        }
        if (error == 0 && request.command == Command.READ && buffer != null) {
            replies.data(buffer, request.cookie, request.offset, (int) request.length);
            connection.giveWhenSent(request.credit);
        } else if (error == 0 && request.command == Command.BLOCK_STATUS && buffer != null) {
            replies.blockStatus(buffer, request.cookie, ALLOCATION_CONTEXT, request.extents());
            connection.giveWhenSent(request.credit);
        } else {
            release(buffer);
            credit.give(request.credit);
            if (error != 0) {
                replies.error(request.cookie, error, errorOffset);
            } else {
                replies.done(request.cookie);
            }
        }
        ended(request.command, request.offset, request.length, error, request.startNanos, nanos);
        if (disconnecting && inFlight.isEmpty()) {
            connection.closeWhenSent();
        } else {
            connection.wake();
        }
    }

    /** Answers a request that has not been to the device. */
    private void answer(Command command, long cookie, long offset, long length, int error) {
        if (error != 0) {
            replies.error(cookie, error);
        } else if (command == Command.READ) {
            replies.noData(cookie);
        } else {
            replies.done(cookie);
        }
        ended(command, offset, length, error, turnNanos, System.nanoTime());
    }

    private void ended(Command command, long offset, long length, int error, long startNanos, long endNanos) {
        statistics.requestEnded(command, length, error);
        if (observer != null) {
            observer.requestEnded(command, offset, length, error, startNanos, endNanos);
        }
    }

    private static void release(@Nullable ByteBuf buffer) {
        if (buffer != null) {
            buffer.release();
        }
    }

    private void disconnect() {
        disconnecting = true;
        abandonIncoming();
        credit.stopWaiting();
        if (inFlight.isEmpty()) {
            connection.closeWhenSent();
        }
    }

    /** Forgets a write whose payload will not arrive any more. */
    private void abandonIncoming() {
        Request request = incoming;
        if (request != null) {
            incoming = null;
            connection.receive.endDiversion();
            release(request.buffer);
            inFlight.end(request);
            credit.payloadEnded();
            credit.give(request.credit);
        }
    }

    /** Whether a payload is on its way in. */
    boolean payloadArrives() {
        return incoming != null;
    }

    /** Bytes of the present payload that have arrived. */
    long payloadBytes() {
        return payloadBytes;
    }

    /** Bytes that it will have. */
    long payloadLength() {
        Request request = incoming;
        return request == null ? 0 : request.length;
    }

    /** When it began. */
    long payloadSinceNanos() {
        Request request = incoming;
        return request == null ? 0 : request.startNanos;
    }

    @Override
    public void turnBegins() {
        turnWork = 0;
    }

    @Override
    public void endOfTurn() {
        queue.endOfTurn();
    }

    /** As if it had said goodbye, behind what has arrived. */
    @Override
    public void inputEnded() {
        inputEnded = true;
        if (!blocked && !disconnecting && !closed) {
            disconnect();
        }
    }

    @Override
    public void closed() {
        closed = true;
        abandonIncoming();
        credit.stopWaiting();
        queue.close();
        retireIfDone();
    }

    private void retireIfDone() {
        if (inFlight.isEmpty()) {
            connection.retired();
        }
    }
}
