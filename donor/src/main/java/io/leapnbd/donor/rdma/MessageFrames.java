package io.leapnbd.donor.rdma;

import com.ibm.disni.verbs.IbvQP;
import io.leapnbd.donor.memory.MappedMemory;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The buffers of a queue pair's messages, registered with no rights for the peer, and the work requests that name them. For one thread.
 *
 * <pre>
 *   memory   | send frame 0 | … | send frame n-1 | receive frame 0 | … | receive frame m-1 |
 * </pre>
 */
final class MessageFrames implements AutoCloseable {

    private final FrameCounts counts;
    private final MappedMemory memory;
    private final ByteBuf[] frames;
    private MemoryDomain.@Nullable Region region;
    private final WorkRequests requests;

    MessageFrames(MemoryDomain domain, IbvQP pair, FrameCounts counts) throws IOException {
        this.counts = counts;
        int number = counts.sends() + counts.receives();
        int frameBytes = (counts.frameBytes() + 63) & -64;
        long bytes = ((long) number * frameBytes + 4095) & -4096L;
        memory = MappedMemory.reserveSmall(bytes);
        boolean whole = false;
        try {
            memory.populate(0, bytes);
            MemoryDomain.Region registered =
                    domain.register(memory.address(), Math.toIntExact(bytes), MemoryDomain.Right.LOCAL);
            region = registered;
            frames = new ByteBuf[number];
            long[] addresses = new long[number];
            for (int i = 0; i < number; i++) {
                addresses[i] = memory.address() + (long) i * frameBytes;
                frames[i] = window(addresses[i], frameBytes);
            }
            requests = new WorkRequests(
                    pair, addresses, frameBytes, registered.localKey(), counts.reads(), counts.sends());
            whole = true;
        } finally {
            if (!whole) {
                release();
            }
        }
    }

    @SuppressWarnings("restricted")
    private static ByteBuf window(long address, int length) {
        return Unpooled.wrappedBuffer(
                MemorySegment.ofAddress(address).reinterpret(length).asByteBuffer());
    }

    WorkRequests requests() {
        return requests;
    }

    ByteBuf toSend(int slot) {
        return frames[slot];
    }

    ByteBuf received(int slot) {
        return frames[counts.sends() + slot];
    }

    /** Lets every receive buffer be filled. */
    void receiveAll() throws IOException {
        for (int i = 0; i < counts.receives(); i++) {
            requests.receive(i);
        }
    }

    /** No work request names them any more. */
    @Override
    public void close() throws IOException {
        requests.close();
        release();
    }

    private void release() throws IOException {
        MemoryDomain.Region registered = region;
        region = null;
        try {
            if (registered != null) {
                registered.close();
            }
        } finally {
            memory.close();
        }
    }
}
