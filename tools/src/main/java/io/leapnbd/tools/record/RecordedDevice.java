package io.leapnbd.tools.record;

import io.leapnbd.bypass.cache.AccessQueue;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;

/**
 * A device whose requests are put on record before they are passed on.
 *
 * @param device does the work
 * @param record takes the requests
 */
record RecordedDevice(BlockDevice device, AccessQueue record) implements BlockDevice {

    private static final int PAGE_SHIFT = 12;

    /** The most that a trace's line can say: 4 GiB, of which a trim may be one byte short and touch one page more. */
    private static final long MAX_PAGES = 1 << 20;

    @Override
    public long size() {
        return device.size();
    }

    @Override
    public boolean readOnly() {
        return device.readOnly();
    }

    @Override
    public String description() {
        return device.description();
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        return new Queue(device.open(loop), record);
    }

    /** One connection's. */
    private record Queue(DeviceQueue queue, AccessQueue record) implements DeviceQueue {

        @Override
        public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
            note(AccessQueue.READ, offset, length);
            queue.read(offset, length, into, index, completion);
        }

        @Override
        public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
            note(AccessQueue.WRITE, offset, length);
            queue.write(offset, length, from, index, fua, completion);
        }

        @Override
        public void trim(long offset, long length, boolean fua, Completion completion) {
            note(AccessQueue.TRIM, offset, length);
            queue.trim(offset, length, fua, completion);
        }

        @Override
        public void writeZeroes(
                long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
            note(AccessQueue.TRIM, offset, length);
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

        private void note(int kind, long offset, long length) {
            long first = offset >>> PAGE_SHIFT;
            long last = (offset + length - 1) >>> PAGE_SHIFT;
            boolean _ =
                    record.offer(kind, first, (int) Math.min(last - first + 1, MAX_PAGES), 0, false, System.nanoTime());
        }
    }
}
