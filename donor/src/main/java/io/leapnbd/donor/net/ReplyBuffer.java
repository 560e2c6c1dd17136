package io.leapnbd.donor.net;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOutboundBuffer;
import org.jspecify.annotations.Nullable;

/** Replies of one turn of a link's event loop, one after the other in as few buffers as possible. The loop's thread. */
final class ReplyBuffer implements Replies {

    /** What a turn with small replies needs; the pool keeps buffers up to this size at hand for each thread. */
    private static final int USUAL = 32 << 10;

    private final Channel channel;
    private @Nullable ByteBuf buffer;

    ReplyBuffer(Channel channel) {
        this.channel = channel;
    }

    @Override
    public ByteBuf room(int bytes) {
        ByteBuf current = buffer;
        if (current != null && current.writableBytes() >= bytes) {
            return current;
        }
        if (current != null) {
            write();
        }
        ByteBuf next = channel.alloc().directBuffer(Math.max(bytes, USUAL));
        buffer = next;
        return next;
    }

    /** Hands what there is to the channel, without a flush. */
    void write() {
        ByteBuf current = buffer;
        buffer = null;
        if (current == null) {
            return;
        }
        if (!current.isReadable()) {
            current.release();
            return;
        }
        ByteBuf sent = current;
        if (current.readableBytes() < current.capacity() / 2 && waiting() > 0) {
            // It may have to wait for long: a few bytes must not keep a large buffer.
            sent = channel.alloc().directBuffer(current.readableBytes()).writeBytes(current);
            current.release();
        }
        ChannelFuture _ = channel.write(sent, channel.voidPromise());
    }

    /** Bytes that the channel has and the socket has not. */
    long waiting() {
        ChannelOutboundBuffer out = channel.unsafe().outboundBuffer();
        return out == null ? 0 : out.totalPendingWriteBytes();
    }

    void release() {
        ByteBuf current = buffer;
        buffer = null;
        if (current != null) {
            current.release();
        }
    }
}
