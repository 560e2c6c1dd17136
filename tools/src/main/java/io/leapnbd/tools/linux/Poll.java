package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A fixed-size set of descriptors for {@code ppoll(2)}. Filled anew before every wait; allocates nothing after it was
 * made. Belongs to one thread.
 */
public final class Poll implements AutoCloseable {
    public static final int IN = 0x1;
    public static final int OUT = 0x4;
    public static final int ERR = 0x8;
    public static final int HUP = 0x10;
    public static final int RDHUP = 0x2000;

    // struct pollfd { int fd; short events; short revents; }
    private static final long ENTRY = 8;
    private static final long FD = 0;
    private static final long EVENTS = 4;
    private static final long REVENTS = 6;
    // struct timespec { long tv_sec; long tv_nsec; }
    private static final long SECONDS = 0;
    private static final long NANOS = 8;

    private final Arena arena = Arena.ofShared();
    private final SystemCalls calls = new SystemCalls(arena);
    private final MemorySegment timeout = arena.allocate(16, 8);
    private final MemorySegment entries;
    private final int capacity;
    private int size;

    /** For at most {@code capacity} descriptors. */
    public Poll(int capacity) {
        this.capacity = capacity;
        entries = arena.allocate(ENTRY * capacity, 8);
    }

    public void clear() {
        size = 0;
    }

    /** Adds a descriptor; returns its place, for {@link #ready}. */
    public int add(int fd, int events) {
        if (size == capacity) {
            throw new IllegalStateException("no room for another descriptor");
        }
        long entry = ENTRY * size;
        entries.set(JAVA_INT, entry + FD, fd);
        entries.set(JAVA_SHORT, entry + EVENTS, (short) events);
        entries.set(JAVA_SHORT, entry + REVENTS, (short) 0);
        return size++;
    }

    /** Waits until one is ready or the time is up; returns how many are ready. A signal ends the wait early with 0. */
    public int await(long nanos) throws LinuxException {
        long wait = Math.max(nanos, 0);
        timeout.set(JAVA_LONG, SECONDS, wait / 1_000_000_000);
        timeout.set(JAVA_LONG, NANOS, wait % 1_000_000_000);
        long ready = calls.call(Call.PPOLL, entries.address(), size, timeout.address(), 0, 0);
        if (ready == -Errno.EINTR) {
            for (int i = 0; i < size; i++) {
                entries.set(JAVA_SHORT, ENTRY * i + REVENTS, (short) 0);
            }
            return 0;
        }
        if (ready < 0) {
            throw new LinuxException("poll", (int) -ready);
        }
        return (int) ready;
    }

    /** The events that were seen at this place; 0 for none. */
    public int ready(int place) {
        return entries.get(JAVA_SHORT, ENTRY * place + REVENTS) & 0xffff;
    }

    @Override
    public void close() {
        arena.close();
    }
}
