package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * Does the requests that are in flight together in an order of its own, some at once, some later in the same turn, some up
 * to a millisecond later, as a device over a network does.
 */
public final class ReorderingDevice implements BlockDevice {

    private final BlockDevice device;
    private final long seed;

    public ReorderingDevice(BlockDevice device, long seed) {
        this.device = device;
        this.seed = seed;
    }

    @Override
    public long size() {
        return device.size();
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        return new Queue(device.open(loop), loop, new Random(seed));
    }

    private static final class Queue implements DeviceQueue {

        private final DeviceQueue queue;
        private final EventLoop loop;
        private final Random random;

        private Queue(DeviceQueue queue, EventLoop loop, Random random) {
            this.queue = queue;
            this.loop = loop;
            this.random = random;
        }

        private void later(Runnable work) {
            switch (random.nextInt(3)) {
                case 0 -> work.run();
                case 1 -> loop.execute(work);
                default -> {
                    var _ = loop.schedule(work, random.nextInt(1000), TimeUnit.MICROSECONDS);
                }
            }
        }

        @Override
        public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
            later(() -> queue.read(offset, length, into, index, completion));
        }

        @Override
        public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
            later(() -> queue.write(offset, length, from, index, fua, completion));
        }

        @Override
        public void trim(long offset, long length, boolean fua, Completion completion) {
            later(() -> queue.trim(offset, length, fua, completion));
        }

        @Override
        public void writeZeroes(
                long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
            later(() -> queue.writeZeroes(offset, length, noHole, fast, fua, completion));
        }

        @Override
        public void flush(Completion completion) {
            later(() -> queue.flush(completion));
        }

        @Override
        public void cache(long offset, long length, Completion completion) {
            later(() -> queue.cache(offset, length, completion));
        }

        @Override
        public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
            later(() -> queue.blockStatus(offset, length, maxExtents, sink, completion));
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
}
