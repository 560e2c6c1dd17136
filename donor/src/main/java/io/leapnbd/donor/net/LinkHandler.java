package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.SlabStore;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.DuplexChannel;
import java.io.IOException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The donor's end of one link: cuts what arrives into requests, and looks after deadlines and the peer's pace.
 *
 * <p>A request that lies whole in the receive buffer is answered from there. One that does not is gathered first, so that half
 * a request never has an effect, whatever becomes of the connection.
 *
 * <p><b>Pace.</b> Requests are only looked at while the channel is writable. Once its replies pile up, the rest of the receive
 * buffer is kept, the socket is not read, and TCP slows the peer. So a link holds at most a receive buffer, a request that is
 * being gathered, the high-water mark of replies, and one reply more.
 *
 * <p>Everything here happens on the link's event loop, except {@link #fencedOff}.
 */
final class LinkHandler extends ChannelInboundHandlerAdapter {

    private static final Logger LOG = LoggerFactory.getLogger(LinkHandler.class);

    private final ServerSettings settings;
    private final ServerCounters counters;
    private final ReplyBuffer replies = new ReplyBuffer();
    private final LinkRequests requests;

    private @Nullable ChannelHandlerContext context;

    /** What has arrived and was not looked at yet. */
    private @Nullable ByteBuf received;

    /** The beginning of a request that has not arrived whole. */
    private @Nullable ByteBuf gathered;

    /** The reply that ends the link is on its way; what still arrives is thrown away. */
    private boolean ended;

    /** Within {@link #answerAll}: a flush may report writability from inside it. */
    private boolean answering;

    private long lastHeard;

    LinkHandler(SlabStore store, ServerSettings settings, ServerCounters counters) {
        this.settings = settings;
        this.counters = counters;
        requests = new LinkRequests(
                store,
                replies,
                this::fencedOff,
                () -> settings.maxLinks() - counters.open.get(),
                Protocol.MAX_PAYLOAD,
                null,
                null);
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
        replies.open(ctx);
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        lastHeard = System.nanoTime();
        after(settings.helloTimeout().toNanos(), ctx, () -> checkHello(ctx));
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ByteBuf in = (ByteBuf) message;
        if (ended) {
            in.release();
            return;
        }
        lastHeard = System.nanoTime();
        requests.heard();
        ByteBuf before = received;
        if (before == null) {
            received = in;
        } else {
            // Arrived although the socket was not to be read any more.
            received = ctx.alloc()
                    .directBuffer(before.readableBytes() + in.readableBytes())
                    .writeBytes(before)
                    .writeBytes(in);
            before.release();
            in.release();
        }
        answerAll(ctx);
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (ctx.channel().isWritable() && !ctx.channel().config().isAutoRead()) {
            answerAll(ctx);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        release();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        release();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (cause instanceof IOException) {
            LOG.debug("{}: {}", ctx.channel().remoteAddress(), cause.getMessage());
        } else {
            LOG.error("link from {} failed", ctx.channel().remoteAddress(), cause);
        }
        close(ctx);
    }

    /** A newer server has claimed the export. Called on whichever thread served its hello. */
    private void fencedOff() {
        ChannelHandlerContext ctx = context;
        if (ctx != null) {
            try {
                ctx.executor().execute(() -> {
                    if (ctx.channel().isOpen()) {
                        counters.fencedOff.increment();
                        LOG.info(
                                "link from {} closed: a newer server owns the export",
                                ctx.channel().remoteAddress());
                        close(ctx);
                    }
                });
            } catch (RejectedExecutionException e) {
                LOG.debug("the event loop of a fenced link is gone already");
            }
        }
    }

    private void answerAll(ChannelHandlerContext ctx) {
        if (answering) {
            return;
        }
        answering = true;
        try {
            boolean paused = false;
            ByteBuf in = received;
            while (!ended && in != null && in.isReadable()) {
                if (!ctx.channel().isWritable()) {
                    // Perhaps the socket takes it at once.
                    ctx.flush();
                    if (!ctx.channel().isWritable()) {
                        paused = true;
                        break;
                    }
                }
                answerNext(ctx, in);
            }
            replies.write(ctx);
            if (!paused) {
                received = null;
                if (in != null) {
                    in.release();
                }
            }
            ctx.flush();
            pace(ctx, paused);
        } finally {
            answering = false;
        }
    }

    private void pace(ChannelHandlerContext ctx, boolean paused) {
        if (paused && ctx.channel().isWritable()) {
            // The last flush made room, and nobody else will say so.
            ctx.executor().execute(() -> answerAll(ctx));
        }
        if (paused == ctx.channel().config().isAutoRead()) {
            if (paused) {
                counters.pauses.increment();
            }
            ctx.channel().config().setAutoRead(!paused);
        }
    }

    /** Answers one request, or puts the beginning of one aside. */
    private void answerNext(ChannelHandlerContext ctx, ByteBuf in) {
        if (gathered != null || in.readableBytes() < RequestHeader.LENGTH) {
            gather(ctx, in);
            return;
        }
        int at = in.readerIndex();
        int payload = requests.payload(in, at);
        if (payload == LinkRequests.BAD) {
            refuse(ctx, in, at);
            return;
        }
        int length = RequestHeader.LENGTH + payload;
        if (in.readableBytes() < length) {
            gather(ctx, in);
            return;
        }
        answer(ctx, in, at);
        in.skipBytes(length);
    }

    private void gather(ChannelHandlerContext ctx, ByteBuf in) {
        ByteBuf whole = gathered;
        if (whole == null) {
            whole = ctx.alloc().directBuffer(RequestHeader.LENGTH);
            gathered = whole;
        }
        if (whole.writerIndex() < RequestHeader.LENGTH) {
            whole.writeBytes(in, Math.min(in.readableBytes(), RequestHeader.LENGTH - whole.writerIndex()));
            if (whole.writerIndex() < RequestHeader.LENGTH) {
                return;
            }
        }
        int payload = requests.payload(whole, 0);
        if (payload == LinkRequests.BAD) {
            refuse(ctx, whole, 0);
            return;
        }
        int length = RequestHeader.LENGTH + payload;
        if (whole.capacity() < length) {
            whole.capacity(length);
        }
        whole.writeBytes(in, Math.min(in.readableBytes(), length - whole.writerIndex()));
        if (whole.writerIndex() == length) {
            answer(ctx, whole, 0);
            gathered = null;
            whole.release();
        }
    }

    private void answer(ChannelHandlerContext ctx, ByteBuf in, int at) {
        boolean first = !requests.greeted();
        byte operation = RequestHeader.operation(in, at);
        byte status = requests.answer(in, at);
        if (LinkRequests.ends(status, operation)) {
            if (status == Status.BAD_REQUEST) {
                counters.badRequests.increment();
            }
            LOG.info("link from {} refused: {}", ctx.channel().remoteAddress(), Status.name(status));
            end(ctx);
        } else if (first && requests.greeted()) {
            checkIdle(ctx);
        }
    }

    private void refuse(ChannelHandlerContext ctx, ByteBuf in, int at) {
        counters.badRequests.increment();
        LOG.info(
                "link from {} refused: operation {} does not follow the protocol",
                ctx.channel().remoteAddress(),
                RequestHeader.operation(in, at));
        requests.refuse(in, at, Status.BAD_REQUEST);
        end(ctx);
    }

    /**
     * Sends what there is and closes. Our half first: bytes that were not read when a socket is closed make the kernel reset
     * the connection, and the peer would lose the reply that says why.
     */
    private void end(ChannelHandlerContext ctx) {
        ended = true;
        requests.close();
        replies.write(ctx);
        ChannelFuture sent = ctx.writeAndFlush(ctx.alloc().buffer(0));
        sent.addListener(_ -> {
            ChannelFuture _ = ctx.channel() instanceof DuplexChannel socket ? socket.shutdownOutput() : ctx.close();
        });
        after(settings.lingerTimeout().toNanos(), ctx, () -> close(ctx));
    }

    private void checkHello(ChannelHandlerContext ctx) {
        if (!requests.greeted() && ctx.channel().isOpen()) {
            timeout(ctx, "no hello");
        }
    }

    private void checkIdle(ChannelHandlerContext ctx) {
        if (!ctx.channel().isOpen()) {
            return;
        }
        long left = settings.idleTimeout().toNanos() - (System.nanoTime() - lastHeard);
        if (left <= 0) {
            timeout(ctx, "silent");
        } else {
            after(left, ctx, () -> checkIdle(ctx));
        }
    }

    private void timeout(ChannelHandlerContext ctx, String why) {
        counters.timeouts.increment();
        LOG.info("link from {} closed: {} for too long", ctx.channel().remoteAddress(), why);
        close(ctx);
    }

    private static void close(ChannelHandlerContext ctx) {
        ChannelFuture _ = ctx.close();
    }

    private static void after(long nanos, ChannelHandlerContext ctx, Runnable task) {
        ScheduledFuture<?> _ = ctx.executor().schedule(task, nanos, TimeUnit.NANOSECONDS);
    }

    /** Netty tells of the end of a channel in a turn of its own, so never from inside {@link #answerAll}. */
    private void release() {
        ended = true;
        requests.close();
        replies.release();
        ByteBuf unread = received;
        received = null;
        if (unread != null) {
            unread.release();
        }
        ByteBuf part = gathered;
        gathered = null;
        if (part != null) {
            part.release();
        }
    }
}
