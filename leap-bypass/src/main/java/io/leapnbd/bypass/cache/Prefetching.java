package io.leapnbd.bypass.cache;

import io.leapnbd.bypass.cache.AccessQueue.Access;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.Prefetcher;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What decides which pages of a device are fetched ahead. One for all event loops, because a swap device's stream arrives over
 * several connections: loops note what clients do in a queue, in the order in which it happens, and whichever loop has
 * answered what it had to takes the queue's end, asks the policy and fetches over its own links. Nobody waits: a loop that finds
 * another one deciding leaves what it noted to that one.
 */
public final class Prefetching {

    private static final Logger LOG = LoggerFactory.getLogger(Prefetching.class);

    private static final int QUEUE = 1 << 13;

    /** Accesses that a loop deals with before it looks after its clients again. */
    private static final int TURN = DemandBatch.CAPACITY;

    private final long pages;
    private final AccessQueue accesses = new AccessQueue(QUEUE);

    /** Held by the loop that decides; never waited for. */
    private final AtomicBoolean deciding = new AtomicBoolean();

    /** Guarded by {@link #deciding}. */
    private final DemandBatch batch = new DemandBatch();

    /** Guarded by {@link #deciding}. */
    private final long[] candidates = new long[Prefetcher.MAX_CANDIDATES];

    // The request whose pages are dealt with; guarded by deciding. Another loop's in between only breaks it in two.
    private long requestFrom;
    private long requestTo;
    private long requestNext;

    private final LongAdder heldBack = new LongAdder();

    private final AnnouncedPages announced = new AnnouncedPages();

    private final AtomicReference<Chosen> chosen;

    /** Of prefetchers that were replaced; guarded by this object's monitor. */
    private long earlierTrends;

    /** Of a device of so many pages. */
    public Prefetching(long pages, PrefetchPolicy policy, LeapSettings settings) {
        this.pages = pages;
        chosen = new AtomicReference<>(Chosen.of(pages, policy, settings));
    }

    /**
     * Changes policy and settings; the new policy begins without a history. Any thread but a loop's, one at a time.
     *
     * <p>The old one goes before the new one is made, and nothing is prefetched in between: a policy may take 7 MiB of the heap,
     * which has room for one.
     *
     * @param settings for those policies that have some
     */
    public synchronized void choose(PrefetchPolicy policy, LeapSettings settings) {
        while (!deciding.compareAndSet(false, true)) {
            Thread.onSpinWait(); // for a few hundred decisions of a loop
        }
        try {
            choose(Chosen.of(pages, PrefetchPolicy.NONE, settings));
        } finally {
            deciding.set(false);
        }
        choose(Chosen.of(pages, policy, settings));
    }

    /** Lets another prefetcher decide in a policy's name. */
    public void choose(PrefetchPolicy policy, Prefetcher prefetcher) {
        choose(new Chosen(policy, LeapSettings.PUBLISHED, prefetcher, true, null));
    }

    private synchronized void choose(Chosen next) {
        Chosen before = chosen.getAndSet(next);
        earlierTrends += before.prefetcher.trendsFound();
    }

    /** What is chosen, and what the policy has done. Any thread. */
    public synchronized PrefetchFigures figures() {
        Chosen now = chosen.get();
        return new PrefetchFigures(
                now.policy,
                now.settings,
                earlierTrends + now.prefetcher.trendsFound(),
                now.prefetcher.windowInUse(),
                accesses.dropped(),
                heldBack.sum(),
                now.failure);
    }

    /** Whether anybody wants to be told what clients do. */
    boolean active() {
        return chosen.get().active;
    }

    /**
     * Takes note of a demand for a page.
     *
     * @param ahead how many pages its request goes on to demand from here, itself included: with the request's first page
     *     all of them
     */
    void demanded(long page, int ahead, boolean hit, int connection, long nanos) {
        boolean _ = accesses.offer(AccessQueue.READ, page, ahead, connection, hit, nanos);
    }

    /** Pages whose reads the policy is not told of. */
    AnnouncedPages announced() {
        return announced;
    }

    /** Takes note of a write or trim. */
    void written(long firstPage, int count, int connection, long nanos) {
        boolean _ = accesses.offer(AccessQueue.WRITE, firstPage, count, connection, false, nanos);
    }

    /** Takes note of how long a fetch took. */
    void fetchTook(long nanos) {
        boolean _ = accesses.offer(AccessQueue.FETCHED, 0, 0, 0, false, nanos);
    }

    /** Takes note of pages that the policy wanted and that were not fetched, because too many fetches are on their way. */
    void heldBack(int count) {
        heldBack.add(count);
    }

    /**
     * Asks the policy about what was noted and has its answers fetched by {@code loop}, unless another loop is at it.
     *
     * @return whether there is more, so that this wants to be called again when the loop's clients have been looked after
     */
    boolean decide(CachedPages loop) {
        int left = TURN;
        // Once more after the lock has been given back: who came meanwhile was turned away.
        while (!accesses.isEmpty()) {
            if (left == 0) {
                return true;
            }
            if (!deciding.compareAndSet(false, true)) {
                return false;
            }
            Chosen now = chosen.get();
            try {
                int count = batch.take(accesses, left);
                left -= count;
                for (int i = 0; i < count; i++) {
                    decide(now, batch.access(i), loop);
                }
            } catch (RuntimeException e) {
                fail(now, e);
            } finally {
                deciding.set(false);
            }
        }
        return false;
    }

    private void decide(Chosen now, Access access, CachedPages loop) {
        if (!now.active) {
            return;
        }
        Prefetcher prefetcher = now.prefetcher;
        switch (access.kind()) {
            case AccessQueue.READ -> {
                request(prefetcher, access.page(), access.pages());
                boolean hit = access.hit() || batch.foresaw(access.page());
                int count = prefetcher.demand(access.page(), hit, access.connection(), access.nanos(), candidates);
                loop.prefetch(candidates, notDemanded(count));
            }
            case AccessQueue.FETCHED -> prefetcher.fetchTook(access.nanos());
            default -> prefetcher.written(access.page(), access.pages(), access.connection(), access.nanos());
        }
    }

    /** Tells the policy of a request, with its first page. */
    private void request(Prefetcher prefetcher, long page, int ahead) {
        if (page != requestNext || page + ahead != requestTo) {
            requestFrom = page;
            requestTo = page + ahead;
            prefetcher.requested(page, ahead);
        }
        requestNext = page + 1;
    }

    /**
     * Leaves out what the same request demands, or another one that has come at the same time: it is on its way, or has been
     * answered.
     */
    private int notDemanded(int count) {
        int left = 0;
        for (int i = 0; i < count; i++) {
            boolean sameRequest = candidates[i] >= requestFrom && candidates[i] < requestTo;
            if (!sameRequest && !batch.demands(candidates[i])) {
                candidates[left++] = candidates[i];
            }
        }
        return left;
    }

    /** A policy that throws is a defect; it ends prefetching, and nothing else. */
    private void fail(Chosen now, RuntimeException defect) {
        String failure = "the prefetch policy " + now.policy.label() + " has failed (" + defect
                + "); nothing is prefetched until 'set prefetch=…' chooses one";
        // Unless another one has been chosen meanwhile.
        if (chosen.compareAndSet(now, new Chosen(now.policy, now.settings, now.prefetcher, false, failure))) {
            LOG.error("the prefetch policy {} has failed; nothing is prefetched any more", now.policy.label(), defect);
        }
    }

    /** A policy that was asked for; replaced as a whole. */
    private record Chosen(
            PrefetchPolicy policy,
            LeapSettings settings,
            Prefetcher prefetcher,
            boolean active,
            @Nullable String failure) {

        static Chosen of(long pages, PrefetchPolicy policy, LeapSettings settings) {
            return new Chosen(
                    policy, settings, policy.prefetcher(pages, settings), policy != PrefetchPolicy.NONE, null);
        }
    }
}
