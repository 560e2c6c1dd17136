package io.leapnbd.donor.rdma;

import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.Future;
import java.io.UncheckedIOException;
import org.jspecify.annotations.Nullable;

/**
 * A descriptor of somebody else's that an event loop waits on along with its sockets. Level-triggered: whoever is told that it
 * is readable has to read until it is not. Every method is called on the loop.
 */
public final class Watched implements EpollIoHandle {

    private final FileDescriptor descriptor;
    private final Runnable readable;
    private @Nullable IoRegistration registration;

    private Watched(int descriptor, Runnable readable) {
        this.descriptor = new FileDescriptor(descriptor);
        this.readable = readable;
    }

    /**
     * Has {@code readable} run on the loop, of Netty's epoll transport, whenever there is something to read.
     *
     * @throws IllegalStateException if the loop cannot wait on it
     */
    public static Watched on(IoEventLoop loop, int descriptor, Runnable readable) {
        Watched watched = new Watched(descriptor, readable);
        Future<IoRegistration> registered = loop.register(watched);
        if (!registered.isSuccess()) {
            throw new IllegalStateException(
                    "the event loop does not wait on descriptor " + descriptor, registered.cause());
        }
        IoRegistration registration = registered.getNow();
        watched.registration = registration;
        try {
            long _ = registration.submit(EpollIoOps.EPOLLIN);
        } catch (UncheckedIOException e) {
            watched.cancel();
            throw new IllegalStateException("the event loop does not wait on descriptor " + descriptor, e);
        }
        return watched;
    }

    @Override
    public FileDescriptor fd() {
        return descriptor;
    }

    @Override
    public void handle(IoRegistration from, IoEvent event) {
        if (registration != null) {
            readable.run();
        }
    }

    /** Ends the watching; the descriptor stays open. */
    public void cancel() {
        IoRegistration ended = registration;
        registration = null;
        if (ended != null) {
            boolean _ = ended.cancel();
        }
    }

    /** The loop ends. */
    @Override
    public void close() {
        cancel();
    }
}
