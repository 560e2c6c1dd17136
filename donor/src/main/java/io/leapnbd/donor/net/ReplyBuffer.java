package io.leapnbd.donor.net;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import org.jspecify.annotations.Nullable;

/** Replies of one turn of a link's event loop, one after the other in as few buffers as possible. The loop's thread. */
final class ReplyBuffer implements Replies {

    /** What a turn with small replies needs; the pool keeps buffers up to this size at hand for each thread. */
    private static final int USUAL = 32 << 10;

    private @Nullable ByteBuf buffer;
    private @Nullable ChannelHandlerContext context;

    /** Where they go; told once, before the first reply. */
    void open(ChannelHandlerContext ctx) {
        context = ctx;
    }

    @Override
    public ByteBuf room(int bytes) {
        ChannelHandlerContext ctx = context;
        if (ctx == null) {
            throw new IllegalStateException("a reply before there is a channel");
        }
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
