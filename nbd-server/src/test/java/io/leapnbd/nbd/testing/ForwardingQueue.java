package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;

/** Hands everything on; a fault is put in by overriding. */
public abstract class ForwardingQueue implements DeviceQueue {

    private final DeviceQueue queue;

    protected ForwardingQueue(DeviceQueue queue) {
        this.queue = queue;
    }

    /** How a request gets to the device: at once, unless overridden. */
    protected void submit(Completion completion, Runnable request) {
        request.run();
    }

    @Override
    public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
        submit(completion, () -> queue.read(offset, length, into, index, completion));
    }

    @Override
    public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
        submit(completion, () -> queue.write(offset, length, from, index, fua, completion));
    }

    @Override
    public void trim(long offset, long length, boolean fua, Completion completion) {
        submit(completion, () -> queue.trim(offset, length, fua, completion));
    }

    @Override
    public void writeZeroes(
            long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
        submit(completion, () -> queue.writeZeroes(offset, length, noHole, fast, fua, completion));
    }

    @Override
    public void flush(Completion completion) {
        submit(completion, () -> queue.flush(completion));
    }

    @Override
    public void cache(long offset, long length, Completion completion) {
        submit(completion, () -> queue.cache(offset, length, completion));
    }

    @Override
    public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
        submit(completion, () -> queue.blockStatus(offset, length, maxExtents, sink, completion));
    }

    @Override
    public void endOfTurn() {
        queue.endOfTurn();
    }

    @Override
    public void close() {
        queue.close();
    }
}
