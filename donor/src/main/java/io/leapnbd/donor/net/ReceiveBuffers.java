package io.leapnbd.donor.net;

import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;

/** Receive buffers of as many bytes as there is memory for; one read in a turn of a link. */
final class ReceiveBuffers extends DefaultMaxMessagesRecvByteBufAllocator {

    private final LinkMemory memory;

    ReceiveBuffers(LinkMemory memory) {
        super(1);
        this.memory = memory;
    }

    @Override
    public ExtendedHandle newHandle() {
        return new MaxMessageHandle() {
            @Override
            public int guess() {
                return memory.receiveBytes();
            }
        };
    }
}
