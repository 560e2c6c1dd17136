package io.leapnbd.nbd.spi;

import io.netty.channel.EventLoop;

/**
 * Sees every request end. One observer serves all connections of one event loop and is called on that loop only, so it
 * needs no locks. It must neither block nor allocate: it runs once a request.
 */
@FunctionalInterface
public interface RequestObserver {

    /**
     * A request has ended and its reply has been queued, also one that was refused before it reached the device.
     *
     * @param offset first byte as the client sent it; unchecked when {@code error} is not 0
     * @param length bytes, 0..2^32-1; unchecked when {@code error} is not 0
     * @param error 0, or the {@link NbdError#code() code} of an {@link NbdError}
     * @param startNanos {@link System#nanoTime} when the loop took up what the connection had received; the request, or the
     *     header of a write, was part of it
     * @param endNanos {@link System#nanoTime} when the device completed it, by the device's own word if it gives one
     */
    void requestEnded(Command command, long offset, long length, int error, long startNanos, long endNanos);

    /** Makes the observers of a server. */
    @FunctionalInterface
    interface Factory {

        /** Called at most once a loop, on {@code loop}, when its first connection starts the transmission phase. */
        RequestObserver open(EventLoop loop);
    }
}
