package io.leapnbd.bypass.queued;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.util.concurrent.atomic.AtomicInteger;

/** Counts the reads that reach a device. */
record CountingDevice(BlockDevice device, AtomicInteger reads) implements BlockDevice {

    @Override
    public long size() {
        return device.size();
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        DeviceQueue queue = device.open(loop);
        return new DeviceQueue() {
            @Override
            public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
                reads.incrementAndGet();
                queue.read(offset, length, into, index, completion);
            }

            @Override
            public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
                queue.write(offset, length, from, index, fua, completion);
            }

            @Override
            public void trim(long offset, long length, boolean fua, Completion completion) {
                queue.trim(offset, length, fua, completion);
            }

            @Override
            public void writeZeroes(
                    long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
                queue.writeZeroes(offset, length, noHole, fast, fua, completion);
            }

            @Override
            public void flush(Completion completion) {
                queue.flush(completion);
            }

            @Override
            public void cache(long offset, long length, Completion completion) {
                queue.cache(offset, length, completion);
            }

            @Override
            public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
                queue.blockStatus(offset, length, maxExtents, sink, completion);
            }

            @Override
            public void endOfTurn() {
                queue.endOfTurn();
            }

            @Override
            public void close() {
                queue.close();
            }
        };
    }
}
