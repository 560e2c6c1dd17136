package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * A datagram socket to the service manager that started this process, as {@code sd_notify(3)} uses it; the JDK has stream sockets only.
 * The address is a path, or {@code @} and an abstract name. Any thread may send; nothing is allocated then.
 */
public final class NotifySocket implements AutoCloseable {
    private static final int AF_UNIX = 1;
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SOL_SOCKET = 1;
    private static final int SO_SNDTIMEO = 21;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int PATH = 2;
    private static final int LONGEST = 108;

    /** A service manager whose queue is full has so long; then the message is lost, as if it had not been sent. */
    private static final long SEND_SECONDS = 5;

    private final Arena arena;
    private final SystemCalls calls;
    private final MemorySegment address;
    private final long addressSize;
    private final MemorySegment text;
    private final int fd;

    private NotifySocket(Arena arena, byte[] name, boolean isAbstract) throws LinuxException {
        this.arena = arena;
        calls = new SystemCalls(arena);
        // An abstract name begins with a zero and ends with the address; a path ends with a zero.
        address = arena.allocate(PATH + LONGEST + 1, 8);
        address.set(JAVA_SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(name, 0, address, JAVA_BYTE, PATH, name.length);
        if (isAbstract) {
            address.set(JAVA_BYTE, PATH, (byte) 0);
        }
        addressSize = (long) PATH + name.length + (isAbstract ? 0 : 1);
        text = arena.allocate(MOST);
        fd = (int) calls.require(Call.SOCKET, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        MemorySegment patience = arena.allocate(16, 8);
        patience.set(JAVA_LONG, 0, SEND_SECONDS);
        calls.call(Call.SETSOCKOPT, fd, SOL_SOCKET, SO_SNDTIMEO, patience.address(), patience.byteSize());
    }

    /** Bytes of the longest message. */
    public static final int MOST = 1024;

    /**
     * A socket that sends to this address; whether anybody listens shows when something is sent.
     *
     * @param address as in {@code NOTIFY_SOCKET}
     * @throws IllegalArgumentException if it is neither a path nor an abstract name, or too long
     */
    public static NotifySocket to(String address) throws LinuxException {
        byte[] name = address.getBytes(StandardCharsets.UTF_8);
        boolean isAbstract = address.startsWith("@");
        if (!isAbstract && !address.startsWith("/")) {
            throw new IllegalArgumentException("'" + address + "' is neither a path nor an abstract socket's @name");
        }
        if (name.length < 2 || name.length > LONGEST - (isAbstract ? 0 : 1)) {
            throw new IllegalArgumentException(
                    "a socket's address has 2 to " + (LONGEST - 1) + " bytes; this one has " + name.length);
        }
        Arena arena = Arena.ofShared();
        try {
            return new NotifySocket(arena, name, isAbstract);
        } catch (LinuxException e) {
            arena.close();
            throw e;
        }
    }

    /**
     * Sends one message; waits for 5 s at most.
     *
     * @param message lines like {@code READY=1}, of {@link #MOST} bytes at most
     */
    public void send(String message) throws LinuxException {
        send(message.getBytes(StandardCharsets.UTF_8));
    }

    /** As {@link #send(String)}, of bytes that are there already. */
    public synchronized void send(byte[] message) throws LinuxException {
        if (message.length > MOST) {
            throw new IllegalArgumentException(
                    "a message has at most " + MOST + " bytes; this one has " + message.length);
        }
        MemorySegment.copy(message, 0, text, JAVA_BYTE, 0, message.length);
        calls.require(Call.SENDTO, fd, text.address(), message.length, MSG_NOSIGNAL, address.address(), addressSize);
    }

    @Override
    public synchronized void close() {
        calls.call(Call.CLOSE, fd);
        arena.close();
    }
}
