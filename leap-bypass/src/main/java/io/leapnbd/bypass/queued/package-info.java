/**
 * The way of a request through a block layer, rendered in user space so that it can be compared with the bypass: staged,
 * plugged, merged, sorted by an elevator, dispatched by a worker with a limited depth, completed back through the queue. Over any
 * {@link io.leapnbd.nbd.spi.BlockDevice}. The names and limits are those of Linux 6.1: {@code block/blk-mq.c},
 * {@code block/mq-deadline.c}, {@code drivers/block/nbd.c}.
 */
@NullMarked
package io.leapnbd.bypass.queued;

import org.jspecify.annotations.NullMarked;
