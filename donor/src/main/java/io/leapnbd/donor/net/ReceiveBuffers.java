package io.leapnbd.donor.net;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * Where a link's bytes arrive: in buffers of as many bytes as there is memory for, or in a {@link PartialRequest} of which much is missing. One
 * read in a turn of a link. What TLS has to decrypt first arrives in buffers of its own; it is done with each at once, also when a record is not whole.
 */
final class ReceiveBuffers extends DefaultMaxMessagesRecvByteBufAllocator {

    private final LinkMemory memory;
    private @Nullable PartialRequest partial;

    private ReceiveBuffers(LinkMemory memory, @Nullable PartialRequest partial) {
        super(1);
        this.memory = memory;
        this.partial = partial;
    }

    /** Of a link that says what it means. */
    static ReceiveBuffers plain(LinkMemory memory, PartialRequest partial) {
        return new ReceiveBuffers(memory, partial);
    }

    /** Of a link over TLS. */
    static ReceiveBuffers encrypted(LinkMemory memory) {
        return new ReceiveBuffers(memory, null);
    }

    /** Of a link that says what it means from here on. */
    void inClear(PartialRequest from) {
        partial = from;
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
                ByteBuf missing = partial == null ? null : partial.receives();
                return missing != null ? missing.retain() : super.allocate(allocator);
            }
        };
    }
}
