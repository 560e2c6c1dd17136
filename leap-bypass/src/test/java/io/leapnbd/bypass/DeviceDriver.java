package io.leapnbd.bypass;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;

/** Drives a device's queue from a test's thread, as a connection would from its loop; answers are error codes, 0 for success. */
final class DeviceDriver implements AutoCloseable {

    private static final long LIMIT_SECONDS = 60;

    private final EventLoop loop;
    private final LongSupplier arrivals;
    private final DeviceQueue queue;

    DeviceDriver(BlockDevice device, EventLoop loop) {
        this(device, loop, System::nanoTime);
    }

    /**
     * A driver of a clock of its own.
     *
     * @param arrivals when each request is said to have arrived
     */
    DeviceDriver(BlockDevice device, EventLoop loop, LongSupplier arrivals) {
        this.loop = loop;
        this.arrivals = arrivals;
        queue = join(supply(device, loop));
    }

    private static CompletableFuture<DeviceQueue> supply(BlockDevice device, EventLoop loop) {
        CompletableFuture<DeviceQueue> opened = new CompletableFuture<>();
        loop.execute(() -> opened.complete(device.open(loop)));
        return opened;
    }

    /** Reads, and fails the test unless it succeeds. */
    byte[] read(long offset, int length) {
        Read read = startRead(offset, length);
        int error = join(read.error());
        if (error != 0) {
            throw new AssertionError("read of " + length + " at " + offset + " ended with error " + error);
        }
        return read.bytes();
    }

    int readError(long offset, int length) {
        return join(startRead(offset, length).error());
    }

    Read startRead(long offset, int length) {
        byte[] bytes = new byte[length];
        // Not zero to begin with: a device that fills nothing must not pass for one that reads zeros.
        Arrays.fill(bytes, (byte) 0xA5);
        ByteBuf into = Unpooled.directBuffer(length + 16);
        into.writeBytes(new byte[16]).writeBytes(bytes);
        CompletableFuture<Integer> done = submit((q, completion) -> q.read(offset, length, into, 16, completion));
        return new Read(
                done.thenApply(error -> {
                    into.getBytes(16, bytes);
                    into.release();
                    return error;
                }),
                bytes);
    }

    /** Begins several reads in one turn of the loop. */
    List<Read> startReads(int length, long... offsets) {
        CompletableFuture<List<Read>> begun = new CompletableFuture<>();
        // What is submitted by a task of the loop's runs after it; nothing comes in between.
        loop.execute(() -> begun.complete(Arrays.stream(offsets)
                .mapToObj(offset -> startRead(offset, length))
                .toList()));
        return join(begun);
    }

    int write(long offset, byte... bytes) {
        return join(startWrite(offset, bytes));
    }

    CompletableFuture<Integer> startWrite(long offset, byte... bytes) {
        ByteBuf from = Unpooled.directBuffer(bytes.length).writeBytes(bytes);
        return submit((q, completion) -> q.write(offset, bytes.length, from, 0, false, completion))
                .thenApply(error -> {
                    from.release();
                    return error;
                });
    }

    int trim(long offset, long length) {
        return join(startTrim(offset, length));
    }

    CompletableFuture<Integer> startTrim(long offset, long length) {
        return submit((q, completion) -> q.trim(offset, length, false, completion));
    }

    int zero(long offset, long length, boolean noHole) {
        return join(submit((q, completion) -> q.writeZeroes(offset, length, noHole, false, false, completion)));
    }

    int cache(long offset, long length) {
        return join(submit((q, completion) -> q.cache(offset, length, completion)));
    }

    String status(long offset, long length, int maxExtents) {
        StringBuilder extents = new StringBuilder();
        join(submit((q, completion) -> q.blockStatus(
                offset,
                length,
                maxExtents,
                (bytes, flags) ->
                        extents.append(bytes).append(':').append(flags).append(' '),
                completion)));
        return extents.toString().trim();
    }

    CompletableFuture<Integer> submit(BiConsumer<DeviceQueue, Completion> request) {
        CompletableFuture<Integer> done = new CompletableFuture<>();
        loop.execute(() -> {
            request.accept(queue, new Completion() {
                @Override
                public long submittedNanos() {
                    return arrivals.getAsLong();
                }

                @Override
                public void complete(int error) {
                    if (!loop.inEventLoop()) {
                        done.completeExceptionally(new AssertionError("completed on another thread"));
                    } else if (!done.complete(error)) {
                        throw new AssertionError("completed twice");
                    }
                }
            });
            queue.endOfTurn();
        });
        return done;
    }

    /** Returns when the loop has done all that it was given before. */
    void awaitTurn() {
        CompletableFuture<Integer> done = new CompletableFuture<>();
        loop.execute(() -> done.complete(0));
        join(done);
    }

    static <T> T join(CompletableFuture<T> future) {
        try {
            return future.get(LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw new AssertionError("a request did not end properly", e);
        }
    }

    @Override
    public void close() {
        loop.execute(queue::close);
    }

    /** A read that may be under way. */
    static final class Read {

        private final CompletableFuture<Integer> error;
        private final byte[] bytes;

        Read(CompletableFuture<Integer> error, byte[] bytes) {
            this.error = error;
            this.bytes = bytes;
        }

        CompletableFuture<Integer> error() {
            return error;
        }

        byte[] bytes() {
            return bytes;
        }
    }
}
