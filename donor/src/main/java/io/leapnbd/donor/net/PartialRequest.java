package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.RequestHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * The beginning of a request that has not arrived whole: half a request never has an effect. Memory for its payload is taken when its header
 * is there, and is known to be right. While much of it is missing it is received here, and not copied. The link's thread.
 */
final class PartialRequest {

    /** When at least this many bytes are missing, they are received where they will stay. */
    private static final int LEAST_RECEIVED = 16 << 10;

    private final ByteBufAllocator allocator;
    private final LinkMemory.Account memory;
    private @Nullable ByteBuf bytes;

    /** How many of them count as used memory. */
    private int counted;

    /** Its length, header included; 0 before there is memory for it. */
    private int length;

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
    boolean takeMemory(int bytesInAll) {
        if (counted < bytesInAll) {
            if (!memory.take(bytesInAll - counted)) {
                return false;
            }
            counted = bytesInAll;
            if (bytes != null) {
                bytes.capacity(bytesInAll);
            }
        }
        length = bytesInAll;
        return true;
    }

    /** Takes what is missing of it, once there is room. */
    void take(ByteBuf in) {
        ByteBuf part = bytes;
        if (part != null) {
            part.writeBytes(in, Math.min(in.readableBytes(), missing(part)));
        }
    }

    /** Where the next bytes of the link are to be received, up to its capacity; null if not here. */
    @Nullable
    ByteBuf receives() {
        ByteBuf part = bytes;
        return part != null && missing(part) >= LEAST_RECEIVED ? part : null;
    }

    /** Whether bytes that the link has received are here already. */
    @SuppressWarnings("ReferenceEquality") // Two buffers of the same bytes are equal, and not the same.
    boolean has(ByteBuf received) {
        return received == bytes;
    }

    /** The request, if it has arrived whole by now and was not dropped. */
    @Nullable
    ByteBuf whole() {
        ByteBuf part = bytes;
        return part != null && length > 0 && missing(part) == 0 ? part : null;
    }

    private int missing(ByteBuf part) {
        return length - part.writerIndex();
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
        length = 0;
    }
}
