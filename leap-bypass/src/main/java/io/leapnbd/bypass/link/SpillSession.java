package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.spill.Spill;
import io.leapnbd.bypass.spill.SpillTask;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connection to the spill. It looks to its link like one to a donor far away: requests are under way for a while, in any number up to that of
 * {@link SpillRequests}, and one that takes too long shows that the connection is broken. Threads of the {@link Spill} wait for the disk.
 *
 * <p>Every field belongs to the loop's thread.
 */
final class SpillSession implements LinkSession {

    private static final Logger LOG = LoggerFactory.getLogger(SpillSession.class);

    private final ReconnectingLink link;
    private final SpillRequests pool;
    private final Spill spill;
    private final Duration connectTimeout;
    private final List<SpillRequest> underWay = new ArrayList<>();

    /** Requests that were under way when it ended. */
    private final ArrayDeque<LinkRequest> left = new ArrayDeque<>();

    private @Nullable Greeting greeting;
    private @Nullable Claim claim;
    private boolean ended;
    private long lastAsked;

    SpillSession(ReconnectingLink link, SpillRequests pool, Duration connectTimeout) {
        this.link = link;
        this.pool = pool;
        this.connectTimeout = connectTimeout;
        spill = pool.spill();
    }

    @Override
    public void open() throws IOException {
        link.expectWithin(connectTimeout);
        pool.open();
        link.connected();
    }

    @Nullable
    Claim claim() {
        return claim;
    }

    @Override
    public void hello(Hello hello) {
        lastAsked = System.nanoTime();
        Greeting fresh = new Greeting(hello);
        greeting = fresh;
        if (!spill.threads().submit(fresh)) {
            link.fail("the spill is closed");
        }
    }

    /** Says a hello, on a thread that may wait. One a session at a time; it is taken back with its session. */
    private final class Greeting extends SpillTask {

        private final Hello hello;
        private @Nullable Admission admission;

        Greeting(Hello hello) {
            this.hello = hello;
            is(Kind.ALONE, 0, 0, 0);
        }

        @Override
        protected void run() {
            try {
                AtomicReference<@Nullable Claim> own = new AtomicReference<>();
                Admission said = spill.store().hello(hello, () -> fencedOff(own.get()));
                own.set(said.claim());
                admission = said;
            } catch (UncheckedIOException e) {
                spill.failed(e);
            }
            try {
                pool.loop().execute(this::arrived);
            } catch (RejectedExecutionException e) {
                LOG.debug("the loop of a link to the spill is gone already");
            }
        }

        private void arrived() {
            Admission said = admission;
            Claim fresh = said == null ? null : said.claim();
            if (!link.has(SpillSession.this)) {
                let(fresh);
            } else if (said == null) {
                link.fail("the disk has failed");
            } else {
                if (fresh != null) {
                    let(claim);
                    claim = fresh;
                }
                link.helloAnswered(said.status(), said.reply());
            }
        }
    }

    /** Another claim owns the export now. This server's other links may have claimed anew; else there is a newer server. Any thread. */
    private void fencedOff(@Nullable Claim own) {
        boolean another = own != null && own.ownedByAnother();
        Donor donor = link.donor();
        if (another) {
            donor.listener().fenced(donor);
        }
        try {
            pool.loop().execute(() -> {
                if (another) {
                    link.fenced();
                } else if (link.has(this)) {
                    link.fail("another link has claimed anew");
                }
            });
        } catch (RejectedExecutionException e) {
            LOG.debug("the loop of a link to the spill is gone already");
        }
    }

    @Override
    public void greeted(HelloReply reply) {
        // The claim is all there is to it.
    }

    @Override
    public boolean advance(LinkRequest request) {
        return pool.has(request);
    }

    @Override
    public void send(LinkRequest request, long now) {
        lastAsked = request.sentNanos;
        SpillRequest task = pool.take(request, this);
        task.place = underWay.size();
        underWay.add(task);
        if (!spill.threads().submit(task)) {
            link.fail("the spill is closed");
        }
    }

    /** One is not under way any more. */
    void remove(SpillRequest task) {
        SpillRequest last = underWay.removeLast();
        if (last != task) {
            underWay.set(task.place, last);
            last.place = task.place;
        }
    }

    /**
     * One has come back.
     *
     * @param failed whether the disk has failed it, so that nobody knows whether it was done
     */
    void ended(LinkRequest request, byte status, boolean failed) {
        long now = System.nanoTime();
        if (failed) {
            request.finish(Outcome.UNREACHABLE, now);
        } else {
            link.requests()
                    .answered(
                            request,
                            status,
                            spill.store().freeSlabs(),
                            spill.store().wantedBack(),
                            true,
                            now);
        }
        if (link.has(this)) {
            link.requests().pump();
        }
    }

    @Override
    public void promoted(LinkRequest request) {
        // It is at the disk, or close to it.
    }

    @Override
    public void flush() {
        // Nothing is held back.
    }

    @Override
    public boolean anyOverdue(Patience patience, long now, long heardNanos) {
        for (int i = 0; i < underWay.size(); i++) {
            LinkRequest request = underWay.get(i).request();
            if (request != null && patience.isOver(request, now, heardNanos)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public boolean awaitsReply() {
        return !underWay.isEmpty();
    }

    @Override
    public long lastAskedNanos() {
        return lastAsked;
    }

    @Override
    public void eachUnderWay(Consumer<LinkRequest> to) {
        for (int i = 0; i < underWay.size(); i++) {
            LinkRequest request = underWay.get(i).request();
            if (request != null) {
                to.accept(request);
            }
        }
    }

    /** They stop and go on together. */
    @Override
    public boolean outlivedByPeer() {
        return false;
    }

    @Override
    public void close() {
        if (ended) {
            return;
        }
        ended = true;
        Greeting said = greeting;
        if (said != null) {
            spill.threads().cancel(said);
        }
        for (SpillRequest task : underWay) {
            LinkRequest request = task.detach();
            if (request != null) {
                left.addLast(request);
            }
        }
        underWay.clear();
        let(claim);
        claim = null;
    }

    @Override
    public @Nullable LinkRequest removeAny() {
        return left.pollFirst();
    }

    /** Lets a claim go, where that may wait for the disk. */
    private void let(@Nullable Claim open) {
        if (open == null) {
            return;
        }
        SpillTask end = new SpillTask() {
            @Override
            protected void run() {
                open.close();
            }
        };
        end.is(SpillTask.Kind.ALONE, 0, 0, 0);
        boolean _ = spill.threads().submit(end);
    }
}
