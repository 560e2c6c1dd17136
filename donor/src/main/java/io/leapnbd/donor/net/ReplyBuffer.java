package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.ReplyHeader;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import org.jspecify.annotations.Nullable;

/** Replies of one turn of a link's event loop, one after the other in as few buffers as possible. The loop's thread. */
final class ReplyBuffer {

    /** What a turn with small replies needs; the pool keeps buffers up to this size at hand for each thread. */
    private static final int USUAL = 32 << 10;

    private @Nullable ByteBuf buffer;

    /** A buffer with room for so many bytes, at its writer index. */
    ByteBuf room(ChannelHandlerContext ctx, int bytes) {
        ByteBuf current = buffer;
        if (current != null && current.writableBytes() >= bytes) {
            return current;
        }
        if (current != null) {
            write(ctx);
        }
        ByteBuf next = ctx.alloc().directBuffer(Math.max(bytes, USUAL));
        buffer = next;
        return next;
    }

    /** Adds a reply without a payload. */
    void add(ChannelHandlerContext ctx, byte operation, byte status, int cookie, int freeSlabs) {
        ByteBuf out = room(ctx, ReplyHeader.LENGTH);
        ReplyHeader.encode(out, out.writerIndex(), operation, status, cookie, 0, freeSlabs);
        out.writerIndex(out.writerIndex() + ReplyHeader.LENGTH);
    }

    /** Hands what there is to the channel, without a flush. */
    void write(ChannelHandlerContext ctx) {
        ByteBuf current = buffer;
        buffer = null;
        if (current != null) {
            if (current.isReadable()) {
                ChannelFuture _ = ctx.write(current, ctx.voidPromise());
            } else {
                current.release();
            }
        }
    }

    void release() {
        ByteBuf current = buffer;
        buffer = null;
        if (current != null) {
            current.release();
        }
    }
}
