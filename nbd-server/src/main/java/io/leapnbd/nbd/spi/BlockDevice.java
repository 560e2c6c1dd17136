package io.leapnbd.nbd.spi;

import io.netty.channel.EventLoop;

/**
 * A device that can be exported: a fixed number of bytes that are read and written at any offset.
 *
 * <p>A device is shared by all connections and threads; a {@link DeviceQueue} belongs to one connection and one event
 * loop, as a hardware queue of a multi-queue block device belongs to one processor. What two queues of a device do is
 * coherent: once a write has completed on one, a read that is submitted on any other returns it. That is what
 * {@code NBD_FLAG_CAN_MULTI_CONN} promises, and the server advertises it for every device.
 */
public interface BlockDevice {

    /** Size in bytes; above zero, and the same for as long as the device lives. */
    long size();

    /** Whether writes, trims and zeroes are refused with {@code EPERM} before they reach a queue. */
    default boolean readOnly() {
        return false;
    }

    /** One line for people, sent as {@code NBD_INFO_DESCRIPTION}; at most 4,096 bytes in UTF-8, or empty. */
    default String description() {
        return "";
    }

    /**
     * Opens a queue for one connection. Called on {@code loop}; must not block.
     *
     * @param loop the only thread that will call the queue, and the one on which it must complete requests
     */
    DeviceQueue open(EventLoop loop);
}
