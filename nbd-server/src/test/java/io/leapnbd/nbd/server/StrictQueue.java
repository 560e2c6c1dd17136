package io.leapnbd.nbd.server;

import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.testing.ForwardingQueue;
import io.netty.buffer.ByteBuf;
import java.util.List;

/** Remembers requests that break what {@link DeviceQueue} promises to a device. */
final class StrictQueue extends ForwardingQueue {

    private final long size;
    private final List<Throwable> faults;

    private StrictQueue(DeviceQueue queue, long size, List<Throwable> faults) {
        super(queue);
        this.size = size;
        this.faults = faults;
    }

    static DeviceQueue of(DeviceQueue queue, long size, List<Throwable> faults) {
        return new StrictQueue(queue, size, faults);
    }

    private void check(long offset, long length) {
        if (offset < 0 || length <= 0 || length > size || offset > size - length) {
            faults.add(new AssertionError("a range of " + length + " bytes at " + offset));
        }
    }

    private void check(ByteBuf buffer, int index, int length) {
        if (!buffer.isDirect() || buffer.refCnt() < 1 || index < 0 || index > buffer.capacity() - length) {
            faults.add(new AssertionError(length + " bytes at " + index + " of " + buffer));
        }
    }

    @Override
    public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
        check(offset, length);
        check(into, index, length);
        super.read(offset, length, into, index, completion);
    }

    @Override
    public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
        check(offset, length);
        check(from, index, length);
        super.write(offset, length, from, index, fua, completion);
    }

    @Override
    public void trim(long offset, long length, boolean fua, Completion completion) {
        check(offset, length);
        super.trim(offset, length, fua, completion);
    }

    @Override
    public void writeZeroes(
            long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
        check(offset, length);
        super.writeZeroes(offset, length, noHole, fast, fua, completion);
    }

    @Override
    public void cache(long offset, long length, Completion completion) {
        check(offset, length);
        super.cache(offset, length, completion);
    }

    @Override
    public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
        check(offset, length);
        super.blockStatus(offset, length, maxExtents, sink, completion);
    }
}
