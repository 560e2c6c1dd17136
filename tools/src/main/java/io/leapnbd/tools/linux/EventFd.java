package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** {@code eventfd(2)}: wakes a thread that waits in {@link Poll}. {@link #signal} may be called by any thread. */
public final class EventFd implements AutoCloseable {
    private static final int EFD_NONBLOCK = 0x800;
    private static final int EFD_CLOEXEC = 0x80000;

    private final Arena arena = Arena.ofShared();
    private final SystemCalls reader = new SystemCalls(arena);
    private final SystemCalls writer = new SystemCalls(arena);
    private final MemorySegment one = arena.allocateFrom(JAVA_LONG, 1L);
    private final MemorySegment count = arena.allocate(JAVA_LONG);
    private final int fd;

    public EventFd() throws LinuxException {
        fd = (int) reader.require(Call.EVENTFD2, 0, EFD_NONBLOCK | EFD_CLOEXEC);
    }

    public int fd() {
        return fd;
    }

    public synchronized void signal() {
        writer.call(Call.WRITE, fd, one.address(), 8);
    }

    /** Forgets the signals so far. For the waiting thread only. */
    public void drain() {
        reader.call(Call.READ, fd, count.address(), 8);
    }

    @Override
    public void close() {
        reader.call(Call.CLOSE, fd);
        arena.close();
    }
}
