package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.tls.FrameTags;
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

    /** Of replies, if they go in clear; null otherwise. */
    private @Nullable FrameTags tags;

    /** Where the place of the tag is of the reply that is being written; negative: there is none. */
    private int open = -1;

    ReplyBuffer(Channel channel) {
        this.channel = channel;
    }

    /** Replies from here on have tags. What came before was handed to the channel. */
    void tagWith(FrameTags with) {
        tags = with;
    }

    @Override
    public ByteBuf room(int bytes) {
        if (tags == null) {
            return roomFor(bytes);
        }
        tag();
        ByteBuf out = roomFor(bytes + 2 * FrameTags.LENGTH);
        open = out.writerIndex();
        return out.writerIndex(open + FrameTags.LENGTH);
    }

    /** Puts the tags on the last reply: before its header, and behind a body that is no page data. */
    private void tag() {
        FrameTags with = tags;
        ByteBuf out = buffer;
        int at = open;
        open = -1;
        if (with == null || out == null || at < 0) {
            return;
        }
        int header = at + FrameTags.LENGTH;
        int body = header + ReplyHeader.LENGTH;
        int end = out.writerIndex();
        if (end < body) {
            // Room was asked for, and nothing said.
            out.writerIndex(at);
            return;
        }
        with.signHeader(out, header, ReplyHeader.LENGTH, at);
        if (end > body && ReplyHeader.operation(out, header) != Operation.READ) {
            out.writerIndex(end + FrameTags.LENGTH);
            with.signBody(out, body, end - body, end);
        }
    }

    private ByteBuf roomFor(int bytes) {
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
        tag();
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
