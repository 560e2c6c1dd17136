package io.leapnbd.nbd.client;

import static io.leapnbd.nbd.protocol.Transmission.*;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.tls.TlsFolder;
import io.netty.buffer.ByteBufAllocator;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import javax.net.ssl.SSLEngine;
import org.jspecify.annotations.Nullable;

/**
 * A client with one connection. Requests are submitted and answered apart from each other, many at once; there are calls
 * that do both for one request, too. Whatever waits, waits no longer than the timeout and then throws. One thread at a
 * time.
 *
 * <p>What is submitted is gathered, and leaves when a reply is awaited, on {@link #send}, or when there is enough of it.
 */
public final class NbdClient implements AutoCloseable {

    /** Requests in flight at once; submitting one more waits for a reply. */
    public static final int MAX_IN_FLIGHT = 1024;

    private static final int BUFFER = 256 << 10;

    private final TimedChannel channel;
    private final NegotiatedExport export;
    private final ByteBuffer out = ByteBuffer.allocateDirect(BUFFER);
    private final ByteBuffer in = ByteBuffer.allocateDirect(BUFFER).limit(0);
    private final Slot[] slots = new Slot[MAX_IN_FLIGHT];
    private final Deque<Slot> free = new ArrayDeque<>(MAX_IN_FLIGHT);
    private final Deque<NbdReply> replies = new ArrayDeque<>();
    private @Nullable Slot arriving;
    private int inFlight;

    private NbdClient(TimedChannel channel, NegotiatedExport export) {
        this.channel = channel;
        this.export = export;
        for (int i = 0; i < MAX_IN_FLIGHT; i++) {
            slots[i] = new Slot(i);
            free.add(slots[i]);
        }
    }

    /**
     * Connects and opens an export.
     *
     * @param timeout for each step of the handshake and later for each reply
     * @throws IOException when there is no server, no such export, or no answer in time
     */
    public static NbdClient connect(NbdUri uri, Duration timeout) throws IOException {
        TimedChannel channel = TimedChannel.connect(uri.address(), timeout);
        try {
            NbdHandshake.Security tls = uri.tls() ? () -> channel.startTls(engine(uri)) : null;
            return new NbdClient(channel, NbdHandshake.open(channel, uri.export(), false, tls));
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /** The server has to show a certificate for the host's name; over a Unix socket for {@code localhost}. */
    private static SSLEngine engine(NbdUri uri) throws IOException {
        String certificates = uri.certificates();
        if (certificates == null) {
            throw new IOException("the URI names no certificates; add ?tls-certificates=FOLDER");
        }
        String host = uri.host();
        return new TlsFolder(Path.of(certificates))
                .client()
                .newEngine(ByteBufAllocator.DEFAULT, host == null ? "localhost" : host, uri.port());
    }

    /** What the server has said of the export. */
    public NegotiatedExport export() {
        return export;
    }

    /** Requests that were submitted and whose reply has not come. */
    public int inFlight() {
        return inFlight;
    }

    /** Submits a read of {@code into}'s remaining bytes, which are filled when the reply comes. */
    public long submitRead(long offset, ByteBuffer into) throws IOException {
        return submit(Command.READ, 0, offset, into.remaining(), into);
    }

    /** Submits a write of {@code from}'s remaining bytes, which have been taken when this returns. */
    public long submitWrite(long offset, ByteBuffer from, boolean fua) throws IOException {
        return submit(Command.WRITE, fua ? CMD_FLAG_FUA : 0, offset, from.remaining(), from);
    }

    /**
     * Submits a request without data.
     *
     * @param command any but READ and WRITE
     * @param flags of {@code Transmission.CMD_FLAG_...}
     * @param length 0..2^32-1
     */
    public long submit(Command command, int flags, long offset, long length) throws IOException {
        if (command == Command.READ || command == Command.WRITE || command == Command.BLOCK_STATUS) {
            throw new IllegalArgumentException(command + " carries data");
        }
        return submit(command, flags, offset, length, null);
    }

    private long submit(Command command, int flags, long offset, long length, @Nullable ByteBuffer data)
            throws IOException {
        while (free.isEmpty()) {
            pump(channel.deadline());
        }
        Slot slot = free.remove();
        slot.cookie = slot.cookie + MAX_IN_FLIGHT;
        slot.into = command == Command.READ ? data : null;
        slot.active = true;
        inFlight++;
        if (out.remaining() < REQUEST_SIZE) {
            send();
        }
        out.putInt(REQUEST_MAGIC)
                .putShort((short) flags)
                .putShort((short) command.code())
                .putLong(slot.cookie)
                .putLong(offset)
                .putInt((int) length);
        if (command == Command.WRITE && data != null) {
            if (out.remaining() >= data.remaining()) {
                out.put(data);
            } else {
                send(data);
            }
        }
        return slot.cookie;
    }

    /** Sends what was gathered. */
    public void send() throws IOException {
        send(ByteBuffer.allocate(0));
    }

    private void send(ByteBuffer payload) throws IOException {
        ByteBuffer[] buffers = {out.flip(), payload};
        try {
            long deadline = channel.deadline();
            while (isUnsent(payload)) {
                if (channel.tryWrite(buffers) > 0) {
                    deadline = channel.deadline();
                } else if (isUnsent(payload)) {
                    // The server may wait for its replies to be taken before it takes more.
                    channel.await(SelectionKey.OP_WRITE | SelectionKey.OP_READ, deadline);
                    receive();
                }
            }
        } finally {
            out.clear();
        }
    }

    private boolean isUnsent(ByteBuffer payload) {
        return out.hasRemaining() || payload.hasRemaining() || channel.unsent();
    }

    /**
     * Waits for the next reply, in the order in which they come.
     *
     * @throws IllegalStateException when nothing is in flight
     * @throws IOException when none comes in time or the server has gone
     */
    public NbdReply await() throws IOException {
        long deadline = channel.deadline();
        while (true) {
            NbdReply reply = replies.poll();
            if (reply != null) {
                return reply;
            }
            if (inFlight == 0) {
                throw new IllegalStateException("no request is in flight");
            }
            pump(deadline);
        }
    }

    /** Fills {@code into} from {@code offset} on. */
    public void read(long offset, ByteBuffer into) throws IOException {
        finish("a read of " + into.remaining() + " bytes at " + offset, submitRead(offset, into));
    }

    /** Writes what remains of {@code from} at {@code offset}. */
    public void write(long offset, ByteBuffer from) throws IOException {
        finish("a write of " + from.remaining() + " bytes at " + offset, submitWrite(offset, from, false));
    }

    /** Makes a range read as zeros, and lets go of what holds it. */
    public void trim(long offset, long length) throws IOException {
        finish("a trim of " + length + " bytes at " + offset, submit(Command.TRIM, 0, offset, length));
    }

    /** Makes a range read as zeros. */
    public void zero(long offset, long length) throws IOException {
        finish("zeroing " + length + " bytes at " + offset, submit(Command.WRITE_ZEROES, 0, offset, length));
    }

    /** Advises that a range will be read soon. */
    public void cache(long offset, long length) throws IOException {
        finish("caching " + length + " bytes at " + offset, submit(Command.CACHE, 0, offset, length));
    }

    /** Makes what was written safe. */
    public void flush() throws IOException {
        finish("a flush", submit(Command.FLUSH, 0, 0, 0));
    }

    private void finish(String request, long cookie) throws IOException {
        long deadline = channel.deadline();
        Slot slot = slots[(int) cookie & (MAX_IN_FLIGHT - 1)];
        while (slot.active && slot.cookie == cookie) {
            pump(deadline);
        }
        for (Iterator<NbdReply> all = replies.iterator(); all.hasNext(); ) {
            NbdReply reply = all.next();
            if (reply.cookie() == cookie) {
                all.remove();
                if (reply.error() != 0) {
                    throw new RemoteErrorException(request, reply.error());
                }
                return;
            }
        }
        throw new IllegalStateException("the reply to " + request + " has been taken already");
    }

    /** Sends what was gathered, then takes at least one more piece of what the server sends. */
    private void pump(long deadline) throws IOException {
        if (out.position() > 0) {
            send();
        }
        while (!receive()) {
            channel.await(SelectionKey.OP_READ, deadline);
        }
    }

    /** Takes what has come; returns whether that was anything. */
    private boolean receive() throws IOException {
        in.compact();
        int bytes = channel.tryRead(in);
        in.flip();
        if (bytes < 0) {
            throw new EOFException("the server has closed the connection with " + inFlight + " requests in flight");
        }
        boolean more = true;
        while (more) {
            more = arriving != null ? takeData(arriving) : takeHeader();
        }
        return bytes > 0;
    }

    private boolean takeHeader() throws IOException {
        if (in.remaining() < SIMPLE_REPLY_SIZE) {
            return false;
        }
        if (in.getInt() != SIMPLE_REPLY_MAGIC) {
            throw new IOException("a reply of the server does not start with the magic number");
        }
        int error = in.getInt();
        long cookie = in.getLong();
        Slot slot = slots[(int) cookie & (MAX_IN_FLIGHT - 1)];
        if (!slot.active || slot.cookie != cookie) {
            throw new IOException("the server answers a request that was not made");
        }
        if (error == 0 && slot.into != null && slot.into.hasRemaining()) {
            arriving = slot;
        } else {
            end(slot, error);
        }
        return true;
    }

    private boolean takeData(Slot slot) {
        ByteBuffer into = slot.into;
        if (into != null) {
            int here = Math.min(into.remaining(), in.remaining());
            into.put(into.position(), in, in.position(), here).position(into.position() + here);
            in.position(in.position() + here);
            if (into.hasRemaining()) {
                return false;
            }
        }
        arriving = null;
        end(slot, 0);
        return true;
    }

    private void end(Slot slot, int error) {
        slot.active = false;
        slot.into = null;
        free.add(slot);
        inFlight--;
        replies.add(new NbdReply(slot.cookie, error));
    }

    /** Says goodbye ("NBD_CMD_DISC"), and waits until the server has answered what is in flight and closed. */
    public void disconnect() throws IOException {
        if (out.remaining() < REQUEST_SIZE) {
            send();
        }
        out.putInt(REQUEST_MAGIC).putShort((short) 0).putShort((short) CMD_DISC);
        out.putLong(0).putLong(0).putInt(0);
        try {
            while (true) {
                pump(channel.deadline());
            }
        } catch (EOFException e) {
            if (inFlight > 0) {
                throw e;
            }
        } finally {
            close();
        }
    }

    /** Drops the connection. */
    @Override
    public void close() throws IOException {
        channel.close();
    }

    private static final class Slot {
        long cookie;

        @Nullable
        ByteBuffer into;

        boolean active;

        Slot(int index) {
            this.cookie = index;
        }
    }
}
