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
    private static final float FILL = Float.parseFloat(System.getProperty("fill","0.2"));
    private static final float SLOPE = Float.parseFloat(System.getProperty("slope","0.25"));
    private static final float FLOOR = Float.parseFloat(System.getProperty("floor","0.08"));


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
    private static final int AGES = 6;

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
    private long now;
    private float worth = 0.25f;
    private float wasteRate;
    private float covered;
    private long readAt;


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
        now = nanos;
        wasteRate *= 1 - 1 / 2048f;
        covered += ((hit ? 1 : 0) - covered) / 2048;
        worth = FLOOR + SLOPE * covered + (1 - budget.fill()) * FILL;
        budget.demanded();
        proposals.sweep(tick);
        int proposed = proposals.find(page);
        if (proposed >= 0) {
            proposals.demanded(proposed, hit);
        }
        streams[BY_PAGE] = tables[BY_PAGE].access(page, connection, tick, nanos);
        streams[BY_WRITE] = access(BY_WRITE, writes.position(page), connection, nanos);
        readAt = reads.position(page);
        streams[BY_READ] = access(BY_READ, readAt, connection, nanos);
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
        if (stream < 0) {
            return -1;
        }
        StreamTable table = tables[order];
        boolean moving = table.run(stream) > 0;
        // Next to it is along it when the stride is one page: not to be looked at twice.
        if (way % MODES == ALONG ? !moving : moving && table.stride(stream) == table.direction(stream)) {
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
        int depth = Math.min(MAX_DEPTH, depth(table.interval(stream)) + table.lead(stream));
        int k = mode == ALONG ? table.ahead(stream) : table.besideAhead(stream);
        int n = count;
        while (k < depth && n < MAX_CANDIDATES) {
            long candidate = page(order, at + step * (k + 1));
            if (candidate < 0 || candidate >= pages) {
                break;
            }
            int proposed = proposals.find(candidate);
            if (candidate != page && (proposed < 0 || !proposals.fetched(proposed))) {
                int circumstances = circumstances(order, mode, stream, k + 1, age(order, page, candidate));
                if (odds.of(circumstances, guess) < worth || !budget.allows()) {
                    if (proposed < 0 && (tick & 3) == 0) {
                        odds.propose(circumstances);
                        proposals.add(candidate, tick, now, circumstances, stream, table.serial(stream), false);
                    }
                    break;
                }
                if (proposed >= 0) {
                    proposals.upgrade(proposed, tick, now, circumstances, stream, table.serial(stream));
                } else {
                    proposals.add(candidate, tick, now, circumstances, stream, table.serial(stream), true);
                }
                odds.propose(circumstances);
                budget.fetched();
                candidates[n++] = candidate;
            }
            k++;
        }
        if (mode == ALONG) {
            table.ahead(stream, k);
        } else {
            table.besideAhead(stream, k);
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

    /**
     * What the other orders say about a candidate: how long ago it was read and not written since (never, recently, long ago);
     * and whether it is near the demanded page in another order too.
     */
    private int age(int order, long page, long candidate) {
        long position = reads.position(candidate);
        int age = position == PageLog.NONE ? 0 : reads.head() - position < 4096 ? 1 : 2;
        boolean agrees = order == BY_PAGE
                ? position != PageLog.NONE && readAt != PageLog.NONE && Math.abs(position - readAt) <= 4
                : Math.abs(candidate - page) <= 16;
        return age * 2 + (agrees ? 1 : 0);
    }

    private static float guess(int mode, int run) {
        if (mode == BESIDE) {
            return 0.02f;
        }
        return run == 0 ? 0.02f : run == 1 ? 0.2f : 0.8f;
    }

    /** How many steps ahead a page must be asked for to be there in time. */
    private int depth(long interval) {
        if (interval == 0) {
            return 2;
        }
        return (int) Math.min(MAX_DEPTH, 2 + (fetchNanos + (fetchNanos >> 1)) / interval);
    }

    @Override
    public void judge(int circumstances, int stream, int serial, boolean fetched, boolean right, long madeAt) {
        odds.judge(circumstances, right);
        tables[circumstances / (MODES * RUNS * DEPTHS * QUALITIES * AGES)].judge(stream, serial, right);
        StreamTable table = tables[circumstances / (MODES * RUNS * DEPTHS * QUALITIES * AGES)];
        if (fetched && right) {
            budget.used();
            long age = now - madeAt;
            table.timed(stream, serial, age < fetchNanos ? 1 : age > 4 * fetchNanos ? -1 : 0);
        } else if (fetched) {
            wasteRate++;
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
