package io.leapnbd.nbd.server;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * What the connections of one event loop share of buffers. A receive buffer serves one connection after the other, so that
 * idle ones have none. Belongs to the loop.
 */
final class LoopBuffers {

    /** Bytes given to requests between two looks at the allocator. */
    static final long SAMPLE_BYTES = 512 << 10;

    private final ByteBudget budget;
    private final ByteBufAllocator allocator;
    private @Nullable ByteBuf spare;
    private long taken;
    private int users;

    LoopBuffers(ByteBudget budget, ByteBufAllocator allocator) {
        this.budget = budget;
        this.allocator = allocator;
    }

    /** Notes that buffers of so many bytes are about to be allocated on this loop. */
    void taken(long bytes) {
        taken += bytes;
        if (taken >= SAMPLE_BYTES) {
            taken = 0;
            budget.sample();
        }
    }

    /** An empty buffer of {@link ReceiveBuffer#CAPACITY}. */
    ByteBuf receiveBuffer() {
        ByteBuf kept = spare;
        if (kept != null) {
            spare = null;
            return kept;
        }
        return allocator.directBuffer(ReceiveBuffer.CAPACITY);
    }

    /** Takes back a buffer of {@link ReceiveBuffer#CAPACITY} that nobody else refers to. */
    void giveBack(ByteBuf buffer) {
        if (spare == null && users > 0) {
            spare = buffer.clear();
        } else {
            buffer.release();
        }
    }

    /** One more connection. */
    void enter() {
        users++;
    }

    /** One fewer; with the last one the memory goes. */
    void leave() {
        if (--users == 0 && spare != null) {
            spare.release();
            spare = null;
        }
    }
}
