package io.leapnbd.donor.net;

import io.leapnbd.donor.rdma.AcceptedPair;
import io.leapnbd.donor.rdma.FrameCounts;
import io.leapnbd.donor.rdma.QueuePair;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A queue pair without a device: what a test says arrives at a link, and what the link says arrives at the test. A message that finds no buffer
 * waits for one, as on a reliable connection. Its descriptor is that of a pipe, so that a real event loop waits on it. Any thread.
 */
final class MemoryPair implements AcceptedPair {

    /** What was there at a time, the first first. */
    final List<FrameCounts> shapes = new ArrayList<>();

    private final QueuePair.Completions completions;
    private final FileDescriptor[] pipe = FileDescriptor.pipe();
    private final Deque<byte[]> onTheWay = new ArrayDeque<>();
    private final Deque<Integer> receives = new ArrayDeque<>();
    private final Deque<Runnable> done = new ArrayDeque<>();
    private final BlockingQueue<byte[]> said = new LinkedBlockingQueue<>();
    private ByteBuf[] sendFrames = new ByteBuf[0];
    private ByteBuf[] receiveFrames = new ByteBuf[0];
    private boolean armed;

    /** Whether it cannot be armed, or waited on. */
    boolean failsToArm;

    boolean hasNoDescriptor;
    private boolean closed;

    MemoryPair(FrameCounts first, QueuePair.Completions completions) throws IOException {
        this.completions = completions;
        resize(first);
    }

    // What a test does.

    /** Says something to the link. */
    synchronized void say(byte[] message) {
        onTheWay.add(message);
        deliver();
    }

    /** What the link says next; null if it ends instead. */
    byte @Nullable [] hear() throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (System.nanoTime() < deadline) {
            byte[] message = said.poll(20, TimeUnit.MILLISECONDS);
            if (message != null) {
                return message;
            }
            if (isClosed() && said.isEmpty()) {
                return null;
            }
        }
        throw new AssertionError("the link says nothing, and does not end");
    }

    synchronized boolean isClosed() {
        return closed;
    }

    // What the link does.

    private void deliver() {
        while (!onTheWay.isEmpty() && !receives.isEmpty() && !closed) {
            byte[] message = onTheWay.remove();
            int slot = receives.remove();
            ByteBuf frame = receiveFrames[slot];
            if (message.length > frame.capacity()) {
                completes(() -> completions.failed(1));
                return;
            }
            frame.setBytes(0, message);
            completes(() -> completions.received(slot, message.length));
        }
    }

    private synchronized void completes(Runnable completion) {
        done.add(completion);
        if (armed && !closed) {
            armed = false;
            signal();
        }
    }

    private void signal() {
        try {
            int _ = pipe[1].write(ByteBuffer.allocateDirect(1), 0, 1);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public synchronized void resize(FrameCounts counts) {
        shapes.add(counts);
        sendFrames = frames(counts.sends(), counts.frameBytes());
        receiveFrames = frames(counts.receives(), counts.frameBytes());
        receives.clear();
        for (int i = 0; i < counts.receives(); i++) {
            receives.add(i);
        }
        deliver();
    }

    private static ByteBuf[] frames(int count, int bytes) {
        ByteBuf[] frames = new ByteBuf[count];
        for (int i = 0; i < count; i++) {
            frames[i] = Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(bytes));
        }
        return frames;
    }

    @Override
    public int descriptor() {
        return hasNoDescriptor ? 1 << 20 : pipe[0].intValue();
    }

    @Override
    public void read(int slot, long to, int localKey, int length, long from, int remoteKey) throws IOException {
        throw new IOException("a donor reads nothing");
    }

    @Override
    public synchronized ByteBuf sendFrame(int slot) {
        return sendFrames[slot];
    }

    @Override
    public synchronized void send(int slot, int length) throws IOException {
        if (closed) {
            throw new IOException("closed");
        }
        byte[] message = new byte[length];
        sendFrames[slot].getBytes(0, message);
        said.add(message);
        completes(() -> completions.sent(slot));
    }

    @Override
    public synchronized ByteBuf receiveFrame(int slot) {
        return receiveFrames[slot];
    }

    @Override
    public synchronized void receive(int slot) {
        receives.add(slot);
        deliver();
    }

    @Override
    public synchronized void arm() throws IOException {
        if (failsToArm) {
            throw new IOException("cannot be armed");
        }
        armed = true;
        if (!done.isEmpty()) {
            armed = false;
            signal();
        }
    }

    @Override
    public void reapAfterEvent() throws IOException {
        int _ = pipe[0].read(ByteBuffer.allocateDirect(1), 0, 1);
        arm();
        int _ = reap();
    }

    @Override
    public boolean awaitCompletions(int millis) {
        return reap() > 0;
    }

    @Override
    public int reap() {
        int count = 0;
        for (Runnable next = next(); next != null; next = next()) {
            next.run();
            count++;
        }
        return count;
    }

    private synchronized @Nullable Runnable next() {
        return closed ? null : done.poll();
    }

    @Override
    public void stop() {
        // The link closes it soon.
    }

    @Override
    public synchronized void close() throws IOException {
        if (!closed) {
            closed = true;
            pipe[0].close();
            pipe[1].close();
        }
    }
}
