package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.List;

/**
 * Holds every request until a test lets it through: one that is in flight for as long as the test likes, completed in the
 * order that it likes. A device behind it does the work when a request is let through.
 */
public final class GatedDevice implements BlockDevice {

    private final BlockDevice device;
    private final List<Waiting> waiting = new ArrayList<>();
    private boolean open;

    private record Waiting(EventLoop loop, Runnable work, Completion completion) {}

    public GatedDevice(BlockDevice device) {
        this.device = device;
    }

    @Override
    public long size() {
        return device.size();
    }

    /** Requests that wait at the gate. */
    public synchronized int waiting() {
        return waiting.size();
    }

    /** Lets the {@code index}th of those that wait through. */
    public void admit(int index) {
        Waiting one = take(index);
        one.loop.execute(one.work);
    }

    /** Fails the {@code index}th of those that wait. */
    public void fail(int index, int error) {
        Waiting one = take(index);
        one.loop.execute(() -> one.completion.complete(error));
    }

    private synchronized Waiting take(int index) {
        return waiting.remove(index);
    }

    /** Lets all through, and those that follow. */
    public void openGate() {
        List<Waiting> all;
        synchronized (this) {
            open = true;
            all = List.copyOf(waiting);
            waiting.clear();
        }
        all.forEach(one -> one.loop.execute(one.work));
    }

    private void arrive(EventLoop loop, Completion completion, Runnable work) {
        synchronized (this) {
            if (!open) {
                waiting.add(new Waiting(loop, work, completion));
                return;
            }
        }
        work.run();
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        return new Queue(device.open(loop), loop);
    }

    private final class Queue implements DeviceQueue {

        private final DeviceQueue queue;
        private final EventLoop loop;

        private Queue(DeviceQueue queue, EventLoop loop) {
            this.queue = queue;
            this.loop = loop;
        }

        @Override
        public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
            arrive(loop, completion, () -> queue.read(offset, length, into, index, completion));
        }

        @Override
        public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
            arrive(loop, completion, () -> queue.write(offset, length, from, index, fua, completion));
        }

        @Override
        public void trim(long offset, long length, boolean fua, Completion completion) {
            arrive(loop, completion, () -> queue.trim(offset, length, fua, completion));
        }

        @Override
        public void writeZeroes(
                long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
            arrive(loop, completion, () -> queue.writeZeroes(offset, length, noHole, fast, fua, completion));
        }

        @Override
        public void flush(Completion completion) {
            arrive(loop, completion, () -> queue.flush(completion));
        }

        @Override
        public void cache(long offset, long length, Completion completion) {
            arrive(loop, completion, () -> queue.cache(offset, length, completion));
        }

        @Override
        public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
            arrive(loop, completion, () -> queue.blockStatus(offset, length, maxExtents, sink, completion));
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
