package io.leapnbd.nbd.spi;

import io.netty.buffer.ByteBuf;

/**
 * One connection's way into a {@link BlockDevice}.
 *
 * <p><b>Threads.</b> Every method is called on the event loop that the queue was opened for, and every
 * {@link Completion} must be completed on that loop: exactly once, in any order, possibly before the submitting method
 * has returned. Nothing here may block.
 *
 * <p><b>Ranges</b> are bytes, unaligned ones too, and have been checked: {@code 0 <= offset},
 * {@code offset + length <= size()}, {@code length > 0}.
 *
 * <p><b>Buffers</b> are direct, belong to the server, and stay valid and unmoved until the completion. A device must not
 * touch one afterwards, nor change its indices at any time. It may retain a write's buffer, or a slice of it, to send it
 * on without a copy; what it retains it must release.
 *
 * <p><b>Order.</b> Requests in flight together may be done in any order, as the NBD protocol has it ("Ordering of messages
 * and writes"). When their ranges overlap, each page of 4 KiB reads as one of the versions in question, never as a mix.
 */
public interface DeviceQueue extends AutoCloseable {

    /** Reads {@code length} bytes at {@code offset} into {@code into}, from {@code index} on. */
    void read(long offset, int length, ByteBuf into, int index, Completion completion);

    /**
     * Writes {@code length} bytes of {@code from}, from {@code index} on, at {@code offset}.
     *
     * @param fua whether the data must be as safe as a flush makes it before this completes
     */
    void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion);

    /** Makes a range read as zeros and gives back its memory where that is possible. */
    void trim(long offset, long length, boolean fua, Completion completion);

    /**
     * Makes a range read as zeros.
     *
     * @param noHole whether the memory must stay allocated, so that a later write to it cannot fail for want of room
     * @param fast whether to complete with {@link NbdError#ENOTSUP}, having changed nothing, unless this is quicker
     *     than writing the zeros would be
     */
    void writeZeroes(long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion);

    /** Completes when every write that had completed before this call is as safe as the device makes it. */
    void flush(Completion completion);

    /** Advice that a range will be read soon. Completes at once or when the range is at hand; fails only on a bad range. */
    void cache(long offset, long length, Completion completion);

    /**
     * Tells what of a range is allocated, as {@code base:allocation} defines it: calls {@code sink} from the first byte
     * on without gaps, at least once and at most {@code maxExtents} times, covering the range or a leading part of it;
     * then completes.
     */
    void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion);

    /**
     * The connection has no more requests to submit for now. What was held back to be sent together must leave now.
     */
    void endOfTurn();

    /** No call will follow. Requests in flight still complete. */
    @Override
    void close();

    /** Receives extents in order. */
    @FunctionalInterface
    interface ExtentSink {

        /** {@code NBD_STATE_HOLE} of {@code base:allocation}: no memory is held. */
        int HOLE = 1;

        /** {@code NBD_STATE_ZERO} of {@code base:allocation}: reads as zeros. */
        int ZERO = 1 << 1;

        /**
         * One extent.
         *
         * @param length bytes, above zero
         * @param flags any of {@link #HOLE} and {@link #ZERO}
         */
        void extent(long length, int flags);
    }
}
