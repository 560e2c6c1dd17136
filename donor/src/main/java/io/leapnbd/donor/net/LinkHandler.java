package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Identity;
import io.leapnbd.donor.tls.AlteredFrameException;
import io.leapnbd.donor.tls.FrameKeys;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The donor's end of one link over TCP: cuts what arrives into requests, and looks after the peer's pace.
 *
 * <p>A request that lies whole in the receive buffer is answered from there. One that does not is gathered first, so that half
 * a request never has an effect, whatever becomes of the connection.
 *
 * <p><b>Pace.</b> A link is paused, its socket not read and the rest of the receive buffer kept, when its replies pile up; when it has to
 * wait for {@linkplain LinkMemory memory}; and for one turn of the loop when it has asked for much work, so that others come in between.
 * TCP slows the peer meanwhile.
 *
 * <p>Everything here happens on the link's event loop.
 */
final class LinkHandler extends ChannelInboundHandlerAdapter implements Conversation.Connection {

    private static final Logger LOG = LoggerFactory.getLogger(LinkHandler.class);

    /** Replies of up to so many bytes do not wait for memory: a request that holds some can always be answered. */
    private static final int SMALL_REPLY = 64;

    /** {@linkplain LinkRequests#cost Work} after which a link lets others of its loop come in: about half a millisecond. */
    private static final int WORK_IN_A_TURN = 1 << 15;

    /** What {@link #answerNext} says of a request that has to wait for memory. */
    private static final int WAITS_FOR_MEMORY = -1;

    /** What it says of one that is done in several turns. */
    private static final int UNFINISHED = -2;

    private final Listener listener;
    private final Channel channel;
    private final String address;
    private final ReplyBuffer replies;
    private final Conversation conversation;
    private final LinkRequests requests;
    private final LinkMemory.Account memory;
    private final PartialRequest partial;
    private final LinkEnd end;
    private final ReceiveBuffers receives;

    /** How frames in clear are agreed on; null if they are not. */
    private @Nullable KeyExchange keys;

    /** Looks at the tags of requests in clear; null if they have none. */
    private @Nullable TaggedRequests tagged;

    /** What has arrived and was not looked at yet. */
    private @Nullable ByteBuf received;

    /** How much of it counts as used memory. */
    private int receivedCounted;

    /** Bytes of replies that count as used memory. */
    private long repliesCounted;

    /** Within {@link #answerAll}: a flush may report writability from inside it. */
    private boolean answering;

    /** A task that goes on with {@link #received} is under way. */
    private boolean continues;

    /** A marker behind the replies that were not sent yet is under way. */
    private boolean marked;

    LinkHandler(Listener listener, Channel channel) {
        this.listener = listener;
        this.channel = channel;
        end = new LinkEnd(channel);
        replies = new ReplyBuffer(channel);
        address = PlainOwner.of(channel.remoteAddress());
        conversation = new Conversation(listener, this, replies, Protocol.MAX_PAYLOAD, null, null);
        requests = conversation.requests;
        memory = listener.memory().open(() -> execute(this::memoryThere), conversation::evicted);
        partial = new PartialRequest(channel.alloc(), memory);
        receives = listener.tls() == null
                ? ReceiveBuffers.plain(listener.memory(), partial)
                : ReceiveBuffers.encrypted(listener.memory());
        channel.config().setRecvByteBufAllocator(receives);
    }

    Conversation conversation() {
        return conversation;
    }

    /** The peer has shown who it is, and may ask for frames in clear. */
    void identified(Identity identity, KeyExchange exchange) {
        requests.identified(identity);
        requests.mayAskForKeys(exchange);
        keys = exchange;
    }

    /** The keys that TLS has to make room for; null if it stays, or is gone. */
    private @Nullable FrameKeys agreed() {
        KeyExchange exchange = keys;
        return exchange == null ? null : exchange.agreed();
    }

    /** The keys were told, by the last bytes that TLS was given. What is said from here on has tags in place of it, in both directions. */
    private void goInClear(FrameKeys agreed) {
        keys = null;
        replies.tagWith(agreed.fromDonor());
        tagged = new TaggedRequests(agreed.fromServer());
        receives.inClear(partial);
        // What it has received and not looked at is handed on, as it came. What its engine has is thrown away: the peer
        // says nothing behind its keys.
        SslHandler _ = channel.pipeline().remove(SslHandler.class);
        // Its close goes on to be a reset: a FIN without a last word would say that this process has ended.
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        conversation.opened();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ByteBuf in = (ByteBuf) message;
        if (conversation.ended()) {
            in.release();
            return;
        }
        conversation.heard();
        if (partial.has(in)) {
            in.release();
            if (partial.whole() != null) {
                conversation.frameEnded();
            }
            answerAll();
            return;
        }
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
        answerAll();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (channel.isWritable() && !channel.config().isAutoRead()) {
            answerAll();
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
        if (TlsProblem.isOne(cause)) {
            listener.log().info("link from {} closed: it {}", peer(), TlsProblem.laterSentence(cause, Role.SERVER));
        } else if (cause instanceof IOException) {
            LOG.debug("{}: {}", channel.remoteAddress(), cause.getMessage());
        } else {
            LOG.error("link from {} failed", PeerText.of(channel.remoteAddress()), cause);
        }
        close();
    }

    private void memoryThere() {
        memory.resumed();
        if (!memory.waits()) {
            conversation.waitsForMemory(false);
            answerAll();
        }
    }

    /**
     * Others of the loop come in before. A loop takes up scheduled tasks once a turn, after its sockets; plain tasks it takes up for as long
     * as there are some.
     */
    private void goOnInNextTurn() {
        continues = true;
        ScheduledFuture<?> _ = channel.eventLoop().schedule(this::goOn, 1, TimeUnit.NANOSECONDS);
    }

    private void goOn() {
        continues = false;
        answerAll();
    }

    private void answerAll() {
        if (answering || continues || memory.waits()) {
            return;
        }
        answering = true;
        try {
            boolean paused = answerReceived();
            replies.write();
            keep(paused);
            channel.flush();
            countReplies();
            pace(paused);
        } finally {
            answering = false;
        }
        FrameKeys agreed = agreed();
        if (agreed != null && !conversation.ended()) {
            goInClear(agreed);
        }
    }

    /** Answers what has arrived; true if it has to stop before it is through. */
    private boolean answerReceived() {
        try {
            return answerWhatFits();
        } catch (AlteredFrameException e) {
            // Somebody has been at the link: it ends at once, by a reset.
            listener.counters().badRequests.increment();
            listener.log().info("link from {} closed: it {}", peer(), TlsProblem.sentence(e, Role.SERVER));
            conversation.end();
            end.byResetOnly();
            close();
            return false;
        }
    }

    private boolean answerWhatFits() throws AlteredFrameException {
        ByteBuf in = received;
        int work = 0;
        while (!conversation.ended() && (partial.whole() != null || (in != null && in.isReadable()))) {
            if (!channel.isWritable()) {
                // Perhaps the socket takes it at once.
                channel.flush();
                if (!channel.isWritable()) {
                    return true;
                }
            }
            if (work >= WORK_IN_A_TURN) {
                goOnInNextTurn();
                return true;
            }
            ByteBuf waits = partial.whole();
            int done = waits != null ? answerGathered(waits) : in != null ? answerNext(in) : 0;
            if (done == WAITS_FOR_MEMORY) {
                conversation.waitsForMemory(true);
                return true;
            }
            if (done == UNFINISHED) {
                goOnInNextTurn();
                return true;
            }
            work += done;
            if (agreed() != null) {
                if (in != null && in.isReadable()) {
                    listener.counters().badRequests.increment();
                    listener.log().info("link from {} closed: it says more over TLS behind its keys", peer());
                    conversation.end();
                    end.byResetOnly();
                    close();
                }
                // What follows is not for TLS.
                return false;
            }
        }
        return false;
    }

    /** Lets go of what was received, or keeps what is left of it. */
    private void keep(boolean paused) {
        ByteBuf in = received;
        if (in != null && (!paused || !in.isReadable())) {
            received = null;
            in.release();
            in = null;
        }
        if (in != null && in.readableBytes() < in.capacity() / 4) {
            received = channel.alloc().directBuffer(in.readableBytes()).writeBytes(in);
            in.release();
            in = received;
        }
        int counts = in == null ? 0 : in.capacity();
        if (counts > receivedCounted) {
            memory.force(counts - receivedCounted);
        } else if (counts < receivedCounted) {
            memory.give(receivedCounted - counts);
        }
        receivedCounted = counts;
    }

    /** Counts the replies that wait to be sent, and no others. */
    private void countReplies() {
        long waiting = replies.waiting();
        if (waiting < repliesCounted) {
            memory.give(repliesCounted - waiting);
        } else if (waiting > repliesCounted) {
            memory.force((int) (waiting - repliesCounted));
        }
        repliesCounted = waiting;
        if (waiting == 0) {
            conversation.repliesWait(false);
        } else if (!marked && channel.isOpen()) {
            marked = true;
            conversation.repliesWait(true);
            // Tells when all that waits now was sent. The marker itself is counted until its listener has returned.
            ChannelFuture sent = channel.writeAndFlush(channel.alloc().buffer(0));
            sent.addListener(_ -> execute(this::repliesSent));
        }
    }

    private void repliesSent() {
        marked = false;
        if (channel.isOpen()) {
            countReplies();
        }
    }

    private void pace(boolean paused) {
        if (paused && channel.isWritable() && !continues && !memory.waits()) {
            // The last flush made room, and nobody else will say so.
            goOnInNextTurn();
        }
        if (paused == channel.config().isAutoRead()) {
            if (paused) {
                listener.counters().pauses.increment();
            }
            channel.config().setAutoRead(!paused);
        }
    }

    /** Answers one request, or puts the beginning of one aside. Tells how much work it was, or {@link #WAITS_FOR_MEMORY} or {@link #UNFINISHED}. */
    private int answerNext(ByteBuf in) throws AlteredFrameException {
        if (!opened(in)) {
            return 0;
        }
        if (partial.begun() || in.readableBytes() < RequestHeader.LENGTH) {
            return gather(in);
        }
        int at = in.readerIndex();
        int payload = requests.payload(in, at);
        if (payload == LinkRequests.BAD) {
            refuse(in, at);
            return 0;
        }
        int length = length(in, at);
        if (in.readableBytes() < length) {
            return gather(in);
        }
        int work = answer(in, at);
        if (work >= 0) {
            in.skipBytes(length);
            nextTagged();
        }
        return work;
    }

    /** Whether the header that comes next may be looked at: it has no tag, or one that fits. */
    @SuppressWarnings("ReferenceEquality") // Two buffers of the same bytes are equal, and not the same.
    private boolean opened(ByteBuf in) throws AlteredFrameException {
        TaggedRequests tags = tagged;
        if (tags == null || tags.opened()) {
            return true;
        }
        ByteBuf header = tags.open(in);
        if (header != in) {
            conversation.frameBegan();
            if (header != null) {
                ByteBuf _ = partial.header(header);
            }
        }
        return header != null;
    }

    /** Of a request from its header on. */
    private int length(ByteBuf in, int at) {
        return RequestHeader.LENGTH
                + RequestHeader.payload(in, at)
                + (tagged == null ? 0 : TaggedRequests.tail(in, at));
    }

    private void nextTagged() {
        TaggedRequests tags = tagged;
        if (tags != null) {
            tags.next();
        }
    }

    private int gather(ByteBuf in) throws AlteredFrameException {
        if (!partial.begun()) {
            conversation.frameBegan();
        }
        ByteBuf request = partial.header(in);
        if (request == null) {
            return 0;
        }
        int payload = requests.payload(request, 0);
        if (payload == LinkRequests.BAD) {
            refuse(request, 0);
            return 0;
        }
        int length = length(request, 0);
        if (!memory.mayTake(length)) {
            return giveUp();
        }
        if (!partial.takeMemory(length)) {
            return WAITS_FOR_MEMORY;
        }
        partial.take(in);
        if (partial.whole() == null) {
            return 0;
        }
        conversation.frameEnded();
        return answerGathered(request);
    }

    /** It may have to be asked again, when nothing more has arrived. */
    private int answerGathered(ByteBuf request) throws AlteredFrameException {
        int work = answer(request, 0);
        if (work >= 0) {
            partial.drop();
            nextTagged();
        }
        return work;
    }

    private int answer(ByteBuf in, int at) throws AlteredFrameException {
        TaggedRequests tags = tagged;
        if (tags != null) {
            tags.checkBody(in, at);
        }
        if (!requests.unfinished()) {
            int most = requests.mostReplyBytes(in, at);
            if (most <= SMALL_REPLY) {
                memory.force(most);
            } else if (!memory.mayTake(most)) {
                return giveUp();
            } else if (!memory.take(most)) {
                return WAITS_FOR_MEMORY;
            }
            repliesCounted += most;
        }
        byte operation = RequestHeader.operation(in, at);
        int work = LinkRequests.cost(in, at);
        byte status = requests.answer(in, at);
        if (status == LinkRequests.UNFINISHED) {
            return UNFINISHED;
        }
        if (operation == Operation.HELLO && requests.claimed()) {
            memory.claimed();
        }
        if (status == Status.FENCED && operation != Operation.HELLO && !requests.ownedByAnother()) {
            // Its server has claimed anew over another link, and is not to believe that somebody else has.
            conversation.end();
            close();
        } else if (conversation.answered(operation, status)) {
            end();
        }
        return work;
    }

    /** It takes more than anybody may who has claimed nothing. */
    private int giveUp() {
        conversation.evicted();
        conversation.end();
        return 0;
    }

    private void refuse(ByteBuf in, int at) {
        conversation.refused(RequestHeader.operation(in, at));
        requests.refuse(in, at, Status.BAD_REQUEST);
        end();
    }

    /** Sends what there is and closes. */
    private void end() {
        conversation.end();
        replies.write();
        end.afterLastMessage();
    }

    @Override
    public boolean lastWord(byte status) {
        requests.lastWord(status);
        end();
        // It may have been paused; what is not read would make a reset of the end.
        channel.config().setAutoRead(true);
        return true;
    }

    /** This process ends: the peer is to see just that. Any thread. */
    void parting() {
        try {
            execute(this::part);
        } catch (RejectedExecutionException e) {
            LOG.debug("the event loop of a link is gone already");
        }
    }

    private void part() {
        if (channel.isOpen() && !conversation.ended()) {
            conversation.end();
            replies.write();
            end.withProcess();
            channel.config().setAutoRead(true);
        }
    }

    @Override
    public String peer() {
        Identity identity = requests.identity();
        String at = PeerText.of(channel.remoteAddress());
        return identity.isAnonymous() ? at : identity + " at " + at;
    }

    @Override
    public String address() {
        return address;
    }

    @Override
    public boolean isOpen() {
        return channel.isOpen();
    }

    @Override
    public void close() {
        end.now(requests.claimed());
    }

    /** A TCP peer reads nothing by itself. But the kernel would send a FIN if this process were killed before the last word. */
    @Override
    public void stop() {
        end.byResetOnly();
    }

    @Override
    public void execute(Runnable task) {
        channel.eventLoop().execute(task);
    }

    @Override
    public void after(long nanos, Runnable task) {
        ScheduledFuture<?> _ = channel.eventLoop().schedule(task, nanos, TimeUnit.NANOSECONDS);
    }

    /** Netty tells of the end of a channel in a turn of its own, so never from inside {@link #answerAll}. */
    private void release() {
        conversation.closed();
        replies.release();
        ByteBuf unread = received;
        received = null;
        if (unread != null) {
            unread.release();
        }
        partial.drop();
        repliesCounted = 0;
        receivedCounted = 0;
        memory.close();
    }
}
