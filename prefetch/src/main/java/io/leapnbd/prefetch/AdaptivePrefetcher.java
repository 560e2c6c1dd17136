package io.leapnbd.prefetch;

import static io.leapnbd.prefetch.Circumstances.ALONG;
import static io.leapnbd.prefetch.Circumstances.BESIDE;
import static io.leapnbd.prefetch.Circumstances.BY_PAGE;
import static io.leapnbd.prefetch.Circumstances.BY_READ;
import static io.leapnbd.prefetch.Circumstances.BY_WRITE;
import static io.leapnbd.prefetch.Circumstances.NEAR;
import static io.leapnbd.prefetch.Circumstances.ORDERS;
import static io.leapnbd.prefetch.Circumstances.WAYS;
import static java.util.Objects.requireNonNull;

import org.jspecify.annotations.Nullable;

/**
 * The project's own policy. A swap device sees the accesses of many processes in one sequence, at slots that the kernel chose
 * in the order of eviction; one majority vote over all of them finds little. This one
 *
 * <ol>
 *   <li>looks at an access in three orders: by page number, by when pages were written (the kernel's order of eviction,
 *       whatever slots it gave them) and by when they were read before (a repeated sequence, however irregular);
 *   <li>tells {@linkplain StreamTable streams} apart in each of them, by what continues what;
 *   <li>lets the streams of the demanded page propose pages: along their stride, and next to it;
 *   <li>fetches a page whose {@link Odds} are worth it, by what became of proposals in the same {@link Circumstances}. Some of
 *       those with bad odds are remembered without being fetched, so that their odds rise when they would have been right:
 *       every way to go on is scored in the shadow, for each kind of stream, and random access suspends them all;
 *   <li>goes as deep as a fetch takes against the time between a stream's demands, counting what is demanded at once as one of
 *       them, and deeper when pages come late;
 *   <li>fetches besides, when the link is idle, what is {@linkplain NearPages near} a page that near ones have followed before;
 *   <li>asks for better odds the more a fetch {@linkplain Displacement displaces}, and stops at a {@linkplain WasteBudget cap} on
 *       wasted bandwidth.
 * </ol>
 *
 * It decides on hits as on misses, so that a stream that is followed has no misses at all.
 *
 * <p>Takes {@link #memory} bytes, at most about 7 MiB, all of it when it is made. A decision is constant work: at most three
 * searches of 64 streams, one more for a request of several pages, {@link #MAX_DEPTH} steps for each of six ways, of
 * which all but the newest are remembered, and the sixteen pages around the request.
 */
final class AdaptivePrefetcher implements Prefetcher, Proposals.Judge {

    /** The most pages that a log remembers: 1 GiB of the device. */
    static final int MAX_LOG = 1 << 18;

    /** Steps that a stream looks ahead at most. */
    static final int MAX_DEPTH = 32;

    private static final int MIN_LOG = 1 << 10;

    /** The largest write; longer ranges are trims of pages that nobody is about to read. */
    private static final int MAX_WRITE = 8192;

    /** A page that was read fewer demands ago than this is probably still where it was read to. */
    private static final int RECENT = 4096;

    // How near is near, in pages and in places of a log.
    private static final int PAGE_REACH = 128;
    private static final int LOG_REACH = 64;
    private static final int PAIR_PAGES = 16;
    private static final int PAIR_READS = 4;

    /** Depth of a stream whose pace is not known yet, in bursts of pages that are demanded at once. */
    private static final int FIRST_DEPTH = 2;

    /** At one in so many demands, proposals that are not fetched are remembered; a power of two. */
    private static final int SHADOW = 4;

    /** Proposals that the odds are taken from: older ones fade. */
    private static final float MEMORY = 192;

    private static final long FIRST_FETCH_NANOS = 50_000;
    private static final int FETCH_SHIFT = 4;

    private final long pages;
    private final PageLog writes;
    private final PageLog reads;
    private final StreamTable[] tables = {
        new StreamTable(PAGE_REACH), new StreamTable(LOG_REACH), new StreamTable(LOG_REACH)
    };
    private final Odds odds = new Odds(Circumstances.COARSE, Circumstances.FINE_PER_COARSE, MEMORY);
    private final Displacement displacement = new Displacement();
    private final Proposals proposals = new Proposals(this, displacement);
    private final NearPages near;
    private final WasteBudget budget = new WasteBudget();

    /** Demands so far. */
    private long tick;

    /** How long fetches take, on average. */
    private long fetchNanos = FIRST_FETCH_NANOS;

    // The demand that is being decided on: its time, the odds that a page must have to be fetched, whether others are
    // remembered, where its page was read before, its streams, the ways to go on and the odds of each.
    private long now;
    private float worth;
    private boolean sampled;
    private long readAt;
    private final @Nullable Stream[] streams = new Stream[ORDERS];
    private final int[] ranked = new int[WAYS];
    private final float[] promises = new float[WAYS];

    // The request that it is of: its pages, which of them is demanded next, and whether they are taken from the last to
    // the first.
    private long requestFrom;
    private long requestTo;
    private long requestNext;
    private boolean downwards;

    // Written by the owner only, read by anybody.
    private volatile long trendsFound;
    private volatile int windowInUse;

    /**
     * A prefetcher for one device, or a part of its connections.
     *
     * @param pages the device's size; pages from 2^32 - 1 on are told apart by number only
     */
    AdaptivePrefetcher(long pages) {
        this.pages = pages;
        writes = new PageLog(logLength(pages), pages);
        reads = new PageLog(logLength(pages), pages);
        near = new NearPages(logLength(pages));
    }

    private static int logLength(long pages) {
        return Math.clamp(Long.highestOneBit(Math.max(1, pages - 1)) << 1, MIN_LOG, MAX_LOG);
    }

    /** Bytes that a prefetcher for a device of some pages takes at most. */
    static long memory(long pages) {
        return 2 * PageLog.bytes(logLength(pages))
                + NearPages.bytes(logLength(pages))
                + ORDERS * StreamTable.BYTES
                + Proposals.BYTES
                + Odds.bytes(Circumstances.COARSE, Circumstances.FINE_PER_COARSE)
                + 4096;
    }

    /**
     * The pages of a request have no order in time. They are taken in the one in which they continue a stream: a program that
     * goes downwards, and whose kernel reads ahead in ascending clusters, makes one descending run.
     */
    @Override
    public void requested(long firstPage, int count) {
        requestFrom = firstPage;
        requestNext = firstPage;
        requestTo = firstPage + count;
        near.requested(firstPage);
        downwards = count > 1 && tables[BY_PAGE].downwards(firstPage, requestTo - 1);
    }

    @Override
    public int demand(long asked, boolean hit, int connection, long nanos, long[] candidates) {
        tick++;
        long passed = tick == 1 ? 0 : nanos - now;
        now = nanos;
        if (asked != requestNext || asked >= requestTo) {
            requested(asked, 1);
        }
        requestNext++;
        budget.demanded(hit, passed, fetchNanos);
        displacement.demanded();
        proposals.sweep(tick);
        Proposal proposed = proposals.find(asked);
        near.demanded(asked, !hit || (proposed != null && proposed.circumstances() == NEAR));
        if (proposed != null) {
            proposals.demanded(proposed, hit);
        }
        long page = downwards ? requestFrom + requestTo - 1 - asked : asked;
        readAt = reads.record(page);
        streams[BY_PAGE] = access(BY_PAGE, page, connection);
        streams[BY_WRITE] = access(BY_WRITE, writes.position(page), connection);
        streams[BY_READ] = access(BY_READ, readAt, connection);
        sampled = (PageIndex.mix(tick) & (SHADOW - 1)) == 0;
        worth = budget.worthFetching() + displacement.price();

        int ways = rank();
        int count = 0;
        int window = 0;
        for (int i = 0; i < ways; i++) {
            int way = ranked[i];
            Stream stream = requireNonNull(streams[Circumstances.order(way)]);
            count = propose(way, stream, page, candidates, count);
            window = Math.max(window, stream.ahead(Circumstances.mode(way)));
        }
        show(window);
        if (asked == requestTo - 1) {
            near.ended(requestFrom, asked);
            count = proposeNear(candidates, count);
        }
        return count;
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer
    private void show(int window) {
        if (window != windowInUse) {
            windowInUse = window;
        }
        for (Stream stream : streams) {
            if (stream != null && stream.isSettled()) {
                trendsFound++;
                return;
            }
        }
    }

    /** Demands that went on in step with a stream, in whichever order, for the third time at least. */
    @Override
    public long trendsFound() {
        return trendsFound;
    }

    /** How many steps beyond the last demand its streams have proposed pages for; 0 when nothing was worth it. */
    @Override
    public int windowInUse() {
        return windowInUse;
    }

    private @Nullable Stream access(int order, long at, int connection) {
        return at == PageLog.NONE ? null : tables[order].access(at, connection, tick, now);
    }

    /** Puts the ways that may lead anywhere in {@link #ranked}, those with the best odds first. Returns how many there are. */
    private int rank() {
        int ways = 0;
        for (int order = 0; order < ORDERS; order++) {
            Stream stream = streams[order];
            if (stream == null) {
                continue;
            }
            boolean moving = stream.isMoving();
            if (moving) {
                ways = rank(Circumstances.way(order, ALONG), stream, stream.run(), ways);
            }
            // What is next to it is also along it when the stride is one page: it need not be looked at twice.
            if (!moving || stream.stride() != stream.direction()) {
                ways = rank(Circumstances.way(order, BESIDE), stream, stream.near(), ways);
            }
        }
        return ways;
    }

    /**
     * Puts a way in its place among those that have one, by the odds of its first step; leaves it out if its next step is not worth
     * it by far. Returns how many have a place.
     */
    private int rank(int way, Stream stream, int run, int ways) {
        int mode = Circumstances.mode(way);
        float guess = Circumstances.guess(mode, run);
        int next = Circumstances.of(way, run, stream.ahead(mode) + 1, stream.quality(), Circumstances.NEVER, false);
        if (!sampled && odds.atMost(next, guess) < worth) {
            return ways;
        }
        int first = Circumstances.of(way, run, 1, stream.quality(), Circumstances.NEVER, false);
        float promise = odds.of(first, guess);
        int at = ways;
        for (; at > 0 && promises[at - 1] < promise; at--) {
            promises[at] = promises[at - 1];
            ranked[at] = ranked[at - 1];
        }
        promises[at] = promise;
        ranked[at] = way;
        return ways + 1;
    }

    /** Proposes the pages of a way that have not been proposed yet, up to the first that is not worth it. */
    private int propose(int way, Stream stream, long page, long[] candidates, int count) {
        int order = Circumstances.order(way);
        int mode = Circumstances.mode(way);
        long at = stream.last();
        long stride = mode == ALONG ? stream.stride() : stream.direction();
        int run = mode == ALONG ? stream.run() : stream.near();
        float guess = Circumstances.guess(mode, run);
        int depth = depth(stream);
        int step = stream.ahead(mode);
        int n = count;
        while (step < depth && n < MAX_CANDIDATES) {
            long candidate = pageAt(order, at + stride * (step + 1));
            if (candidate < 0 || candidate >= pages) {
                break;
            }
            Proposal known = proposals.find(candidate);
            boolean demandedToo = candidate >= requestFrom && candidate < requestTo;
            if (!demandedToo && (known == null || !proposals.isHeld(known))) {
                int cell = cell(way, run, step + 1, stream.quality(), page, candidate);
                boolean fetch = odds.of(cell, guess) >= worth && budget.allows();
                if (fetch || (known == null && sampled)) {
                    odds.propose(cell);
                    proposals.make(known, candidate, tick, now, cell, stream, fetch);
                }
                if (!fetch) {
                    break;
                }
                budget.fetched();
                candidates[n++] = candidate;
            }
            step++;
        }
        stream.ahead(mode, step);
        return n;
    }

    /** Proposes pages near the request, from the nearest on. */
    private int proposeNear(long[] candidates, int count) {
        float worthAtOnce = budget.worthFetchingAtOnce() + displacement.price();
        if (near.odds() < worthAtOnce) {
            return count;
        }
        int n = count;
        for (int distance = 1; distance <= NearPages.REACH; distance++) {
            if (near.odds(distance) >= worthAtOnce) {
                n = fetch(requestTo - 1 + distance, candidates, n);
            }
            if (near.odds(-distance) >= worthAtOnce) {
                n = fetch(requestFrom - distance, candidates, n);
            }
        }
        return n;
    }

    private int fetch(long candidate, long[] candidates, int count) {
        if (candidate < 0 || candidate >= pages || count == MAX_CANDIDATES || !budget.allows()) {
            return count;
        }
        Proposal known = proposals.find(candidate);
        if (known != null && proposals.isHeld(known)) {
            return count;
        }
        proposals.make(known, candidate, tick, now, NEAR, null, true);
        budget.fetched();
        candidates[count] = candidate;
        return count + 1;
    }

    private long pageAt(int order, long at) {
        return switch (order) {
            case BY_PAGE -> at;
            case BY_WRITE -> writes.page(at);
            default -> reads.page(at);
        };
    }

    private int cell(int way, int run, int step, int quality, long page, long candidate) {
        long position = reads.position(candidate);
        int age = position == PageLog.NONE
                ? Circumstances.NEVER
                : reads.head() - position < RECENT ? Circumstances.RECENTLY : Circumstances.LONG_AGO;
        boolean agrees = Circumstances.order(way) == BY_PAGE
                ? position != PageLog.NONE && readAt != PageLog.NONE && Math.abs(position - readAt) <= PAIR_READS
                : Math.abs(candidate - page) <= PAIR_PAGES;
        return Circumstances.of(way, run, step, quality, age, agrees);
    }

    /**
     * How many steps ahead a page must be asked for to be there in time: half as long again as a fetch takes. A stream whose
     * pages are demanded several at once is paced by these bursts, and as many pages must be there for each.
     */
    private int depth(Stream stream) {
        long interval = stream.interval();
        int bursts = FIRST_DEPTH + (interval == 0 ? 0 : (int) Math.min(MAX_DEPTH, 1.5f * fetchNanos / interval));
        return Math.min(MAX_DEPTH, stream.lead() + bursts * stream.burst());
    }

    @Override
    public void judge(Proposal proposal, boolean right) {
        boolean gained = right && proposal.isFetched();
        if (gained) {
            budget.used();
        }
        if (proposal.circumstances() == NEAR) {
            return;
        }
        if (right) {
            odds.cameTrue(proposal.circumstances());
        }
        Stream stream = proposal.stream();
        if (stream != null) {
            stream.judge(right);
            if (gained) {
                stream.timed(now - proposal.nanos(), fetchNanos);
            }
        }
    }

    @Override
    public void written(long firstPage, int count, int connection, long nanos) {
        if (count > MAX_WRITE) {
            return;
        }
        for (long page = firstPage; page < firstPage + count; page++) {
            writes.record(page);
            reads.forget(page);
            near.written(page);
            Proposal proposed = proposals.find(page);
            if (proposed != null) {
                proposals.withdraw(proposed);
            }
        }
    }

    @Override
    public void fetchTook(long nanos) {
        fetchNanos = Math.max(1, fetchNanos + ((nanos - fetchNanos) >> FETCH_SHIFT));
    }
}
