package io.leapnbd.nbd.server;

import io.leapnbd.nbd.Printable;
import io.leapnbd.nbd.tls.TlsFailure;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.handler.codec.DecoderException;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLException;
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
 * the receive buffer, by its {@link ReplyOutput}, and by its {@link ConnectionCredit}. Whoever stands still in the middle is dropped ({@link StallWatch}).
 */
final class Connection extends ChannelInboundHandlerAdapter {

    private static final Logger LOG = LoggerFactory.getLogger(Connection.class);

    /** How long a client that has said goodbye may take to read its last replies. */
    private static final Duration FAREWELL = Duration.ofSeconds(60);

    final long id;
    final Channel channel;
    final ServerCore server;
    final ReceiveBuffer receive;
    final ConnectionCredit credit;
    final IncomingPayload payload;
    final ReplyOutput replies;
    final Peer peer;
    private final LoopBuffers loop;
    private final StallWatch stalls;
    private final AtomicReference<Stage> stage = new AtomicReference<>(Stage.HANDSHAKE);
    private final Instant opened = Instant.now();
    private final Runnable turn = this::turn;
    private Phase phase;

    /** Whether it may be dropped to make room, and whether it was. */
    private enum Stage {
        HANDSHAKE,
        TRANSMISSION,
        DROPPED
    }

    private @Nullable ScheduledFuture<?> deadline;
    private boolean encrypted;
    private boolean inTurn;
    private boolean turnScheduled;
    private boolean paused;
    private boolean closing;
    private boolean inactive;
    private boolean onLoop;

    /** Written on the loop, read by whoever asks for {@link #info}. */
    private volatile @Nullable TransmissionPhase transmission;

    /** Protocol and client of TLS, once that is there. */
    private volatile String security = "";

    /** On the channel's loop. */
    Connection(long id, Channel channel, ServerCore server, Peer peer) {
        this.id = id;
        this.channel = channel;
        this.server = server;
        this.peer = peer;
        this.loop = server.buffersOf(channel.eventLoop());
        this.credit = new ConnectionCredit(server.budget(), loop, channel.eventLoop(), this::wake);
        this.receive = new ReceiveBuffer(loop, server.context().allocator(), credit);
        this.payload = new IncomingPayload(receive, credit);
        this.stalls = new StallWatch(this, server.context().stallTimeout().toNanos());
        this.replies = new ReplyOutput(channel, server.context().allocator(), credit, stalls, this::wake);
        this.phase = new HandshakePhase(this);
    }

    ByteBufAllocator allocator() {
        return server.context().allocator();
    }

    Peer peer() {
        return peer;
    }

    /** Whether nothing is said of exports before TLS has begun. A Unix socket does not leave the machine. */
    boolean mustUseTls() {
        NbdTls offered = server.context().tls();
        return offered != null && offered.required() && !(channel instanceof EpollDomainSocketChannel);
    }

    /** What was answered leaves as it is; what is received and sent from now on is within TLS. */
    void startTls(NbdTls offered) {
        replies.flush(closing);
        receive.encrypted();
        encrypted = true;
        channel.pipeline().addFirst(offered.handler(allocator(), words -> security = words));
    }

    /** Whether its handshake is over. Any thread. */
    boolean isTransmitting() {
        return stage.get() == Stage.TRANSMISSION;
    }

    /** A racy picture; any thread. */
    ConnectionInfo info() {
        TransmissionPhase t = transmission;
        return t == null
                ? new ConnectionInfo(id, peer.name(), security, "", false, opened, 0, 0)
                : new ConnectionInfo(
                        id,
                        peer.name(),
                        security,
                        t.exportName(),
                        true,
                        opened,
                        t.requestsInFlight(),
                        t.bytesInFlight());
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        replies.attach(ctx);
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
            channel.flush();
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
        if (payload.arrives()) {
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
        replies.flush(closing);
    }

    private void consume() {
        Phase before;
        do {
            before = phase;
            before.consume();
        } while (before != phase);
    }

    /** Whether nothing that arrives matters any more. */
    boolean closing() {
        return closing;
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
        replies.transmits();
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
            deadline = channel.eventLoop().schedule(this::close, FAREWELL.toMillis(), TimeUnit.MILLISECONDS);
            replies.closeWhenSent();
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
        // What fails in the handshake comes wrapped, and a record behind it comes as it is.
        Throwable inner = cause instanceof DecoderException ? cause.getCause() : cause;
        if (encrypted && inner instanceof SSLException refusal) {
            drop(TlsFailure.ofClient(refusal));
        } else if (cause instanceof IOException) {
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
        replies.release();
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
