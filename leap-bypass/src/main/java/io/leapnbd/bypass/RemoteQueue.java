package io.leapnbd.bypass;

import io.leapnbd.bypass.cache.CachedPages;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.path.ClientRequest;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.bypass.path.ReadPath;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;

/** One connection's way into the device: splits requests into parts and hands them to the loop it runs on. */
final class RemoteQueue implements DeviceQueue {

    /** Writes go in pieces of this many bytes, so that a read never waits behind more than one of them. */
    private static final int WRITE_LIMIT = 128 << 10;

    /** Bytes that one block status looks at: a word of the map for each 256 KiB. */
    private static final long STATUS_LIMIT = 1L << 30;

    private final DeviceLoop loop;
    private final CachedPages pages;
    private final AddressMap map;
    private final ConnectionNumbers connectionNumbers;

    /** By which the prefetch policy tells connections apart. */
    private final int connection;

    RemoteQueue(DeviceLoop loop, CachedPages pages, AddressMap map, ConnectionNumbers connectionNumbers) {
        this.loop = loop;
        this.pages = pages;
        this.map = map;
        this.connectionNumbers = connectionNumbers;
        connection = connectionNumbers.take();
    }

    @Override
    public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
        ClientRequest request = loop.begin(Operation.READ, completion);
        try {
            long end = offset + length;
            for (long at = offset; at < end; ) {
                long partEnd = ReadPath.endOfPart(map, at, end, Protocol.MAX_PAYLOAD);
                pages.read(request, connection, at, (int) (partEnd - at), into, index + (int) (at - offset));
                at = partEnd;
            }
        } catch (RuntimeException | Error e) {
            request.fail(e);
        }
        request.endSplitting();
    }

    @Override
    public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
        ClientRequest request = loop.begin(Operation.WRITE, completion);
        try {
            pages.changed(connection, offset, length, request.startNanos());
            pages.beginChange(request, offset, length);
            long end = offset + length;
            for (long at = offset; at < end; ) {
                long partEnd = ReadPath.endOfPart(map, at, end, WRITE_LIMIT);
                pages.write(request, at, (int) (partEnd - at), from, index + (int) (at - offset));
                at = partEnd;
            }
        } catch (RuntimeException | Error e) {
            request.fail(e);
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
        long startNanos = completion.submittedNanos();
        pages.changed(connection, offset, length, startNanos);
        new ZeroWalk(loop, pages, map, operation, allocate, offset, length, startNanos, completion).walk();
    }

    /** Done at once: an acknowledged write is in its donors' memory, and nowhere is safer. */
    @Override
    public void flush(Completion completion) {
        completion.complete(0);
    }

    /** Done when all fetches are on their way; a read that comes before one has ended waits for it. */
    @Override
    public void cache(long offset, long length, Completion completion) {
        CacheWalk.walk(loop, pages, offset, length, completion);
    }

    /**
     * {@inheritDoc} No donor is asked for that, so that the server has to know that it is still the owner. Tells of no more than {@link
     * #STATUS_LIMIT}; the client asks again for the rest.
     */
    @Override
    public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
        ClientRequest request = loop.begin(Operation.READ, completion);
        try {
            if (loop.lease().valid(request.startNanos())) {
                tell(offset, length, maxExtents, sink);
            } else {
                loop.lease().ask(request, () -> tell(offset, length, maxExtents, sink));
            }
        } catch (RuntimeException | Error e) {
            request.fail(e);
        }
        request.endSplitting();
    }

    private void tell(long offset, long length, int maxExtents, ExtentSink sink) {
        long end = offset + Math.min(length, STATUS_LIMIT);
        long at = offset;
        for (int extents = 0; at < end && extents < maxExtents; extents++) {
            long runEnd = map.endOfRun(at, end);
            sink.extent(runEnd - at, map.blank(at, runEnd - at) ? ExtentSink.HOLE | ExtentSink.ZERO : 0);
            at = runEnd;
        }
    }

    @Override
    public void endOfTurn() {
        loop.flush();
    }

    @Override
    public void close() {
        connectionNumbers.giveBack(connection);
    }
}
