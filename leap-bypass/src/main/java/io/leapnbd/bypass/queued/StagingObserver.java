package io.leapnbd.bypass.queued;

import io.netty.channel.EventLoop;

/** Is told how long requests were staged. Called on the loop that it was opened for. */
@FunctionalInterface
public interface StagingObserver {

    /**
     * A request leaves the queue for the device.
     *
     * @param write whether it changes anything
     * @param nanos since it was submitted
     */
    void staged(boolean write, long nanos);

    /** Makes one for each loop. */
    @FunctionalInterface
    interface Factory {
        StagingObserver open(EventLoop loop);
    }
}
