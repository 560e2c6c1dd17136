package io.leapnbd.donor.net;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * Where a link's bytes arrive: in buffers of as many bytes as there is memory for, or in a {@link PartialRequest} of which much is missing. One
 * read in a turn of a link.
 */
final class ReceiveBuffers extends DefaultMaxMessagesRecvByteBufAllocator {

    private final LinkMemory memory;
    private final PartialRequest partial;

    ReceiveBuffers(LinkMemory memory, PartialRequest partial) {
        super(1);
        this.memory = memory;
        this.partial = partial;
    }

    @Override
    public ExtendedHandle newHandle() {
        return new MaxMessageHandle() {
            @Override
            public int guess() {
                return memory.receiveBytes();
            }

            @Override
            public ByteBuf allocate(ByteBufAllocator allocator) {
                @Nullable ByteBuf missing = partial.receives();
                return missing != null ? missing.retain() : super.allocate(allocator);
            }
        };
    }
}
