package io.leapnbd.donor.store;

import java.util.concurrent.atomic.AtomicBoolean;

/** A slab whose memory others than the store read; see {@link SlabExposures#expose}. Any thread. */
public final class Exposure implements AutoCloseable {

    private final byte status;
    private final long address;
    private final int length;
    private final Runnable leave;
    private final AtomicBoolean closed = new AtomicBoolean();

    Exposure(byte status, long address, int length, Runnable leave) {
        this.status = status;
        this.address = address;
        this.length = length;
        this.leave = leave;
    }

    /** One of {@link io.leapnbd.donor.protocol.Status}; if it is not OK there is no memory. */
    public byte status() {
        return status;
    }

    /** Address of the slab's first byte. */
    public long address() {
        return address;
    }

    /** Bytes of the slab. */
    public int length() {
        return length;
    }

    /** Says that nobody reads the memory any more. */
    @Override
    public void close() {
        if (!closed.getAndSet(true)) {
            leave.run();
        }
    }
}
