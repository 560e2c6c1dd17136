package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;

/**
 * A connected stream socket whose descriptor can be handed to the kernel's nbd driver.
 *
 * <p>Non-blocking underneath; {@link #read} and {@link #write} wait in poll until the deadline and then throw {@link
 * SocketTimeoutException}. No receive or send timeout is set on the socket itself: the driver would inherit a receive
 * timeout and take an idle minute for a dead connection. Belongs to one thread.
 */
public final class FdChannel implements ByteChannel {
    private static final int SOCK_STREAM = 1;
    private static final int SOCK_NONBLOCK = 0x800;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SOL_SOCKET = 1;
    private static final int SO_ERROR = 4;
    private static final int SO_KEEPALIVE = 9;
    private static final int SO_SNDTIMEO = 21;
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_NODELAY = 1;
    private static final int TCP_KEEPIDLE = 4;
    private static final int TCP_KEEPINTVL = 5;
    private static final int TCP_KEEPCNT = 6;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int SHUT_RDWR = 2;
    private static final int STAGING = 16 * 1024;

    private final Arena arena = Arena.ofShared();
    private final SystemCalls calls = new SystemCalls(arena);
    private final MemorySegment staging = arena.allocate(STAGING, 8);
    private final Poll poll = new Poll(1);
    private final int fd;
    private long deadline;
    private boolean open = true;

    private FdChannel(int family, long deadline) throws LinuxException {
        this.deadline = deadline;
        long socket = calls.call(Call.SOCKET, family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (socket < 0) {
            release();
            throw new LinuxException("socket", (int) -socket);
        }
        fd = (int) socket;
    }

    /**
     * Connects.
     *
     * @param deadline of this and of what follows, by {@link System#nanoTime}
     */
    public static FdChannel connect(Endpoint endpoint, long deadline) throws IOException {
        FdChannel channel = new FdChannel(endpoint.family(), deadline);
        try {
            channel.connect(endpoint);
            return channel;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private void connect(Endpoint endpoint) throws IOException {
        MemorySegment address = endpoint.encode(arena);
        long result = calls.call(Call.CONNECT, fd, address.address(), address.byteSize());
        if (result == -Errno.EINPROGRESS) {
            await(Poll.OUT);
            result = -option(SOL_SOCKET, SO_ERROR);
        }
        if (result < 0) {
            throw new LinuxException("connect to " + endpoint, (int) -result);
        }
        if (endpoint.family() != Endpoint.AF_UNIX) {
            option(IPPROTO_TCP, TCP_NODELAY, 1);
            option(SOL_SOCKET, SO_KEEPALIVE, 1);
            option(IPPROTO_TCP, TCP_KEEPIDLE, 10);
            option(IPPROTO_TCP, TCP_KEEPINTVL, 5);
            option(IPPROTO_TCP, TCP_KEEPCNT, 3);
        }
    }

    public int fd() {
        return fd;
    }

    /** Until when the next reads and writes may wait, by {@link System#nanoTime}. */
    public void deadline(long nanoTime) {
        deadline = nanoTime;
    }

    /** The socket's own send timeout in milliseconds, 0 for none; the driver sets it when it takes a socket over. */
    public long sendTimeoutMillis() throws LinuxException {
        MemorySegment value = staging.asSlice(0, 16);
        MemorySegment length = staging.asSlice(16, 4);
        length.set(JAVA_INT, 0, 16);
        calls.require(Call.GETSOCKOPT, fd, SOL_SOCKET, SO_SNDTIMEO, value.address(), length.address());
        return value.get(JAVA_LONG, 0) * 1000 + value.get(JAVA_LONG, 8) / 1000;
    }

    /** Ends both directions for everybody who holds this socket, the driver too. */
    public void shutdown() {
        calls.call(Call.SHUTDOWN, fd, SHUT_RDWR);
    }

    private int option(int level, int name) throws LinuxException {
        MemorySegment value = staging.asSlice(0, 4);
        MemorySegment length = staging.asSlice(16, 4);
        length.set(JAVA_INT, 0, 4);
        calls.require(Call.GETSOCKOPT, fd, level, name, value.address(), length.address());
        return value.get(JAVA_INT, 0);
    }

    private void option(int level, int name, int value) throws LinuxException {
        staging.set(JAVA_INT, 0, value);
        calls.require(Call.SETSOCKOPT, fd, level, name, staging.address(), 4);
    }

    private void await(int events) throws IOException {
        while (true) {
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                throw new SocketTimeoutException("no answer in time");
            }
            poll.clear();
            poll.add(fd, events);
            if (poll.await(left) > 0) {
                return;
            }
        }
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        if (!open) {
            throw new ClosedChannelException();
        }
        int wanted = Math.min(target.remaining(), STAGING);
        if (wanted == 0) {
            return 0;
        }
        while (true) {
            long n = calls.call(Call.READ, fd, staging.address(), wanted);
            if (n > 0) {
                target.put(staging.asSlice(0, n).asByteBuffer());
                return (int) n;
            }
            if (n == 0) {
                return -1;
            }
            if (n == -Errno.EAGAIN) {
                await(Poll.IN);
            } else if (n != -Errno.EINTR) {
                throw new LinuxException("read", (int) -n);
            }
        }
    }

    /** Writes all that remains. */
    @Override
    public int write(ByteBuffer source) throws IOException {
        if (!open) {
            throw new ClosedChannelException();
        }
        int total = source.remaining();
        while (source.hasRemaining()) {
            int chunk = Math.min(source.remaining(), STAGING);
            staging.asByteBuffer().put(source.slice(source.position(), chunk));
            long n = calls.call(Call.SENDTO, fd, staging.address(), chunk, MSG_NOSIGNAL, 0, 0);
            if (n >= 0) {
                source.position(source.position() + (int) n);
            } else if (n == -Errno.EAGAIN) {
                await(Poll.OUT);
            } else if (n != -Errno.EINTR) {
                throw new LinuxException("write", (int) -n);
            }
        }
        return total;
    }

    /**
     * Sends what can be sent at once, for a thread that must not wait. Allocates nothing.
     *
     * @return how many bytes; 0 if none can be sent now; a negated error number if the connection is gone
     */
    public long sendNow(MemorySegment bytes, long from, long length) {
        if (!open) {
            return -Errno.EPIPE;
        }
        long sent = calls.call(Call.SENDTO, fd, bytes.address() + from, length, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
        return sent == -Errno.EAGAIN || sent == -Errno.EINTR ? 0 : sent;
    }

    /**
     * Receives what is there, for a thread that must not wait. Allocates nothing.
     *
     * @return how many bytes; 0 if none are there; a negated error number if the connection is gone or has been closed
     */
    public long receiveNow(MemorySegment into) {
        if (!open) {
            return -Errno.EPIPE;
        }
        long received = calls.call(Call.RECVFROM, fd, into.address(), into.byteSize(), MSG_DONTWAIT, 0, 0);
        if (received == 0) {
            return -Errno.EPIPE;
        }
        return received == -Errno.EAGAIN || received == -Errno.EINTR ? 0 : received;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    /** Closes this process's descriptor. A driver that has taken the socket over keeps it. */
    @Override
    public void close() {
        if (open) {
            open = false;
            calls.call(Call.CLOSE, fd);
            release();
        }
    }

    private void release() {
        poll.close();
        arena.close();
    }
}
