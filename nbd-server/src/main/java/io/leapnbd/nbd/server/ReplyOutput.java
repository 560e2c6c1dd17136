package io.leapnbd.nbd.server;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * A connection's replies on their way to the client: gathered in a turn, flushed at its end, and counted until they have left. A reply with
 * data is paid for with credit until then; of replies without there may be {@link BufferPlan#SHORT_REPLIES}. Belongs to the connection's
 * event loop.
 */
final class ReplyOutput {

    /** Room for the short replies of a turn; those of a burst of writes. */
    private static final int SHORT_REPLIES = 1024;

    private final Channel channel;
    private final ByteBufAllocator allocator;
    private final ConnectionCredit credit;
    private final StallWatch stalls;
    private final Runnable wake;
    private final ChannelFutureListener whenDrained = future -> drained();

    /** Set before anything arrives; spares each write the way through the pipeline's tail. */
    @SuppressWarnings("NullAway.Init")
    private ChannelHandlerContext context;

    private @Nullable ByteBuf shortReplies;
    private boolean transmits;
    private boolean flushNeeded;
    private boolean awaitsDrain;

    /** Credit of replies that have not left. */
    private long unsentCredit;

    /** Bytes of replies without data that have not left. */
    private long unsentShort;

    /**
     * Of a connection.
     *
     * @param stalls begins to watch while replies wait
     * @param wake has the connection take a turn
     */
    ReplyOutput(
            Channel channel, ByteBufAllocator allocator, ConnectionCredit credit, StallWatch stalls, Runnable wake) {
        this.channel = channel;
        this.allocator = allocator;
        this.credit = credit;
        this.stalls = stalls;
        this.wake = wake;
    }

    /** Before anything is written. */
    void attach(ChannelHandlerContext to) {
        context = to;
    }

    /** The handshake is over. */
    void transmits() {
        transmits = true;
    }

    /** Whether the client reads its replies, so that one more may be made for it. */
    boolean hasRoom() {
        return transmits
                ? channel.isWritable() && unsentShort < BufferPlan.SHORT_REPLIES
                : pendingBytes() < BufferPlan.SHORT_REPLIES;
    }

    /** Queues {@code reply}, to leave at the end of the turn, and takes its reference over. */
    void write(ByteBuf reply) {
        flushNeeded = true;
        Future<?> _ = context.write(reply, context.voidPromise());
    }

    /**
     * Where to append a reply of so many bytes, at most {@link #SHORT_REPLIES}; it leaves at the end of the turn. Short replies
     * share a buffer, so that one costs neither a buffer nor a place in the channel's queue.
     */
    ByteBuf shortReply(int bytes) {
        flushNeeded = true;
        ByteBuf replies = shortReplies;
        if (replies != null && replies.writableBytes() < bytes) {
            writeShortReplies();
            replies = null;
        }
        if (replies == null) {
            replies = allocator.directBuffer(SHORT_REPLIES, SHORT_REPLIES);
            shortReplies = replies;
            unsentShort += SHORT_REPLIES;
        }
        return replies;
    }

    private void writeShortReplies() {
        ByteBuf replies = shortReplies;
        if (replies != null) {
            shortReplies = null;
            write(replies);
        }
    }

    /** Bytes of credit to be given back when what was just written has left. */
    void giveWhenSent(long bytes) {
        unsentCredit += bytes;
    }

    /**
     * Sends what was written in the turn.
     *
     * @param closing whether nobody waits for room any more
     */
    void flush(boolean closing) {
        if (flushNeeded) {
            flushNeeded = false;
            writeShortReplies();
            context.flush();
            settle(closing);
        } else if (unsentCredit > 0 || unsentShort > 0) {
            settle(closing);
        }
    }

    /** Gives back the credit of replies that have left by now. */
    private void settle(boolean closing) {
        long pending = pendingBytes();
        if (unsentCredit > pending) {
            credit.give(unsentCredit - pending);
            unsentCredit = pending;
        }
        unsentShort = Math.min(unsentShort, pending);
        if (pending > 0) {
            stalls.begin();
            if (!awaitsDrain && !closing && (credit.holdsShared() || !hasRoom())) {
                awaitsDrain = true;
                channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(whenDrained);
            }
        }
    }

    /** What was written before has left, or never will. The channel has not counted that yet, so the next turn settles. */
    private void drained() {
        awaitsDrain = false;
        wake.run();
    }

    /** Bytes in the channel that have not left, replies of which a part has left counted whole. */
    private long pendingBytes() {
        ChannelOutboundBuffer replies = channel.unsafe().outboundBuffer();
        return replies == null ? 0 : replies.totalPendingWriteBytes();
    }

    /** Whether replies wait for the client to take them. */
    boolean waits() {
        return pendingBytes() > 0;
    }

    /** Sends all, and closes the channel behind it. */
    void closeWhenSent() {
        writeShortReplies();
        channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }

    /** The channel is gone, and its replies with it. */
    void release() {
        ByteBuf unsent = shortReplies;
        if (unsent != null) {
            shortReplies = null;
            unsent.release();
        }
        credit.give(unsentCredit);
        unsentCredit = 0;
    }
}
