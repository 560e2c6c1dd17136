package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.*;

import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.nbd.spi.RequestObserver;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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

    private static final Logger LOG = LoggerFactory.getLogger(TransmissionPhase.class);

    /** The number by which this server knows {@code base:allocation}. */
    static final int ALLOCATION_CONTEXT = 1;

    /** Extents in one block status reply. */
    static final int MAX_EXTENTS = 1024;

    /** Requests in one turn, a MiB of a range counting as one: what a device does at once must not keep others waiting. */
    private static final int MOST_WORK = 1024;

    /** So much of a payload, or all, must have arrived before there is a buffer for it: a header alone costs nothing. */
    private static final int LEAST_ARRIVED = 64 << 10;

    /** Right behind a write of at least {@link #LEAST_ARRIVED} that came whole, a header suffices for a payload of up to this many bytes. */
    private static final int MOST_TRUSTED = 256 << 10;

    private final Connection connection;
    private final Export export;
    private final DeviceQueue queue;
    private final ReplyWriter replies;
    private final RequestChecks checks;
    private final ServerStatistics statistics;
    private final @Nullable RequestObserver observer;
    private final InFlight inFlight;
    private final ConnectionCredit credit;
    private final IncomingPayload payload;
    private final RequestBuffers buffers;
    private final RefusedWrite refused = new RefusedWrite();

    private long turnNanos;
    private long turnWork;

    /** The last request was a large write that has arrived whole. */
    private boolean trusted;

    private boolean blocked;
    private boolean inputEnded;
    private boolean disconnecting;
    private boolean closed;

    TransmissionPhase(
            Connection connection, Export export, DeviceQueue queue, boolean structured, boolean allocationContext) {
        this.connection = connection;
        this.export = export;
        this.queue = queue;

        this.replies = new ReplyWriter(connection.replies, structured);
        this.checks =
                new RequestChecks(export.device().size(), export.device().readOnly(), structured, allocationContext);
        this.statistics = connection.server.statistics();
        this.observer = connection.server.observer(connection.channel.eventLoop());
        NbdServerContext context = connection.server.context();
        this.inFlight = new InFlight(this, context.maxRequestsInFlight(), connection.server.maxBytesInFlight());
        this.credit = connection.credit;
        this.payload = connection.payload;
        this.buffers = new RequestBuffers(connection.allocator(), credit, replies.dataStart());
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
            } else if (payload.arrives()) {
                Request write = payload.take(in);
                if (write == null) {
                    return;
                }
                submitWrite(write);
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
        return turnWork < MOST_WORK && admits(connection.receive.arrived()) && buffers.mayPay();
    }

    /** Whether the next request may be begun, as far as this connection is concerned. One that will be refused always may. */
    private boolean admits(ByteBuf in) {
        if (!connection.replies.hasRoom() || !inFlight.hasRoom()) {
            return false;
        }
        int at = in.readerIndex();
        Command command = Command.of(in.getUnsignedShort(at + REQUEST_TYPE));
        long length = in.getUnsignedInt(at + REQUEST_LENGTH);
        boolean carriesData = command == Command.READ || command == Command.WRITE;
        return command == null || (carriesData && length > MAX_PAYLOAD) || inFlight.admits(command, length);
    }

    /** Whether enough of the next request has arrived to begin it. */
    private boolean isThere(ByteBuf in) {
        int at = in.readerIndex();
        long length = in.getUnsignedInt(at + REQUEST_LENGTH);
        return in.getUnsignedShort(at + REQUEST_TYPE) != Command.WRITE.code()
                || length > MAX_PAYLOAD
                || (trusted && length <= MOST_TRUSTED)
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
        long bytes = command == null || error != 0 ? 0 : buffers.bytes(command, length);
        boolean slice = buffers.takeSlice(command, in, bytes);
        if (!buffers.pay(command, in, slice ? 0 : bytes)) {
            return false;
        }
        turnWork += 1 + (length >>> 20);
        trusted = false;
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
            ByteBuf buffer = slice ? in.readRetainedSlice(bytes) : buffers.allocate(bytes);
            if (buffer == null) {
                credit.payloadEnded();
                credit.give(taken);
                refused.start(cookie, offset, length, NbdError.ENOMEM.code());
                return;
            }
            Request request = inFlight.begin(Command.WRITE, flags, cookie, offset, length, taken, turnNanos);
            request.buffer = buffer;
            if (slice) {
                submitWrite(request);
            } else {
                payload.begin(request);
            }
        }
    }

    private void submitWrite(Request request) {
        trusted = request.length >= LEAST_ARRIVED;
        if (trusted) {
            connection.receive.expectHeader();
        }
        boolean fua = (request.flags & CMD_FLAG_FUA) != 0;
        queue.write(request.offset, (int) request.length, request.presentBuffer(), 0, fua, request);
    }

    private void submit(Command command, int flags, long cookie, long offset, long length, long bytes) {
        ByteBuf buffer = bytes > 0 ? buffers.allocate((int) bytes) : null;
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
            connection.replies.giveWhenSent(request.credit);
        } else if (error == 0 && request.command == Command.BLOCK_STATUS && buffer != null) {
            replies.blockStatus(buffer, request.cookie, ALLOCATION_CONTEXT, request.extents());
            connection.replies.giveWhenSent(request.credit);
        } else {
            release(buffer);
            credit.give(request.credit);
            if (error != 0) {
                replies.error(request.cookie, error, errorOffset);
                log(request, error, errorOffset);
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

    /** A client's user is told no more than that something failed: an operator finds here what it was. */
    private void log(Request request, int error, long errorOffset) {
        LogLimit limit = connection.server.failures();
        if (error == NbdError.EIO.code() && limit.allows()) {
            LOG.warn(
                    "{} got an I/O error: {} of {} bytes at byte {}{}{}",
                    connection.peer.name(),
                    request.command,
                    request.length,
                    request.offset,
                    errorOffset < 0 ? "" : ", first at byte " + errorOffset,
                    limit.leftOut());
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
        Request request = payload.abandon();
        if (request != null) {
            release(request.buffer);
            inFlight.end(request);
            credit.give(request.credit);
        }
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
