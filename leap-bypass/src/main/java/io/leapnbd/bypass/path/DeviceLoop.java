package io.leapnbd.bypass.path;

import io.leapnbd.bypass.latency.LoopLatencies;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.TickGap;
import io.leapnbd.donor.linux.SuspendedTime;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one event loop owns of a device: its links, its pools, its recorders, its clock. Nothing is handed to another thread, and
 * once the pools are filled nothing is allocated.
 *
 * <p>Every method is called on the loop, unless it says otherwise.
 */
public final class DeviceLoop {

    private static final Logger LOG = LoggerFactory.getLogger(DeviceLoop.class);
    private static final long TICK_MILLIS = 50;
    private static final long FENCED_GRACE_MILLIS = 1_000;
    private static final LinkCompletion ABANDONED = (request, now) -> {};

    private final EventLoop eventLoop;
    private final LoopLatencies latencies;
    private final DemandLatencies demands = new DemandLatencies();
    private final LoopLinks links;
    private final long timeoutNanos;
    private final long memberTimeoutNanos;
    private final OwnershipLease lease;
    private final SlabWaits waits;
    private final ScheduledFuture<?> ticks;
    private final ArrayDeque<LinkRequest> freeRequests = new ArrayDeque<>(256);
    private final ArrayDeque<ClientRequest> freeClients = new ArrayDeque<>(256);
    private final ArrayDeque<Change> freeChanges = new ArrayDeque<>(256);
    private final List<Runnable> ticked = new ArrayList<>();
    private final StepQueue steps;
    private final LongSupplier clock;
    private final TickGap gaps;
    private final Suspensions suspensions;
    private long lastTick;
    private boolean tickWasLate;
    private boolean defectTold;
    private boolean closed;

    /**
     * Begins to tick.
     *
     * @param links one to each donor, in the order of the settings
     * @param embedded whether the donor is in this process
     * @param timeoutNanos how long a request may take
     * @param memberTimeoutNanos how long a donor may be silent while another has the pages too
     */
    public DeviceLoop(
            EventLoop eventLoop,
            LoopLatencies latencies,
            DonorLink[] links,
            boolean embedded,
            long timeoutNanos,
            long memberTimeoutNanos) {
        this(
                eventLoop,
                latencies,
                links,
                embedded,
                timeoutNanos,
                memberTimeoutNanos,
                System::nanoTime,
                new SuspendedTime());
    }

    /**
     * Likewise, with another clock than {@link System#nanoTime()}.
     *
     * @param suspendedNanos for how long the machine has been suspended in all
     */
    DeviceLoop(
            EventLoop eventLoop,
            LoopLatencies latencies,
            DonorLink[] links,
            boolean embedded,
            long timeoutNanos,
            long memberTimeoutNanos,
            LongSupplier clock,
            LongSupplier suspendedNanos) {
        this.clock = clock;
        lastTick = clock.getAsLong();
        gaps = new TickGap(lastTick);
        this.eventLoop = eventLoop;
        this.latencies = latencies;
        this.links = new LoopLinks(links);
        this.timeoutNanos = timeoutNanos;
        this.memberTimeoutNanos = memberTimeoutNanos;
        suspensions = new Suspensions(suspendedNanos);
        lease = new OwnershipLease(this.links, suspendedNanos, embedded, timeoutNanos, clock);
        waits = new SlabWaits(this);
        steps = new StepQueue(this, eventLoop);
        ticks = eventLoop.scheduleAtFixedRate(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** The loop itself. Any thread. */
    public EventLoop eventLoop() {
        return eventLoop;
    }

    /** Nanoseconds by the clock of its deadlines, {@link System#nanoTime()}. Any thread. */
    long now() {
        return clock.getAsLong();
    }

    /** Its recorders. Any thread may ask for them. */
    public LoopLatencies latencies() {
        return latencies;
    }

    /** Whether it may answer by itself. */
    public OwnershipLease lease() {
        return lease;
    }

    /** How long clients' reads took. Any thread. */
    DemandLatencies demands() {
        return demands;
    }

    /** Long work that is done in steps. */
    public StepQueue steps() {
        return steps;
    }

    SlabWaits waits() {
        return waits;
    }

    /** Its link to a donor. */
    public DonorLink link(int donor) {
        return links.get(donor);
    }

    /** Whether a donor was not heard for so long. It is heard twice a second at least while it is well. */
    boolean isSilent(int donor, long nanos) {
        return now() - links.get(donor).donor().heardNanos() >= nanos;
    }

    /** Whether requests to a donor need not wait for it: its link is not up, and nobody has reached it for as long as one may take. */
    boolean isDown(int donor) {
        DonorLink link = links.get(donor);
        return !link.ready() && link.donor().down(now(), timeoutNanos);
    }

    /** All donors, by number; those that were removed too. */
    List<Donor> donors() {
        List<Donor> all = new ArrayList<>();
        for (int donor = 0; donor < links.count(); donor++) {
            all.add(links.get(donor).donor());
        }
        return List.copyOf(all);
    }

    /** How many there are: numbers of donors are below this. Those of donors that were removed count too. */
    int links() {
        return links.count();
    }

    /** Stands for the link to a donor that is none any more. */
    public static DonorLink removed(Donor donor) {
        return new RemovedLink(donor);
    }

    /** Opens a link to a donor that was added. Its number is {@link #links}. */
    public void add(DonorLink link) {
        if (closed) {
            link.close();
        }
        links.add(link);
    }

    /** Ends the link to a donor that is removed: whatever is asked of it from now on cannot be reached. */
    public void remove(int donor) {
        DonorLink link = links.get(donor);
        links.set(donor, new RemovedLink(link.donor()));
        guarded(link::close);
    }

    /** Ends all links; what is under way fails. */
    public void close() {
        closed = true;
        ticks.cancel(false);
        for (int i = 0; i < links.count(); i++) {
            guarded(links.get(i)::close);
        }
        guarded(waits::close);
        guarded(lease::close);
    }

    /** Whether the device is being closed: nothing new is begun. */
    boolean closed() {
        return closed;
    }

    /** Sends what links held back to send together. */
    public void flush() {
        for (int i = 0; i < links.count(); i++) {
            links.get(i).flush();
        }
    }

    /** Looks after all deadlines. A tick that threw would be the last one, so each step is by itself. */
    private void tick() {
        long now = now();
        long gap = gaps.ended(now);
        boolean suspended = suspensions.ended();
        boolean late = isLate(now);
        for (int i = 0; i < links.count(); i++) {
            DonorLink link = links.get(i);
            try {
                if (suspended || gap > 0) {
                    link.stoodStill(gap, suspended);
                }
                if (!late) {
                    link.giveUpSpare(now, memberTimeoutNanos);
                }
                link.tick(now);
            } catch (RuntimeException | Error e) {
                defect(e);
            }
        }
        guarded(() -> waits.tick(now));
        guarded(() -> lease.tick(now));
        ticked.forEach(this::guarded);
    }

    /**
     * Whether this process, or this loop, has stood still: the donors may have answered, and nobody has looked at the sockets yet. Before the next
     * tick they have been read.
     */
    private boolean isLate(long now) {
        long since = now - lastTick;
        lastTick = now;
        tickWasLate = !tickWasLate && since > memberTimeoutNanos / 4;
        return tickWasLate;
    }

    /** Has something done at every tick, several times a second. */
    public void onTick(Runnable step) {
        ticked.add(step);
    }

    private void guarded(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException | Error e) {
            defect(e);
        }
    }

    /** Takes note of a throw that belongs to no client's request; it ends nothing. */
    public void defect(Throwable e) {
        if (!defectTold) {
            defectTold = true;
            LOG.error("a step of loop {} has failed by a defect; further ones of it are not told", eventLoop, e);
        }
    }

    // Requests of clients.

    /** Begins a client's request, with the part that stands for its splitting. */
    public ClientRequest begin(Operation operation, Completion completion) {
        return begin(operation, completion.submittedNanos(), completion);
    }

    /** The same for a request that had arrived at a time that is known. */
    public ClientRequest begin(Operation operation, long startNanos, Completion completion) {
        ClientRequest request = freeClients.pollLast();
        if (request == null) {
            request = new ClientRequest(this);
        }
        request.begin(operation, startNanos, completion);
        return request;
    }

    void release(ClientRequest request) {
        freeClients.addLast(request);
    }

    long deadline(ClientRequest client) {
        return client.startNanos() + timeoutNanos;
    }

    /** {@link System#nanoTime()} at which what begins at a time has to have ended. */
    public long deadline(long startNanos) {
        return startNanos + timeoutNanos;
    }

    boolean expired(ClientRequest client) {
        return now() - deadline(client) >= 0;
    }

    /**
     * Ends a part of a request of a server that has been replaced. Its connections are being dropped; an error before that would
     * reach processes that the newer server can serve.
     */
    void endFenced(ClientRequest client) {
        client.fail(NbdError.EIO);
        later(client::endPart, FENCED_GRACE_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** Does a part of a client's request again in a while; the part that waits counts meanwhile. */
    void partLater(ClientRequest client, Runnable part, long delay, TimeUnit unit) {
        client.addPart();
        later(() -> endPart(client, part), delay, unit);
    }

    /** Does what remains of a part, ends it, and sends what it has posted. */
    void endPart(ClientRequest client, Runnable rest) {
        try {
            rest.run();
        } catch (RuntimeException | Error e) {
            client.fail(e);
        }
        client.endPart();
        flush();
    }

    /** Does something in a while. */
    public void later(Runnable task, long delay, TimeUnit unit) {
        try {
            ScheduledFuture<?> _ = eventLoop.schedule(() -> guarded(task), delay, unit);
        } catch (RejectedExecutionException e) {
            // The loop is ending; its clients' connections have gone.
            guarded(task);
        }
    }

    /** Runs a task on this loop: at once, if this is it. Any thread. */
    void onLoop(Runnable task) {
        if (eventLoop.inEventLoop()) {
            guarded(task);
            return;
        }
        try {
            eventLoop.execute(() -> guarded(task));
        } catch (RejectedExecutionException e) {
            LOG.debug("loop {} has ended", eventLoop);
        }
    }

    /** Runs a task on this loop, never at once, and not any more once it is closed. Any thread. */
    void soon(Runnable task) {
        try {
            eventLoop.execute(() -> {
                if (!closed) {
                    guarded(task);
                }
            });
        } catch (RejectedExecutionException e) {
            LOG.debug("loop {} has ended", eventLoop);
        }
    }

    /** Shows somebody what was posted on this loop's links and has not ended. */
    void eachRequest(Consumer<LinkRequest> to) {
        for (int i = 0; i < links.count(); i++) {
            links.get(i).each(to);
        }
    }

    /** An empty change, of the pool. */
    Change newChange() {
        Change change = freeChanges.pollLast();
        return change != null ? change : new Change();
    }

    /** Gives a change back that has ended. */
    void release(Change change) {
        change.clear();
        freeChanges.addLast(change);
    }

    // Requests to donors.

    /** An empty request, of the pool. */
    public LinkRequest newRequest() {
        LinkRequest request = freeRequests.pollLast();
        return request != null ? request : new LinkRequest();
    }

    /** Gives a request back that has ended. */
    public void release(LinkRequest request) {
        request.clear();
        freeRequests.addLast(request);
    }

    /** Posts a request, which ends exactly once, whatever happens. */
    public void post(LinkRequest request, int donor) {
        try {
            links.get(donor).post(request);
        } catch (RuntimeException | Error e) {
            defect(e);
            abandon(request);
        }
    }

    /** Ends a request that a link has failed to take. The link may still refer to it, so it is not used again. */
    private static void abandon(LinkRequest request) {
        LinkRequest ended = new LinkRequest();
        ended.operation = request.operation;
        ended.incarnation = request.incarnation;
        ended.where = request.where;
        ended.slab = request.slab;
        ended.length = request.length;
        ended.version = request.version;
        ended.position = request.position;
        ended.startNanos = request.startNanos;
        ended.deadlineNanos = request.deadlineNanos;
        ended.tag = request.tag;
        ended.spare = request.spare;
        ended.attachment = request.attachment;
        ended.pair = request.pair;
        ended.outcome = LinkRequest.Outcome.UNREACHABLE;
        LinkCompletion completion = request.completion;
        request.completion = ABANDONED;
        request.buffer = null;
        completion.linkDone(ended, System.nanoTime());
    }

    /** Takes note of a request that a donor has done for a client. */
    void done(ClientRequest client, LinkRequest request, long now) {
        latencies.record(client.operation(), Stage.QUEUE, request.postNanos - request.startNanos);
        latencies.record(client.operation(), Stage.LINK, now - request.postNanos);
        if (client.operation() == Operation.READ) {
            demands.record(now - request.startNanos);
        }
    }

    static ClientRequest clientOf(LinkRequest request) {
        Object client = request.attachment;
        if (client == null) {
            throw new IllegalStateException("a part of no client's request");
        }
        return (ClientRequest) client;
    }

    /** For messages. */
    @Override
    public @Nullable String toString() {
        return eventLoop.toString();
    }
}
