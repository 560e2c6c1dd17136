package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.LocalMemory;
import io.leapnbd.donor.rdma.QueuePair;
import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.Watched;
import io.netty.buffer.ByteBuf;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A link over RDMA that stays, as {@link TcpLink} does: it connects, claims the export, and when the connection breaks connects
 * again and sends again what had no reply.
 *
 * <p><b>Reads</b> are the device's: it fetches the pages out of the donor's memory and puts them where the client's reply is sent
 * from, and the donor's processors take no part. That is only done where it is known to be right: the slab's key is known, the
 * place is registered, no write to the pages is under way, and none began meanwhile ({@link WriteWatch}). Otherwise the donor is
 * asked, by message. <b>Everything else</b> is a message: the donor has to look at the version of a write and at the claim
 * behind it, and a write that arrives by half must have no effect, which no one-sided write can promise.
 *
 * <p>Demands go first, then bulk, then background reads; the latter have half of the slots at most.
 *
 * <p>Every field belongs to the loop's thread.
 */
final class RdmaLink implements DonorLink, RdmaClient.Events {

    private static final Logger LOG = LoggerFactory.getLogger(RdmaLink.class);

    private static final int MOST_READS = 64;
    private static final int MESSAGES = Protocol.RDMA_MESSAGES;

    /** Messages that bulk may not have. */
    private static final int FOR_DEMANDS = 4;

    private static final RdmaClient.Shape SHAPE =
            new RdmaClient.Shape(MOST_READS, MESSAGES, MESSAGES, RequestHeader.LENGTH + Protocol.MAX_RDMA_PAYLOAD);

    private static final long FIRST_BACKOFF_MILLIS = 10;
    private static final long LAST_BACKOFF_MILLIS = 1_000;
    private static final long PING_AFTER_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final int HELLO_COOKIE = 0;
    private static final int NONE = -1;

    /** How often a turn looks for completions when polling: a look is cheaper than a turn, which looks at the sockets, too. */
    private static final int LOOKS = 32;

    private final IoEventLoop loop;
    private final int lane;
    private final Donor donor;
    private final InetSocketAddress address;
    private final LinkSettings settings;
    private final Duration connectTimeout;
    private final long requestTimeoutNanos;
    private final LocalMemory memory;
    private final WriteWatch watch;
    private final boolean busyPoll;
    private final Runnable pollTask = this::poll;
    private boolean pollPending;

    private final RequestQueue demands = new RequestQueue();
    private final RequestQueue bulk = new RequestQueue();
    private final RequestQueue background = new RequestQueue();

    // The connection.

    private @Nullable RdmaClient client;
    private @Nullable Watched connectionEvents;
    private @Nullable Watched completions;
    private @Nullable QueuePair pair;
    private LocalMemory.@Nullable OnDevice here;
    private @Nullable UUID incarnation;
    private boolean ready;
    private boolean wasReady;
    private @Nullable String broken;

    /** Within the queue pair's own calls, which must not be entered again, nor the pair closed. */
    private boolean reaping;

    private final SlabKeys keys = new SlabKeys();

    // Reads under way, by slot.

    private @Nullable LinkRequest[] reads = new LinkRequest[0];
    private final long[] stamps = new long[MOST_READS];
    private final int[] freeReads = new int[MOST_READS];
    private int freeReadCount;
    private int backgroundReads;

    // Messages under way, by slot, which is also the frame that they are sent from.

    private final @Nullable LinkRequest[] messages = new LinkRequest[MESSAGES];
    private final int[] offsets = new int[MESSAGES];
    private final int[] lengths = new int[MESSAGES];
    private final short[] generations = new short[MESSAGES];
    private final boolean[] sending = new boolean[MESSAGES];
    private final int[] freeMessages = new int[MESSAGES];
    private int freeMessageCount;

    /** The slot of the hello, until it is answered. */
    private int helloSlot = NONE;

    /** How every further request ends, once the link is closed or fenced off for good. */
    private @Nullable Outcome over;

    private long connectDeadline;
    private long lastSent;
    private long backoffMillis = FIRST_BACKOFF_MILLIS;

    RdmaLink(
            IoEventLoop loop,
            int lane,
            Donor donor,
            InetSocketAddress address,
            LinkSettings settings,
            Duration connectTimeout,
            long requestTimeoutNanos,
            LocalMemory memory,
            WriteWatch watch,
            boolean busyPoll) {
        this.busyPoll = busyPoll;
        this.loop = loop;
        this.lane = lane;
        this.donor = donor;
        this.address = address;
        this.settings = settings;
        this.connectTimeout = connectTimeout;
        this.requestTimeoutNanos = requestTimeoutNanos;
        this.memory = memory;
        this.watch = watch;
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public boolean ready() {
        return ready;
    }

    // Connecting.

    void connect() {
        if (over != null || client != null) {
            return;
        }
        int timeout = (int) connectTimeout.toMillis();
        connectDeadline = System.nanoTime() + connectTimeout.toNanos();
        try {
            RdmaClient fresh = new RdmaClient(address, settings.export(), memory, SHAPE, timeout, this);
            client = fresh;
            connectionEvents = Watched.on(loop, fresh.descriptor(), this::takeConnectionEvents);
        } catch (IOException | RuntimeException e) {
            disconnect(String.valueOf(e.getMessage()));
        }
    }

    private void takeConnectionEvents() {
        RdmaClient from = client;
        if (from != null) {
            from.takeEvents(0);
            endOfTurn();
        }
    }

    private void takeCompletions() {
        QueuePair from = pair;
        if (from == null) {
            return;
        }
        reaping = true;
        try {
            from.reapAfterEvent();
        } catch (IOException e) {
            broken(String.valueOf(e.getMessage()));
        }
        reaping = false;
        endOfTurn();
    }

    /** Does what must not be done from inside the queue pair's own calls. */
    private void endOfTurn() {
        String why = broken;
        if (why != null) {
            disconnect(why);
        } else {
            pump();
        }
    }

    private void broken(String why) {
        if (broken == null) {
            broken = why;
        }
    }

    @Override
    public void made(QueuePair fresh, LocalMemory.OnDevice memoryHere, int readSlots) throws IOException {
        pair = fresh;
        here = memoryHere;
        reads = new LinkRequest[readSlots];
        freeReadCount = readSlots;
        for (int i = 0; i < readSlots; i++) {
            freeReads[i] = i;
        }
        backgroundReads = 0;
        helloSlot = NONE;
        freeMessageCount = MESSAGES;
        for (int i = 0; i < MESSAGES; i++) {
            freeMessages[i] = i;
            sending[i] = false;
        }
        if (!busyPoll) {
            completions = Watched.on(loop, fresh.descriptor(), this::takeCompletions);
            fresh.arm();
        }
    }

    /** Looks for completions in every turn of the loop as long as something is under way; without events. */
    private void pollSoon() {
        if (busyPoll && !pollPending && (freeReadCount < reads.length || freeMessageCount < MESSAGES) && pair != null) {
            pollPending = true;
            loop.execute(pollTask);
        }
    }

    private void poll() {
        pollPending = false;
        flush();
        pollSoon();
    }

    @Override
    public void connected() {
        QueuePair to = pair;
        if (over != null || to == null) {
            return;
        }
        int slot = freeMessages[--freeMessageCount];
        helloSlot = slot;
        ByteBuf frame = to.sendFrame(slot);
        frame.setIndex(0, RequestHeader.LENGTH);
        Hello hello = settings.hello(lane);
        hello.encode(frame);
        int payload = frame.readableBytes() - RequestHeader.LENGTH;
        RequestHeader.encode(frame, 0, Operation.HELLO, HELLO_COOKIE, 0, 0, 0, payload, 0);
        send(to, slot, frame.readableBytes());
    }

    @Override
    public void disconnected(String why) {
        broken(why);
    }

    @Override
    public void failed(int status) {
        broken("a work request failed with status " + status);
    }

    private void helloAnswered(ByteBuf frame, int length) {
        byte status = ReplyHeader.status(frame, 0);
        if (status == Status.FENCED) {
            fenced();
            return;
        }
        if (status != Status.OK) {
            broken("refused the hello: " + Status.name(status));
            return;
        }
        HelloReply reply;
        try {
            reply = HelloReply.decode(frame.slice(ReplyHeader.LENGTH, length - ReplyHeader.LENGTH));
        } catch (ProtocolException e) {
            broken("broke the protocol: " + e.getMessage());
            return;
        }
        if (reply.slabSize() != settings.slabSize()) {
            broken("now lends in slabs of " + reply.slabSize() + " bytes instead of " + settings.slabSize());
            return;
        }
        donor.met(reply.incarnation(), reply.totalSlabs(), reply.freeSlabs());
        incarnation = reply.incarnation();
        keys.clear();
        int answered = helloSlot;
        helloSlot = NONE;
        release(answered);
        ready = true;
        backoffMillis = FIRST_BACKOFF_MILLIS;
        lastSent = System.nanoTime();
        donor.linkUp(wasReady);
        wasReady = true;
    }

    /** Ends the connection: the device touches nothing any more, and what was under way waits for the next one. */
    private void disconnect(String why) {
        broken = null;
        Watched events = connectionEvents;
        Watched completing = completions;
        connectionEvents = null;
        completions = null;
        if (events != null) {
            events.cancel();
        }
        if (completing != null) {
            completing.cancel();
        }
        RdmaClient ended = client;
        client = null;
        pair = null;
        here = null;
        if (ended != null) {
            ended.close();
        }
        if (ready) {
            ready = false;
            donor.linkDown(why, over == null);
        } else if (over == null) {
            donor.unreachable(why);
        }
        takeBack(System.nanoTime());
        reconnectLater();
    }

    private void takeBack(long now) {
        for (int i = 0; i < reads.length; i++) {
            LinkRequest request = reads[i];
            reads[i] = null;
            if (request != null) {
                again(request, now);
            }
        }
        for (int i = 0; i < MESSAGES; i++) {
            LinkRequest request = messages[i];
            messages[i] = null;
            generations[i]++;
            if (request != null && --request.unanswered == 0) {
                request.sent = 0;
                request.worst = Outcome.OK;
                if (request.queue == null) {
                    again(request, now);
                }
            }
        }
    }

    private void again(LinkRequest request, long now) {
        if (over != null) {
            finish(request, over, now);
        } else if (now - request.deadlineNanos >= 0) {
            finish(request, Outcome.UNREACHABLE, now);
        } else {
            queueOf(request).add(request);
        }
    }

    private void reconnectLater() {
        if (over != null || loop.isShuttingDown()) {
            return;
        }
        long wait = backoffMillis / 2 + ThreadLocalRandom.current().nextLong(backoffMillis / 2 + 1);
        backoffMillis = Math.min(LAST_BACKOFF_MILLIS, backoffMillis * 2);
        loop.schedule(this::connect, wait, TimeUnit.MILLISECONDS);
    }

    // Requests.

    @Override
    public void post(LinkRequest request) {
        if (over != null) {
            finish(request, over, System.nanoTime());
            return;
        }
        request.unanswered = 0;
        RequestQueue queue = queueOf(request);
        queue.add(request);
        if (ready && queue.peek() == request) {
            pump(queue, request.startNanos);
        }
    }

    @Override
    public void promote(LinkRequest request) {
        if (!request.background) {
            return;
        }
        boolean waits = background.remove(request);
        request.background = false;
        if (waits) {
            demands.add(request);
            pump();
        } else if (isRead(request)) {
            backgroundReads--;
        }
    }

    private boolean isRead(LinkRequest request) {
        return request.slot < reads.length && reads[request.slot] == request;
    }

    /** Everything is posted as it comes. What has come back by the end of the turn need not wait for its event. */
    @Override
    public void flush() {
        QueuePair from = pair;
        if (from == null || reaping || (freeReadCount == reads.length && !busyPoll)) {
            return;
        }
        reaping = true;
        try {
            int looks = busyPoll ? LOOKS : 1;
            while (from.reap() == 0 && --looks > 0) {
                Thread.onSpinWait();
            }
        } catch (IOException e) {
            broken(String.valueOf(e.getMessage()));
        }
        reaping = false;
        endOfTurn();
    }

    private RequestQueue queueOf(LinkRequest request) {
        return request.urgent() ? demands : request.background ? background : bulk;
    }

    private void pump() {
        if (demands.isEmpty() && bulk.isEmpty() && background.isEmpty()) {
            return;
        }
        long now = System.nanoTime();
        pump(demands, now);
        pump(bulk, now);
        pump(background, now);
    }

    private void pump(RequestQueue queue, long now) {
        while (ready && broken == null) {
            LinkRequest first = queue.peek();
            if (first == null || !advance(first, now)) {
                return;
            }
            boolean _ = queue.remove(first);
            settle(first, now);
        }
    }

    /** Sends as much of a request as can be sent; whether that was the rest of it. */
    private boolean advance(LinkRequest request, long now) {
        if (request.incarnation != null && !request.incarnation.equals(incarnation)) {
            request.worst = Outcome.LOST;
            return true;
        }
        if (request.operation == Operation.GRANT) {
            request.incarnation = incarnation;
        }
        if (request.postNanos == 0) {
            request.postNanos = now;
        }
        if (request.operation == Operation.READ && !request.asked) {
            int place = placeFor(request);
            if (place != SlabKeys.UNKNOWN) {
                return startRead(request, place);
            }
            request.asked = true;
            donor.readAsked();
        }
        return sendMessages(request);
    }

    /** Where the key to a read's slab is, if the device may do the read; otherwise unknown. */
    private int placeFor(LinkRequest request) {
        int place = keys.find(request.slab);
        if (place == SlabKeys.UNKNOWN) {
            askForKey(request.slab);
            return SlabKeys.UNKNOWN;
        }
        ByteBuf data = request.data();
        LocalMemory.OnDevice mine = here;
        boolean possible = keys.address(place) != 0
                && mine != null
                && data.hasMemoryAddress()
                && mine.keyOf(data.memoryAddress() + request.bufferIndex, request.length) != LocalMemory.OnDevice.NONE
                && watch.stamp(request.position, request.length) != WriteWatch.BUSY;
        return possible ? place : SlabKeys.UNKNOWN;
    }

    private boolean startRead(LinkRequest request, int place) {
        QueuePair on = pair;
        LocalMemory.OnDevice mine = here;
        boolean slotFree = request.background
                ? backgroundReads < Math.max(1, reads.length / 2) && freeReadCount > 1 && demands.isEmpty()
                : freeReadCount > 0;
        if (!slotFree || on == null || mine == null) {
            return false;
        }
        long stamp = watch.stamp(request.position, request.length);
        if (stamp == WriteWatch.BUSY) {
            request.asked = true;
            donor.readAsked();
            return sendMessages(request);
        }
        int slot = freeReads[--freeReadCount];
        pollSoon();
        stamps[slot] = stamp;
        reads[slot] = request;
        request.slot = slot;
        if (request.background) {
            backgroundReads++;
        }
        long to = request.data().memoryAddress() + request.bufferIndex;
        try {
            on.read(
                    slot,
                    to,
                    mine.keyOf(to, request.length),
                    request.length,
                    keys.address(place) + request.offset,
                    keys.key(place));
        } catch (IOException e) {
            // It goes back to its queue with the others that are under way.
            broken(String.valueOf(e.getMessage()));
            loop.execute(this::endOfTurn);
        }
        return true;
    }

    @Override
    public void readDone(int slot) {
        LinkRequest request = reads[slot];
        if (request == null) {
            broken("a read ended that nobody has begun");
            return;
        }
        reads[slot] = null;
        freeReads[freeReadCount++] = slot;
        if (request.background) {
            backgroundReads--;
        }
        if (!watch.undisturbed(request.position, request.length, stamps[slot])) {
            donor.readDisturbed();
            request.asked = true;
            queueOf(request).add(request);
            return;
        }
        donor.readByDevice();
        finish(request, Outcome.OK, System.nanoTime());
    }

    private void askForKey(int slab) {
        keys.asked(slab);
        long now = System.nanoTime();
        LinkRequest ask = own(Operation.EXPOSE, now);
        ask.slab = slab;
        demands.add(ask);
    }

    private LinkRequest own(byte operation, long now) {
        LinkRequest request = new LinkRequest();
        request.operation = operation;
        request.startNanos = now;
        request.deadlineNanos = now + requestTimeoutNanos;
        return request;
    }

    // Messages.

    private static boolean carries(LinkRequest request) {
        return request.operation == Operation.READ || request.operation == Operation.WRITE;
    }

    private static int total(LinkRequest request) {
        return carries(request) ? request.length : 1;
    }

    private boolean sendMessages(LinkRequest request) {
        int total = total(request);
        int keep = request.urgent() ? 0 : FOR_DEMANDS;
        QueuePair to = pair;
        while (request.sent < total && request.worst == Outcome.OK) {
            if (to == null || freeMessageCount <= keep || broken != null) {
                return false;
            }
            sendMessage(to, request, Math.min(total - request.sent, Protocol.MAX_RDMA_PAYLOAD));
        }
        return true;
    }

    private void sendMessage(QueuePair to, LinkRequest request, int piece) {
        int slot = freeMessages[--freeMessageCount];
        messages[slot] = request;
        offsets[slot] = request.sent;
        boolean data = carries(request);
        lengths[slot] = data ? piece : request.length;
        int payload = request.operation == Operation.WRITE ? piece : 0;
        ByteBuf frame = to.sendFrame(slot);
        frame.setIndex(0, RequestHeader.LENGTH);
        RequestHeader.encode(
                frame,
                0,
                request.operation,
                generations[slot] << 16 | slot,
                request.slab,
                request.offset + (data ? request.sent : 0),
                lengths[slot],
                payload,
                request.version);
        if (payload > 0) {
            frame.writeBytes(request.data(), request.bufferIndex + request.sent, payload);
        }
        request.sent += piece;
        request.unanswered++;
        send(to, slot, RequestHeader.LENGTH + payload);
    }

    private void send(QueuePair to, int slot, int length) {
        pollSoon();
        sending[slot] = true;
        lastSent = System.nanoTime();
        try {
            to.send(slot, length);
        } catch (IOException e) {
            broken(String.valueOf(e.getMessage()));
            loop.execute(this::endOfTurn);
        }
    }

    @Override
    public void sent(int slot) {
        sending[slot] = false;
        release(slot);
    }

    /** A frame can be written again when it was sent and its message answered, in whichever order. */
    private void release(int slot) {
        if (!sending[slot] && messages[slot] == null && slot != helloSlot) {
            freeMessages[freeMessageCount++] = slot;
        }
    }

    @Override
    public void received(int slot, int length) {
        QueuePair from = pair;
        if (from == null || broken != null) {
            return;
        }
        ByteBuf frame = from.receiveFrame(slot);
        frame.setIndex(0, length);
        if (length < ReplyHeader.LENGTH || length != ReplyHeader.LENGTH + ReplyHeader.payload(frame, 0)) {
            broken("broke the protocol: a message of " + length + " bytes");
            return;
        }
        if (!ready) {
            helloAnswered(frame, length);
        } else {
            answered(frame, length - ReplyHeader.LENGTH);
        }
        try {
            if (broken == null && over == null) {
                from.receive(slot);
            }
        } catch (IOException e) {
            broken(String.valueOf(e.getMessage()));
        }
    }

    private void answered(ByteBuf frame, int payload) {
        int cookie = ReplyHeader.cookie(frame, 0);
        int slot = cookie & 0xffff;
        LinkRequest request = slot < MESSAGES && generations[slot] == (short) (cookie >>> 16) ? messages[slot] : null;
        byte status = ReplyHeader.status(frame, 0);
        if (request == null
                || request.operation != ReplyHeader.operation(frame, 0)
                || payload != expected(request, slot, status)) {
            broken("broke the protocol: a reply that nobody waits for");
            return;
        }
        messages[slot] = null;
        generations[slot]++;
        release(slot);
        request.unanswered--;
        donor.freeSlabs(ReplyHeader.freeSlabs(frame, 0));
        Outcome outcome = Outcome.of(status);
        if (outcome == Outcome.OK) {
            take(request, slot, frame);
        } else if (request.operation != Operation.EXPOSE) {
            request.worst = outcome;
            if (outcome == Outcome.REFUSED) {
                LOG.error("donor {} refused operation {}: {}", donor, request.operation, Status.name(status));
            }
        }
        if (request.queue == null) {
            settle(request, System.nanoTime());
        }
        if (outcome == Outcome.FENCED) {
            fenced();
        }
    }

    private int expected(LinkRequest request, int slot, byte status) {
        if (status != Status.OK) {
            return 0;
        }
        return switch (request.operation) {
            case Operation.READ -> lengths[slot];
            case Operation.GRANT -> Integer.BYTES;
            case Operation.EXPOSE -> SlabKey.LENGTH;
            default -> 0;
        };
    }

    private void take(LinkRequest request, int slot, ByteBuf frame) {
        switch (request.operation) {
            case Operation.READ ->
                request.data().setBytes(request.bufferIndex + offsets[slot], frame, ReplyHeader.LENGTH, lengths[slot]);
            case Operation.GRANT -> request.grantedHandle = frame.getInt(ReplyHeader.LENGTH);
            case Operation.EXPOSE -> {
                SlabKey key = SlabKey.decode(frame, ReplyHeader.LENGTH);
                if (key.length() == settings.slabSize()) {
                    keys.put(request.slab, key);
                }
            }
            default -> {}
        }
    }

    /** Ends a request that is in no queue, once every message of it is answered. */
    private void settle(LinkRequest request, long now) {
        if (request.unanswered == 0
                && !isRead(request)
                && (request.worst != Outcome.OK || request.sent >= total(request))) {
            finish(request, request.worst, now);
        }
    }

    private static void finish(LinkRequest request, Outcome outcome, long now) {
        request.sent = 0;
        request.worst = Outcome.OK;
        request.outcome = outcome;
        request.completion.linkDone(request, now);
    }

    // Time and the end.

    @Override
    public void tick(long now) {
        if (ready && anyExpired(now)) {
            donor.timedOut();
            disconnect("a request had no reply in time");
        } else if (!ready && client != null && now - connectDeadline >= 0) {
            disconnect("no connection and hello in " + connectTimeout.toMillis() + " ms");
        } else if (ready && now - lastSent > PING_AFTER_NANOS) {
            lastSent = now;
            post(own(Operation.PING, now));
        }
        expire(demands, now);
        expire(bulk, now);
        expire(background, now);
        pump();
    }

    private boolean anyExpired(long now) {
        return anyExpired(reads, now) || anyExpired(messages, now);
    }

    private static boolean anyExpired(@Nullable LinkRequest[] requests, long now) {
        for (LinkRequest request : requests) {
            if (request != null && now - request.deadlineNanos >= 0) {
                return true;
            }
        }
        return false;
    }

    private static void expire(RequestQueue queue, long now) {
        for (int left = queue.size(); left > 0; left--) {
            LinkRequest request = queue.poll();
            if (request == null) {
                return;
            }
            if (now - request.deadlineNanos >= 0 && request.unanswered == 0) {
                finish(request, Outcome.UNREACHABLE, now);
            } else {
                queue.add(request);
            }
        }
    }

    private void fenced() {
        donor.listener().fenced(donor);
        over = Outcome.FENCED;
        broken("a newer server has claimed the export");
        loop.execute(() -> end(Outcome.FENCED, "a newer server has claimed the export"));
    }

    @Override
    public void close() {
        end(Outcome.UNREACHABLE, "closed");
    }

    private void end(Outcome how, String why) {
        if (over == null) {
            over = how;
        }
        disconnect(why);
        long now = System.nanoTime();
        endAll(demands, how, now);
        endAll(bulk, how, now);
        endAll(background, how, now);
    }

    private static void endAll(RequestQueue queue, Outcome how, long now) {
        for (LinkRequest r = queue.poll(); r != null; r = queue.poll()) {
            finish(r, how, now);
        }
    }

    /** For the log. */
    @Override
    public String toString() {
        return "link " + lane + " to " + donor + (ready ? "" : " (down)");
    }
}
