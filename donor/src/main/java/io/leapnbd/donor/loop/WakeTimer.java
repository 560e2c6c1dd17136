package io.leapnbd.donor.loop;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.leapnbd.donor.linux.NativeCalls;
import io.netty.channel.IoEvent;
import io.netty.channel.IoHandler;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.TimeUnit;

/**
 * Wakes a loop once at a time that it was given (timerfd_create(2)). It stays set while the loop is woken for other things, however often. A time limit of each
 * wait would be set and taken back in the processor's clock each time, which on a virtual machine costs more than a request does. On the loop.
 */
final class WakeTimer implements EpollIoHandle {

    private static final int CLOCK_MONOTONIC = 1;
    private static final int NONBLOCK_CLOEXEC = 0x80800;

    /** A struct itimerspec: the interval, which is none, and the time from now, in seconds and nanoseconds. */
    private static final int ITIMERSPEC = 32;

    private static final int SECONDS_AT = 16;
    private static final int NANOS_AT = 24;

    @SuppressWarnings("restricted")
    private static final MethodHandle TIMERFD_SETTIME = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("timerfd_settime"),
                    FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS),
                    Linker.Option.critical(false));

    private final FileDescriptor descriptor;
    private final MemorySegment time = Arena.ofAuto().allocate(ITIMERSPEC, Long.BYTES);
    private boolean set;
    private long setFor;

    private WakeTimer(int descriptor) {
        this.descriptor = new FileDescriptor(descriptor);
    }

    /**
     * Not set.
     *
     * @param handler of the loop
     * @throws IOException if the process may have no more descriptors
     */
    static WakeTimer on(IoHandler handler) throws Exception {
        int descriptor = NativeCalls.system().integer("timerfd_create", CLOCK_MONOTONIC, NONBLOCK_CLOEXEC);
        if (descriptor < 0) {
            throw new IOException("no timer can be made: error " + NativeCalls.lastError());
        }
        WakeTimer timer = new WakeTimer(descriptor);
        // Of an edge one is told once, and need not read it.
        long _ = handler.register(timer).submit(EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLET));
        return timer;
    }

    /** Wakes the loop at this time at the latest; whether it was not to be woken earlier already. */
    boolean wakeBy(long nanos, long now) {
        if (set && setFor - nanos <= 0) {
            return false;
        }
        set = true;
        setFor = nanos;
        long delay = Math.max(1, nanos - now);
        time.set(JAVA_LONG, SECONDS_AT, TimeUnit.NANOSECONDS.toSeconds(delay));
        time.set(JAVA_LONG, NANOS_AT, delay % TimeUnit.SECONDS.toNanos(1));
        int failed;
        try {
            failed = (int) TIMERFD_SETTIME.invokeExact(descriptor.intValue(), 0, time, MemorySegment.NULL);
        } catch (Throwable e) {
            throw new IllegalStateException("timerfd_settime cannot be called", e);
        }
        if (failed != 0) {
            throw new IllegalStateException("a timer cannot be set");
        }
        return true;
    }

    @Override
    public FileDescriptor fd() {
        return descriptor;
    }

    @Override
    public void handle(IoRegistration registration, IoEvent event) {
        set = false;
    }

    /** The loop ends. */
    @Override
    public void close() throws IOException {
        descriptor.close();
    }
}
