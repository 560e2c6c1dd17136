package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.RequestHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * The beginning of a request that has not arrived whole: half a request never has an effect. Memory for its payload is taken when its header
 * is there, and is known to be right. The link's thread.
 */
final class PartialRequest {

    private final ByteBufAllocator allocator;
    private final LinkMemory.Account memory;
    private @Nullable ByteBuf bytes;

    /** How many of them count as used memory. */
    private int counted;

    private boolean whole;

    /** None has begun. */
    PartialRequest(ByteBufAllocator allocator, LinkMemory.Account memory) {
        this.allocator = allocator;
        this.memory = memory;
    }

    /** Whether one has begun, and not been dropped. */
    boolean begun() {
        return bytes != null;
    }

    /** Takes what is missing of the header, and begins with it if none has begun; returns it when it is whole, and null before. */
    @Nullable
    ByteBuf header(ByteBuf in) {
        ByteBuf part = bytes;
        if (part == null) {
            memory.force(RequestHeader.LENGTH);
            counted = RequestHeader.LENGTH;
            part = allocator.directBuffer(RequestHeader.LENGTH);
            bytes = part;
        }
        if (part.writerIndex() < RequestHeader.LENGTH) {
            part.writeBytes(in, Math.min(in.readableBytes(), RequestHeader.LENGTH - part.writerIndex()));
        }
        return part.writerIndex() < RequestHeader.LENGTH ? null : part;
    }

    /** Makes room for a request of so many bytes, header included; false if it has to wait for memory. */
    boolean takeMemory(int length) {
        if (counted < length) {
            if (!memory.take(length - counted)) {
                return false;
            }
            counted = length;
            if (bytes != null) {
                bytes.capacity(length);
            }
        }
        return true;
    }

    /** Takes what is missing of a request of so many bytes, for which there is room; whether it is whole. */
    boolean take(ByteBuf in, int length) {
        ByteBuf part = bytes;
        if (part == null) {
            return false;
        }
        part.writeBytes(in, Math.min(in.readableBytes(), length - part.writerIndex()));
        whole = part.writerIndex() == length;
        return whole;
    }

    /** The request, if it has arrived whole by now and was not dropped. */
    @Nullable
    ByteBuf whole() {
        return whole ? bytes : null;
    }

    /** Forgets it; it was answered, or will not arrive any more. */
    void drop() {
        ByteBuf part = bytes;
        bytes = null;
        if (part != null) {
            part.release();
            memory.give(counted);
        }
        counted = 0;
        whole = false;
    }
}
