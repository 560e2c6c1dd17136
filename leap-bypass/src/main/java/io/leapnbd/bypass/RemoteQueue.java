package io.leapnbd.bypass;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;

/** One connection's way into the device: splits requests into parts and hands them to the loop it runs on. */
final class RemoteQueue implements DeviceQueue {

    /** Writes go in pieces of this many bytes, so that a read never waits behind more than one of them. */
    private static final int WRITE_LIMIT = 128 << 10;

    /** Bytes that one block status looks at: a word of the map for each 256 KiB. */
    private static final long STATUS_LIMIT = 1L << 30;

    private final RemoteDevice device;
    private final DeviceLoop loop;
    private final AddressMap map;

    /** By which the prefetch policy tells connections apart. */
    private final int connection;

    RemoteQueue(RemoteDevice device, DeviceLoop loop) {
        this.device = device;
        this.loop = loop;
        map = device.map();
        connection = device.connectionNumbers().take();
    }

    @Override
    public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
        ClientRequest request = loop.begin(Operation.READ, completion);
        long end = offset + length;
        for (long at = offset; at < end; ) {
            long partEnd = loop.endOfPart(at, end, DeviceLoop.frameLimit());
            loop.cached().read(request, connection, at, (int) (partEnd - at), into, index + (int) (at - offset));
            at = partEnd;
        }
        request.endSplitting();
    }

    @Override
    public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
        ClientRequest request = loop.begin(Operation.WRITE, completion);
        loop.cached().written(connection, offset, length, request.startNanos);
        long end = offset + length;
        for (long at = offset; at < end; ) {
            long partEnd = loop.endOfPart(at, end, WRITE_LIMIT);
            loop.write(request, at, (int) (partEnd - at), from, index + (int) (at - offset));
            at = partEnd;
        }
        request.endSplitting();
    }

    @Override
    public void trim(long offset, long length, boolean fua, Completion completion) {
        zero(Operation.TRIM, offset, length, false, completion);
    }

    @Override
    public void writeZeroes(
            long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
        zero(Operation.WRITE_ZEROES, offset, length, noHole, completion);
    }

    /** Parts of a small range are made at once, those of a large one a few at a time. */
    private void zero(Operation operation, long offset, long length, boolean allocate, Completion completion) {
        ClientRequest request = loop.begin(operation, completion);
        loop.cached().written(connection, offset, length, request.startNanos);
        long end = offset + length;
        if (length > (long) (RangeWalk.MOST_PARTS - 1) * map.slabSize()) {
            loop.walks().add(new RangeWalk(loop, request, offset, end, allocate));
            return;
        }
        for (long at = offset; at < end; ) {
            long partEnd = loop.endOfPart(at, end, map.slabSize());
            loop.zero(request, at, (int) (partEnd - at), allocate, operation == Operation.WRITE_ZEROES);
            at = partEnd;
        }
        request.endSplitting();
    }

    /** Done at once: an acknowledged write is in its donors' memory, and nowhere is safer. */
    @Override
    public void flush(Completion completion) {
        completion.complete(0);
    }

    /** Done when all fetches are on their way; a read that comes before one has ended waits for it. */
    @Override
    public void cache(long offset, long length, Completion completion) {
        long end = offset + length;
        long at = loop.cached().prefetch(offset, end, RangeWalk.PAGES_A_STEP);
        if (at == end) {
            completion.complete(0);
        } else {
            ClientRequest request = loop.begin(Operation.PREFETCH, completion);
            loop.walks().add(new RangeWalk(loop, request, at, end, false));
        }
    }

    /** Tells of no more than {@link #STATUS_LIMIT}; the client asks again for the rest. */
    @Override
    public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
        long end = offset + Math.min(length, STATUS_LIMIT);
        long at = offset;
        for (int extents = 0; at < end && extents < maxExtents; extents++) {
            long runEnd = map.endOfRun(at, end);
            sink.extent(runEnd - at, map.blank(at) ? ExtentSink.HOLE | ExtentSink.ZERO : 0);
            at = runEnd;
        }
        completion.complete(0);
    }

    @Override
    public void endOfTurn() {
        loop.flush();
    }

    @Override
    public void close() {
        device.connectionNumbers().giveBack(connection);
    }
}
