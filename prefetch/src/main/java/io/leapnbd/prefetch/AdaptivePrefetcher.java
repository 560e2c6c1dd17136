package io.leapnbd.prefetch;

/**
 * The project's own policy. A block device sees the accesses of many processes in one sequence, at slots that the kernel chose
 * in the order of eviction; so one majority vote over all of them finds little. This one
 *
 * <ol>
 *   <li>looks at an access in three orders: by page number, by when pages were written (the kernel's order of eviction) and
 *       by when they were read before;
 *   <li>tells {@linkplain StreamTable streams} apart in each of them;
 *   <li>lets each stream propose the pages that come next, along its stride and next to it;
 *   <li>fetches those whose {@link Odds} are good, by what became of proposals under the same circumstances: proposals with
 *       bad odds are not fetched, but remembered, so that their odds become better when they are right after all;
 *   <li>goes as deep as a fetch takes against the time between a stream's demands;
 *   <li>stops at a {@linkplain WasteBudget cap} on wasted fetches.
 * </ol>
 *
 * It decides on hits as on misses, so a stream that is followed has no misses at all.
 */
final class AdaptivePrefetcher implements Prefetcher, Proposals.Judge {

    /** Pages that the logs remember at most: 1 GiB of device. */
    static final int MAX_LOG = 1 << 18;

    private static final int MIN_LOG = 1 << 10;

    /** Odds from which on a page is fetched. */
    private static final float WORTH_FETCHING = 0.25f;

    private static final int MAX_DEPTH = 32;

    // The orders, and the ways to go on in each.
    private static final int BY_PAGE = 0;
    private static final int BY_WRITE = 1;
    private static final int BY_READ = 2;
    private static final int ORDERS = 3;
    private static final int MODES = 2;
    private static final int ALONG = 0;
    private static final int BESIDE = 1;

    private static final int RUNS = 8;
    private static final int DEPTHS = 6;
    private static final int QUALITIES = 4;
    private static final int AGES = 3;

    private final long pages;
    private final PageLog writes;
    private final PageLog reads;
    private final StreamTable[] tables = {new StreamTable(128), new StreamTable(64), new StreamTable(64)};
    private final Odds odds = new Odds(ORDERS * MODES * RUNS * DEPTHS, QUALITIES * AGES);
    private final Proposals proposals = new Proposals(this);
    private final WasteBudget budget = new WasteBudget();
    private final int[] streams = new int[ORDERS];
    private final float[] promise = new float[ORDERS * MODES];
    private long tick;
    private long fetchNanos = 50_000;

    AdaptivePrefetcher(long pages) {
        this.pages = pages;
        long wanted = Long.highestOneBit(Math.max(1, pages - 1)) << 1;
        int length = Math.clamp(wanted, MIN_LOG, MAX_LOG);
        writes = new PageLog(length);
        reads = new PageLog(length);
    }

    @Override
    public int demand(long page, boolean hit, int connection, long nanos, long[] candidates) {
        tick++;
        budget.demanded();
        proposals.sweep(tick);
        int proposed = proposals.find(page);
        if (proposed >= 0) {
            proposals.demanded(proposed, hit);
        }
        streams[BY_PAGE] = tables[BY_PAGE].access(page, connection, tick, nanos);
        streams[BY_WRITE] = access(BY_WRITE, writes.position(page), connection, nanos);
        streams[BY_READ] = access(BY_READ, reads.position(page), connection, nanos);
        reads.record(page);
        for (int way = 0; way < ORDERS * MODES; way++) {
            promise[way] = promise(way);
        }
        int n = 0;
        for (int turn = 0; turn < ORDERS * MODES; turn++) {
            int best = 0;
            for (int way = 1; way < ORDERS * MODES; way++) {
                if (promise[way] > promise[best]) {
                    best = way;
                }
            }
            if (promise[best] < 0) {
                break;
            }
            promise[best] = -1;
            n = propose(best / MODES, best % MODES, page, candidates, n);
        }
        return n;
    }

    private int access(int order, long at, int connection, long nanos) {
        return at == PageLog.NONE ? -1 : tables[order].access(at, connection, tick, nanos);
    }

    /** The odds of a way's first proposal; below 0 if it has none. */
    private float promise(int way) {
        int order = way / MODES;
        int stream = streams[order];
        if (stream < 0 || (way % MODES == ALONG && tables[order].run(stream) == 0)) {
            return -1;
        }
        return odds.of(
                circumstances(order, way % MODES, stream, 1, 0), guess(way % MODES, run(order, way % MODES, stream)));
    }

    private int propose(int order, int mode, long page, long[] candidates, int count) {
        StreamTable table = tables[order];
        int stream = streams[order];
        long at = table.last(stream);
        long step = mode == ALONG ? table.stride(stream) : table.direction(stream);
        float guess = guess(mode, run(order, mode, stream));
        int depth = depth(table.interval(stream));
        int n = count;
        for (int k = 1; k <= depth && n < MAX_CANDIDATES; k++) {
            long candidate = page(order, at + step * k);
            if (candidate < 0 || candidate >= pages) {
                return n;
            }
            int proposed = proposals.find(candidate);
            if (candidate == page || (proposed >= 0 && proposals.fetched(proposed))) {
                continue;
            }
            int circumstances = circumstances(order, mode, stream, k, age(candidate));
            boolean worth = odds.of(circumstances, guess) >= WORTH_FETCHING && budget.allows();
            if (worth) {
                if (proposed >= 0) {
                    proposals.upgrade(proposed, tick, circumstances, stream, table.serial(stream));
                } else {
                    proposals.add(candidate, tick, circumstances, stream, table.serial(stream), true);
                }
                budget.fetched();
                candidates[n++] = candidate;
            } else {
                if (proposed < 0 && (tick & 3) == 0) {
                    proposals.add(candidate, tick, circumstances, stream, table.serial(stream), false);
                }
                return n;
            }
        }
        return n;
    }

    private long page(int order, long at) {
        return switch (order) {
            case BY_PAGE -> at;
            case BY_WRITE -> writes.page(at);
            default -> reads.page(at);
        };
    }

    private int run(int order, int mode, int stream) {
        return mode == ALONG ? tables[order].run(stream) : tables[order].near(stream);
    }

    private int circumstances(int order, int mode, int stream, int k, int age) {
        int run = Math.min(RUNS - 1, 32 - Integer.numberOfLeadingZeros(run(order, mode, stream)));
        int depth = Math.min(DEPTHS - 1, 31 - Integer.numberOfLeadingZeros(k));
        int quality = Math.min(QUALITIES - 1, tables[order].quality(stream) * QUALITIES / 256);
        return ((((order * MODES + mode) * RUNS + run) * DEPTHS + depth) * QUALITIES + quality) * AGES + age;
    }

    /** How long ago a page was read and not written since: never, recently, or long ago. */
    private int age(long page) {
        long position = reads.position(page);
        return position == PageLog.NONE ? 0 : reads.head() - position < 4096 ? 1 : 2;
    }

    private static float guess(int mode, int run) {
        if (mode == BESIDE) {
            return 0.1f;
        }
        return run == 0 ? 0.1f : run == 1 ? 0.4f : 0.9f;
    }

    /** How many steps ahead a page must be asked for to be there in time. */
    private int depth(long interval) {
        if (interval == 0) {
            return 2;
        }
        return (int) Math.min(MAX_DEPTH, 2 + (fetchNanos + (fetchNanos >> 1)) / interval);
    }

    @Override
    public void judge(int circumstances, int stream, int serial, boolean fetched, boolean right) {
        odds.judge(circumstances, right);
        tables[circumstances / (MODES * RUNS * DEPTHS * QUALITIES * AGES)].judge(stream, serial, right);
        if (fetched && right) {
            budget.used();
        }
    }

    @Override
    public void written(long firstPage, int count, int connection, long nanos) {
        for (long page = firstPage; page < firstPage + Math.min(count, MAX_LOG); page++) {
            writes.record(page);
            reads.forget(page);
            int proposed = proposals.find(page);
            if (proposed >= 0) {
                proposals.withdraw(proposed);
            }
        }
    }

    @Override
    public void fetchTook(long nanos) {
        fetchNanos += (nanos - fetchNanos) >> 4;
    }
}
