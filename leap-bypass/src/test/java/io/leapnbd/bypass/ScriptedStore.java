package io.leapnbd.bypass;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A donor without sockets, which does what a test tells it to: versions by page, as a real one keeps them; restarts that one link
 * meets before another; slabs taken back; answers late, twice, or never in time. Any thread, under its monitor.
 */
final class ScriptedStore {

    static final int PAGE = 4096;

    final Donor donor;
    final AtomicInteger underWay = new AtomicInteger();
    final AtomicInteger mostUnderWay = new AtomicInteger();
    final AtomicInteger pings = new AtomicInteger();
    final AtomicInteger placements = new AtomicInteger();
    private final Random random;
    private final LongSupplier clock;
    private final IntConsumer onLoss;
    private final Donor.Listener listener;
    private final Map<Integer, Held> slabs = new HashMap<>();
    private final List<Link> links = new ArrayList<>();
    private UUID process = UUID.randomUUID();
    private int lastHandle;

    /** One in so many requests is answered only when its time is over; 0 for none. */
    volatile int lateOneIn;

    /** One in so many answers comes a while after the donor has done what it says; 0 for none. */
    volatile int slowOneIn;

    final AtomicInteger lateAnswers = new AtomicInteger();
    volatile boolean fenced;
    volatile boolean holdsEverything;

    /** Placements are taken, and never answered. */
    volatile boolean keepsPlacementsToItself;

    /** So many placements are answered, and further ones are taken and never answered. */
    volatile int answersPlacements = Integer.MAX_VALUE;

    /** Reads of clients that begin at this byte of a slab are kept; -1 for none. */
    volatile int holdsReadsOf = -1;

    /** Slabs that are handed back go when {@link #freeLate} says so, and nobody is told. */
    volatile boolean holdsFrees;

    private final List<LinkRequest> heldFrees = new CopyOnWriteArrayList<>();
    /** One in so many reads is answered with a bit that is another one; 0 for none. */
    volatile int flipsOneIn;

    /** One in so many pages that are written is not what was sent; 0 for none. */
    volatile int rotsOneIn;

    /** What it answers may come at any time, and cannot be sent elsewhere. */
    volatile boolean writesLikeADevice;

    /** What is asked is done, and the answers come when they are let go. */
    volatile boolean holdsAnswers;

    private static final class Held {

        private final int index;
        private final long grant;
        private final Map<Integer, byte[]> pages = new HashMap<>();
        private final Map<Integer, Long> versions = new HashMap<>();
        private long generation;

        Held(int index, long grant) {
            this.index = index;
            this.grant = grant;
            generation = grant;
        }
    }

    ScriptedStore(String name, Donor.Listener listener, Random random, LongSupplier clock, IntConsumer onLoss) {
        donor = new Donor(name, listener);
        this.random = random;
        this.clock = clock;
        this.onLoss = onLoss;
        this.listener = listener;
        donor.met(1000, 1000);
        donor.stand(DonorStanding.claimed(process, 1));
    }

    synchronized Link link(EventLoop loop) {
        Link link = new Link(loop, process);
        links.add(link);
        return link;
    }

    /** Another process takes this one's place. One link has met it, others find out by and by. */
    synchronized void restart() {
        slabs.values().forEach(held -> onLoss.accept(held.index));
        slabs.clear();
        process = UUID.randomUUID();
        links.get(random.nextInt(links.size())).reconnectLater();
        links.forEach(link -> link.loop.schedule(link::reconnect, 1 + random.nextInt(5), TimeUnit.MILLISECONDS));
    }

    /**
     * A link has found the process that there is; the first one tells what was lost with the one before. False if there is another one by
     * now: one that a slow link found would be taken for the newer one's successor.
     */
    private boolean meet(UUID now) {
        synchronized (donor) {
            if (!now.equals(process())) {
                return false;
            }
            UUID known = donor.incarnation();
            if (known != null && !known.equals(now)) {
                listener.donorLost(donor, known, now, true);
                donor.stand(DonorStanding.claimed(now, 1));
            }
            return true;
        }
    }

    private synchronized UUID process() {
        return process;
    }

    int freesHeld() {
        return heldFrees.size();
    }

    /** Does what was held. */
    void freeLate() {
        heldFrees.forEach(request -> perform(request, process(), null));
    }

    /** Slabs that it has granted and not taken back. */
    synchronized int held() {
        return slabs.size();
    }

    /** Forgets a slab that it has granted. */
    synchronized void takeBackAny() {
        List<Integer> handles = List.copyOf(slabs.keySet());
        if (!handles.isEmpty()) {
            Held taken = slabs.remove(handles.get(random.nextInt(handles.size())));
            if (taken != null) {
                onLoss.accept(taken.index);
            }
        }
    }

    private synchronized Outcome perform(LinkRequest r, UUID connectedTo, byte @Nullable [] written) {
        if (fenced) {
            return Outcome.FENCED;
        }
        if (r.operation == Operation.PING) {
            return Outcome.OK;
        }
        if (!connectedTo.equals(process)) {
            return Outcome.UNREACHABLE;
        }
        if (r.operation == Operation.GRANT) {
            return grant(r);
        }
        if (r.operation == Operation.FREE) {
            Held held = slabs.get(r.slab);
            if (held != null && r.version < held.generation) {
                return Outcome.STALE;
            }
            return slabs.remove(r.slab) != null ? Outcome.OK : Outcome.LOST;
        }
        Held held = slabs.get(r.slab);
        if (held == null) {
            return Outcome.LOST;
        }
        if (r.operation == Operation.PLACE) {
            placements.incrementAndGet();
            if (r.version < held.generation) {
                return Outcome.STALE;
            }
            held.generation = r.version;
            return Outcome.OK;
        }
        for (int at = r.offset; at < r.offset + r.length; ) {
            int page = at / PAGE;
            int end = Math.min(r.offset + r.length, (page + 1) * PAGE);
            change(held, r, page, at, end, written);
            at = end;
        }
        return Outcome.OK;
    }

    /** As a donor does: a newer grant takes what is held back, and never has its handle. */
    private Outcome grant(LinkRequest r) {
        for (Map.Entry<Integer, Held> entry : slabs.entrySet()) {
            Held held = entry.getValue();
            if (held.index == r.slab && r.version <= held.generation) {
                r.grantedHandle = entry.getKey();
                return r.version == held.grant ? Outcome.OK : Outcome.STALE;
            }
        }
        slabs.values().removeIf(held -> held.index == r.slab);
        slabs.put(++lastHandle, new Held(r.slab, r.version));
        r.grantedHandle = lastHandle;
        return Outcome.OK;
    }

    private void change(Held held, LinkRequest r, int page, int from, int to, byte @Nullable [] written) {
        byte[] bytes = held.pages.getOrDefault(page, new byte[PAGE]);
        if (r.operation == Operation.READ) {
            int at = r.bufferIndex + from - r.offset;
            ByteBuf into = Objects.requireNonNull(r.buffer);
            into.setBytes(at, bytes, from - page * PAGE, to - from);
            if (oneIn(flipsOneIn)) {
                flip(into, at + random.nextInt(to - from));
            }
            return;
        }
        if (r.version < held.versions.getOrDefault(page, 0L)) {
            return;
        }
        byte[] next = bytes.clone();
        if (written == null) {
            Arrays.fill(next, from - page * PAGE, to - page * PAGE, (byte) 0);
        } else {
            System.arraycopy(written, from - r.offset, next, from - page * PAGE, to - from);
        }
        if (written != null && oneIn(rotsOneIn)) {
            next[random.nextInt(PAGE)] ^= (byte) (1 << random.nextInt(8));
        }
        held.pages.put(page, next);
        held.versions.put(page, r.version);
    }

    private boolean oneIn(int number) {
        return number > 0 && random.nextInt(number) == 0;
    }

    private void flip(ByteBuf bytes, int at) {
        bytes.setByte(at, bytes.getByte(at) ^ 1 << random.nextInt(8));
    }

    /** Changes a bit of a page that it holds. */
    synchronized void flip(int index, int page) {
        byte[] bytes = held(index, page);
        bytes[random.nextInt(PAGE)] ^= (byte) (1 << random.nextInt(8));
    }

    /** Whether it holds these bytes. */
    synchronized boolean holds(int index, int page, byte[] bytes) {
        return Arrays.equals(held(index, page), bytes);
    }

    /** Forgets what it holds of a page: it reads as zeros. */
    synchronized void blank(int index, int page) {
        Arrays.fill(held(index, page), (byte) 0);
    }

    /** Holds one page in the place of another. */
    synchronized void swap(int index, int page, int other) {
        byte[] bytes = held(index, page).clone();
        System.arraycopy(held(index, other), 0, held(index, page), 0, PAGE);
        System.arraycopy(bytes, 0, held(index, other), 0, PAGE);
    }

    private byte[] held(int index, int page) {
        for (Held held : slabs.values()) {
            if (held.index == index) {
                return Objects.requireNonNull(held.pages.get(page));
            }
        }
        throw new AssertionError("it holds no slab " + index);
    }

    /** One loop's. */
    final class Link implements DonorLink {

        final EventLoop loop;
        private final List<LinkRequest> waiting = new ArrayList<>();

        /** Which post of a request it is: requests are pooled, and an answer is that of one post. */
        private final IdentityHashMap<LinkRequest, Integer> posts = new IdentityHashMap<>();

        private final List<Runnable> heldAnswers = new CopyOnWriteArrayList<>();
        private UUID connectedTo;
        volatile boolean throwsInTick;
        volatile boolean throwsInPost;
        volatile boolean down;

        Link(EventLoop loop, UUID connectedTo) {
            this.loop = loop;
            this.connectedTo = connectedTo;
        }

        @Override
        public Donor donor() {
            return donor;
        }

        @Override
        public boolean ready() {
            return !down;
        }

        @Override
        public void post(LinkRequest request) {
            if (throwsInPost) {
                throw new IllegalStateException("as scripted");
            }
            if (request.operation == Operation.PING) {
                pings.incrementAndGet();
            }
            mostUnderWay.accumulateAndGet(underWay.incrementAndGet(), Math::max);
            if (request.postNanos == 0) {
                request.postNanos = clock.getAsLong();
            }
            waiting.add(request);
            int post = posts.merge(request, 1, Integer::sum);
            boolean held = request.operation == Operation.READ
                    && request.offset == holdsReadsOf
                    && request.length == PAGE
                    && !request.background;
            if (!holdsEverything && !held) {
                loop.schedule(() -> answer(request, post), random.nextInt(800), TimeUnit.MICROSECONDS);
            }
        }

        /** Does what is held, and answers it. */
        void letGo() {
            List.copyOf(waiting).forEach(request -> answer(request, postOf(request)));
        }

        int answersHeld() {
            return heldAnswers.size();
        }

        /** Gives the answers that are held. */
        void letAnswersGo() {
            List.copyOf(heldAnswers).forEach(Runnable::run);
            heldAnswers.clear();
        }

        private int postOf(LinkRequest request) {
            return posts.getOrDefault(request, 0);
        }

        private void answer(LinkRequest request, int post) {
            if (!waiting.contains(request) || post != postOf(request)) {
                return;
            }
            byte[] written = null;
            if (request.operation == Operation.WRITE) {
                written = new byte[request.length];
                Objects.requireNonNull(request.buffer).getBytes(request.bufferIndex, written);
            }
            int late = lateOneIn;
            if (late > 0 && request.operation != Operation.GRANT && random.nextInt(late) == 0) {
                late(request, written);
                return;
            }
            boolean newer = request.incarnation != null
                    && !request.incarnation.equals(connectedTo)
                    && request.incarnation.equals(donor.incarnation());
            if (newer) {
                reconnect();
            }
            if (request.incarnation != null && !request.incarnation.equals(connectedTo)) {
                end(request, Outcome.LOST);
                return;
            }
            UUID to = connectedTo;
            if (request.operation == Operation.FREE && holdsFrees) {
                heldFrees.add(copy(request));
                return;
            }
            Outcome outcome = perform(request, to, written);
            if (outcome == Outcome.UNREACHABLE) {
                // A dead connection: sent again over the next one.
                loop.schedule(
                        () -> {
                            reconnect();
                            answer(request, post);
                        },
                        500,
                        TimeUnit.MICROSECONDS);
                return;
            }
            if (request.operation == Operation.PLACE
                    && (keepsPlacementsToItself || placements.get() > answersPlacements)) {
                return;
            }
            if (request.operation == Operation.GRANT) {
                request.incarnation = to;
            }
            if (request.operation == Operation.WRITE && random.nextInt(8) == 0) {
                // Sent a second time, and done a second time, after the reply.
                LinkRequest copy = copy(request);
                byte[] again = written;
                loop.schedule(() -> perform(copy, to, again), random.nextInt(2000), TimeUnit.MICROSECONDS);
            }
            if (holdsAnswers) {
                heldAnswers.add(() -> end(request, post, outcome));
                return;
            }
            int slow = slowOneIn;
            if (slow > 0 && random.nextInt(slow) == 0) {
                loop.schedule(() -> end(request, post, outcome), random.nextInt(3000), TimeUnit.MICROSECONDS);
            } else {
                end(request, outcome);
            }
        }

        /** Not answered in time; done all the same, after its end. */
        private void late(LinkRequest request, byte @Nullable [] written) {
            LinkRequest copy = copy(request);
            UUID to = connectedTo;
            lateAnswers.incrementAndGet();
            boolean change = request.operation == Operation.WRITE || request.operation == Operation.TRIM;
            end(request, Outcome.UNREACHABLE);
            if (change) {
                loop.schedule(() -> perform(copy, to, written), random.nextInt(3000), TimeUnit.MICROSECONDS);
            }
        }

        private static LinkRequest copy(LinkRequest of) {
            LinkRequest copy = new LinkRequest();
            copy.operation = of.operation;
            copy.slab = of.slab;
            copy.offset = of.offset;
            copy.length = of.length;
            copy.version = of.version;
            return copy;
        }

        private void end(LinkRequest request, int post, Outcome outcome) {
            if (post == postOf(request)) {
                end(request, outcome);
            }
        }

        private void end(LinkRequest request, Outcome outcome) {
            if (!waiting.remove(request)) {
                return;
            }
            underWay.decrementAndGet();
            request.outcome = outcome;
            if (outcome == Outcome.OK) {
                donor.proven(request.postNanos);
                donor.heard(System.nanoTime());
            }
            request.completion.linkDone(request, System.nanoTime());
        }

        private void reconnectLater() {
            loop.execute(this::reconnect);
        }

        private void reconnect() {
            UUID now = process();
            while (!now.equals(connectedTo) && !meet(now)) {
                now = process();
            }
            connectedTo = now;
        }

        @Override
        public void promote(LinkRequest request) {
            request.background = false;
        }

        @Override
        public boolean onlyThisLoopWrites(LinkRequest request) {
            return !writesLikeADevice;
        }

        @Override
        public void flush() {}

        @Override
        public void tick(long now) {
            if (throwsInTick) {
                throw new IllegalStateException("as scripted");
            }
            if (!holdsEverything) {
                // As a link's own pings do.
                donor.heard(now);
            }
            for (LinkRequest request : List.copyOf(waiting)) {
                if (now - request.deadlineNanos >= 0) {
                    end(request, Outcome.UNREACHABLE);
                }
            }
        }

        @Override
        public void giveUpSpare(long now, long nanos) {
            if (now - donor.heardNanos() >= nanos) {
                for (LinkRequest request : waiting) {
                    if (request.spare && now - request.startNanos >= nanos && now - request.deadlineNanos < 0) {
                        request.deadlineNanos = now;
                    }
                }
            }
        }

        @Override
        public void each(Consumer<LinkRequest> to) {
            List.copyOf(waiting).forEach(to);
        }

        @Override
        public void close() {
            List.copyOf(waiting).forEach(request -> end(request, Outcome.UNREACHABLE));
        }
    }
}
