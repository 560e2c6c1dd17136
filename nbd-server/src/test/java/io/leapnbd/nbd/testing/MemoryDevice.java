package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A device in this process's memory that completes everything before the submitting call returns. Remembers which pages
 * were written, for block status. Writes that overlap in time and come from different loops are not kept apart.
 */
public final class MemoryDevice implements BlockDevice {

    private static final int PAGE = 4096;

    private final MemorySegment bytes;
    private final ByteBuf storage;
    private final boolean readOnly;
    private final boolean[] allocated;
    private final AtomicInteger openQueues = new AtomicInteger();
    private final AtomicInteger opened = new AtomicInteger();

    /** A device of {@code size} zeros; below 2 GiB. */
    public MemoryDevice(long size) {
        this(size, false);
    }

    public MemoryDevice(long size, boolean readOnly) {
        this.bytes = Arena.ofAuto().allocate(size, PAGE);
        this.storage = Unpooled.wrappedBuffer(bytes.asByteBuffer());
        this.readOnly = readOnly;
        this.allocated = new boolean[Math.toIntExact((size + PAGE - 1) / PAGE)];
    }

    /** Its bytes, to prepare and to look at from outside. */
    public MemorySegment bytes() {
        return bytes;
    }

    /** Queues that were opened and are not closed. */
    public int openQueues() {
        return openQueues.get();
    }

    /** Queues that were ever opened. */
    public int opened() {
        return opened.get();
    }

    @Override
    public long size() {
        return bytes.byteSize();
    }

    @Override
    public boolean readOnly() {
        return readOnly;
    }

    @Override
    public String description() {
        return "memory of a test";
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        opened.incrementAndGet();
        openQueues.incrementAndGet();
        return new Queue();
    }

    private void mark(long offset, long length, boolean value) {
        long first = value ? offset / PAGE : (offset + PAGE - 1) / PAGE;
        long end = value || offset + length == size() ? (offset + length + PAGE - 1) / PAGE : (offset + length) / PAGE;
        for (long page = first; page < end; page++) {
            allocated[(int) page] = value;
        }
    }

    private final class Queue implements DeviceQueue {

        @Override
        public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
            into.setBytes(index, storage, (int) offset, length);
            completion.complete(0);
        }

        @Override
        public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
            storage.setBytes((int) offset, from, index, length);
            mark(offset, length, true);
            completion.complete(0);
        }

        @Override
        public void trim(long offset, long length, boolean fua, Completion completion) {
            bytes.asSlice(offset, length).fill((byte) 0);
            mark(offset, length, false);
            completion.complete(0);
        }

        @Override
        public void writeZeroes(
                long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
            bytes.asSlice(offset, length).fill((byte) 0);
            mark(offset, length, noHole);
            completion.complete(0);
        }

        @Override
        public void flush(Completion completion) {
            completion.complete(0);
        }

        @Override
        public void cache(long offset, long length, Completion completion) {
            completion.complete(0);
        }

        @Override
        public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
            long at = offset;
            long end = offset + length;
            for (int i = 0; i < maxExtents && at < end; i++) {
                boolean value = allocated[(int) (at / PAGE)];
                long next = at;
                while (next < end && allocated[(int) (next / PAGE)] == value) {
                    next = Math.min(end, (next / PAGE + 1) * PAGE);
                }
                sink.extent(next - at, value ? 0 : ExtentSink.HOLE | ExtentSink.ZERO);
                at = next;
            }
            completion.complete(0);
        }

        @Override
        public void endOfTurn() {}

        @Override
        public void close() {
            openQueues.decrementAndGet();
        }
    }
}
