package io.leapnbd.nbd.server;

import io.leapnbd.nbd.Printable;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client. The only handler of its channel: receives, lets the current {@link Phase} consume, and flushes what was
 * answered once a turn. Everything here belongs to the connection's event loop.
 *
 * <p><b>Turns.</b> A turn is a series of receives by Netty, or one run of {@link #turn}, which is scheduled when a device
 * completes something on its own. Netty runs such tasks in the same iteration of its loop, after all sockets that were
 * ready, so completions that came with one donor's packet leave with one system call, and a lone one does not wait.
 *
 * <p><b>Back pressure.</b> When the phase is blocked, or the client lets replies pile up beyond the channel's high-water
 * mark, nothing more is consumed or received until that has passed. What a client can make the server hold is bounded by
 * the receive buffer, by {@link BufferPlan#SHORT_REPLIES}, and by its {@link ConnectionCredit}: a reply with data is paid for until
 * it has left. Whoever stands still in the middle is dropped ({@link StallWatch}).
 */
final class Connection extends ChannelInboundHandlerAdapter {

    private static final Logger LOG = LoggerFactory.getLogger(Connection.class);

    /** Room for the short replies of a turn; those of a burst of writes. */
    private static final int SHORT_REPLIES = 1024;

    /** How long a client that has said goodbye may take to read its last replies. */
    private static final Duration FAREWELL = Duration.ofSeconds(60);

    final long id;
    final Channel channel;
    final ServerCore server;
    final ReceiveBuffer receive;
    final ConnectionCredit credit;
    private final Peer peer;
    private final LoopBuffers loop;
    private final StallWatch stalls;
    private final AtomicReference<Stage> stage = new AtomicReference<>(Stage.HANDSHAKE);
    private final Instant opened = Instant.now();
    private final Runnable turn = this::turn;
    private final ChannelFutureListener whenDrained = future -> drained();
    private Phase phase;

    /** Whether it may be dropped to make room, and whether it was. */
    private enum Stage {
        HANDSHAKE,
        TRANSMISSION,
        DROPPED
    }

    /** Set before anything arrives; spares each write the way through the pipeline's tail. */
    @SuppressWarnings("NullAway.Init")
    private ChannelHandlerContext context;

    private @Nullable ScheduledFuture<?> deadline;
    private @Nullable ByteBuf shortReplies;
    private boolean inTurn;
    private boolean turnScheduled;
    private boolean flushNeeded;
    private boolean paused;
    private boolean closing;
    private boolean inactive;
    private boolean onLoop;

    /** Credit of replies that have not left. */
    private long unsentCredit;

    /** Bytes of replies without data that have not left. */
    private long unsentShort;

    private boolean awaitsDrain;

    /** Written on the loop, read by whoever asks for {@link #info}. */
    private volatile @Nullable TransmissionPhase transmission;

    /** On the channel's loop. */
    Connection(long id, Channel channel, ServerCore server, Peer peer) {
        this.id = id;
        this.channel = channel;
        this.server = server;
        this.peer = peer;
        this.loop = server.buffersOf(channel.eventLoop());
        this.credit = new ConnectionCredit(server.budget(), loop, channel.eventLoop(), this::wake);
        this.receive = new ReceiveBuffer(loop, server.context().allocator(), credit);
        this.stalls = new StallWatch(this, server.context().stallTimeout().toNanos());
        this.phase = new HandshakePhase(this);
    }

    ByteBufAllocator allocator() {
        return server.context().allocator();
    }

    Peer peer() {
        return peer;
    }

    /** Whether its handshake is over. Any thread. */
    boolean isTransmitting() {
        return stage.get() == Stage.TRANSMISSION;
    }

    /** A racy picture; any thread. */
    ConnectionInfo info() {
        TransmissionPhase t = transmission;
        return t == null
                ? new ConnectionInfo(id, peer.name(), "", false, opened, 0, 0)
                : new ConnectionInfo(
                        id, peer.name(), t.exportName(), true, opened, t.requestsInFlight(), t.bytesInFlight());
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
        onLoop = true;
        loop.enter();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        leaveLoop();
    }

    private void leaveLoop() {
        if (onLoop) {
            onLoop = false;
            receive.release();
            loop.leave();
        }
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        deadline = channel.eventLoop()
                .schedule(
                        this::handshakeOverdue,
                        server.context().handshakeTimeout().toNanos(),
                        TimeUnit.NANOSECONDS);
        server.afterEarlierInput(this, this::greet);
    }

    private void greet() {
        if (!inactive && !closing) {
            ((HandshakePhase) phase).greet();
            context.flush();
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (!inTurn) {
            inTurn = true;
            phase.turnBegins();
        }
        receive.accept((ByteBuf) msg);
        if (closing) {
            receive.discard();
            return;
        }
        consume();
        if (receive.overflows()) {
            drop("it has closed its end with more under way than there is room for");
        }
        if (phase.blocked()) {
            receive.hold();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        endTurn();
    }

    /** A turn of its own: after completions outside a receive, and when the client has read what was in its way. */
    private void turn() {
        turnScheduled = false;
        if (!inactive) {
            inTurn = true;
            try {
                phase.turnBegins();
                endTurn();
            } catch (RuntimeException e) {
                channel.pipeline().fireExceptionCaught(e);
            }
        }
    }

    /** Sends what was asked of the device and what was answered, then starts or stops receiving as things now stand. */
    private void endTurn() {
        flush();
        while (phase.blocked() && !closing && phase.mayProceed()) {
            consume();
            flush();
        }
        inTurn = false;
        receive.endOfTurn();
        if (payloadArrives()) {
            stalls.begin();
        }
        boolean stop = phase.blocked();
        if (stop != paused && channel.isActive()) {
            paused = stop;
            channel.config().setAutoRead(!stop);
        }
    }

    private void flush() {
        phase.endOfTurn();
        if (flushNeeded) {
            flushNeeded = false;
            writeShortReplies();
            context.flush();
            settle();
        } else if (unsentCredit > 0 || unsentShort > 0) {
            settle();
        }
    }

    /** Gives back the credit of replies that have left by now. */
    private void settle() {
        long pending = pendingBytes();
        if (unsentCredit > pending) {
            credit.give(unsentCredit - pending);
            unsentCredit = pending;
        }
        unsentShort = Math.min(unsentShort, pending);
        if (pending > 0) {
            stalls.begin();
            if (!awaitsDrain && !closing && (credit.holdsShared() || !takesReplies())) {
                awaitsDrain = true;
                channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(whenDrained);
            }
        }
    }

    /** What was written before has left, or never will. The channel has not counted that yet, so the next turn settles. */
    private void drained() {
        awaitsDrain = false;
        wake();
    }

    /** Bytes of replies in the channel that have not left, those of which a part has left counted whole. */
    private long pendingBytes() {
        ChannelOutboundBuffer replies = channel.unsafe().outboundBuffer();
        return replies == null ? 0 : replies.totalPendingWriteBytes();
    }

    /** Whether replies wait for the client to take them. */
    boolean hasUnsentReplies() {
        return pendingBytes() > 0;
    }

    /** Bytes of credit to be given back when what was just written has left. */
    void giveWhenSent(long bytes) {
        unsentCredit += bytes;
    }

    /** Whether a write's payload is on its way in. */
    boolean payloadArrives() {
        TransmissionPhase t = transmission;
        return t != null && t.payloadArrives();
    }

    /** How much of it is there. */
    long payloadBytes() {
        TransmissionPhase t = transmission;
        return t == null ? 0 : t.payloadBytes();
    }

    /** How long it will be. */
    long payloadLength() {
        TransmissionPhase t = transmission;
        return t == null ? 0 : t.payloadLength();
    }

    /** When it began, by {@link System#nanoTime}. */
    long payloadSinceNanos() {
        TransmissionPhase t = transmission;
        return t == null ? 0 : t.payloadSinceNanos();
    }

    private void consume() {
        Phase before;
        do {
            before = phase;
            before.consume();
        } while (before != phase);
    }

    /** Whether the client reads its replies, so that one more may be made for it. */
    boolean takesReplies() {
        return transmission == null
                ? pendingBytes() < BufferPlan.SHORT_REPLIES
                : channel.isWritable() && unsentShort < BufferPlan.SHORT_REPLIES;
    }

    /** Whether nothing that arrives matters any more. */
    boolean closing() {
        return closing;
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
            replies = allocator().directBuffer(SHORT_REPLIES, SHORT_REPLIES);
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

    /** Makes sure that what was written outside a turn leaves, and that receiving starts again when it may. */
    void wake() {
        if (!inTurn && !turnScheduled && !inactive) {
            turnScheduled = true;
            channel.eventLoop().execute(turn);
        }
    }

    /** Lets others of the loop have their turn before this one's next. */
    void goOnLater() {
        if (!turnScheduled && !inactive) {
            turnScheduled = true;
            // Scheduled tasks are taken up once an iteration, after the sockets.
            var _ = channel.eventLoop().schedule(turn, 1, TimeUnit.NANOSECONDS);
        }
    }

    /** Ends the handshake. What has arrived behind it is consumed by the new phase. */
    void enter(TransmissionPhase next) {
        cancelDeadline();
        transmission = next;
        phase = next;
        if (!stage.compareAndSet(Stage.HANDSHAKE, Stage.TRANSMISSION)) {
            close();
        }
        LOG.debug("{} opened export '{}'", peer.name(), Printable.of(next.exportName()));
    }

    /** Drops the connection for the sake of another one, if it has not come to transmission by now. Any thread. */
    boolean makeRoom() {
        if (!stage.compareAndSet(Stage.HANDSHAKE, Stage.DROPPED)) {
            return false;
        }
        channel.eventLoop().execute(() -> drop("others need the place, and its handshake has no end"));
        return true;
    }

    /** Drops the connection because the client broke the protocol. */
    void drop(String violation) {
        if (!closing) {
            server.statistics().protocolViolations.increment();
            if (server.drops().allows()) {
                LOG.info(
                        "dropped {}: {}{}",
                        peer.name(),
                        violation,
                        server.drops().leftOut());
            } else {
                LOG.debug("dropped {}: {}", peer.name(), violation);
            }
            close();
        }
    }

    /** Drops the connection because the server closes. Any thread. */
    void hangUp() {
        Future<?> _ = channel.close();
    }

    /** Drops the connection now. */
    void close() {
        closing = true;
        receive.hold();
        Future<?> _ = channel.close();
    }

    /** Closes when all that was written has left, or after {@link #FAREWELL}. */
    void closeWhenSent() {
        if (!closing) {
            closing = true;
            cancelDeadline();
            writeShortReplies();
            deadline = channel.eventLoop().schedule(this::close, FAREWELL.toMillis(), TimeUnit.MILLISECONDS);
            channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (channel.isWritable()) {
            wake();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event == ChannelInputShutdownReadComplete.INSTANCE || event == ChannelInputShutdownEvent.INSTANCE) {
            phase.inputEnded();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (cause instanceof IOException) {
            LOG.debug("{} went away: {}", peer.name(), cause.getMessage());
        } else if (server.errors().allows()) {
            LOG.error(
                    "a fault in the server or in a device ended the connection of {}{}",
                    peer.name(),
                    server.errors().leftOut(),
                    cause);
        }
        close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        closing = true;
        inactive = true;
        cancelDeadline();
        ByteBuf unsent = shortReplies;
        if (unsent != null) {
            shortReplies = null;
            unsent.release();
        }
        credit.give(unsentCredit);
        unsentCredit = 0;
        leaveLoop();
        // The last, because the connection may be retired by it.
        phase.closed();
        LOG.debug("{} closed", peer.name());
        if (transmission == null) {
            retired();
        }
    }

    /** Nothing of this connection is left, in the channel or in the device. */
    void retired() {
        server.retired(this);
    }

    private void handshakeOverdue() {
        drop("no end to the handshake after "
                + server.context().handshakeTimeout().toSeconds() + " s");
    }

    private void cancelDeadline() {
        Future<?> pending = deadline;
        if (pending != null) {
            pending.cancel(false);
            deadline = null;
        }
    }
}
