package io.leapnbd.bypass.path;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;

/**
 * How fast copies are filled beside clients' reads. Without reads there is no limit. With reads the rate follows how slow these are: a little more
 * while they are as fast as without it, half of it when they are slower (additive increase, multiplicative decrease: Chiu and Jain, 1989).
 *
 * <p>What "as fast as without it" means is measured, as LEDBAT measures its base delay (RFC 6817) and TCP Vegas its base round trip: while nothing is
 * filled, and in short pauses. So it follows a client that reads more at a time, or a donor that is slow by itself.
 *
 * <p>The size of the pieces and how many bytes are under way follow from the rate: a read waits behind one piece at most.
 *
 * <p>A pure class: time and latencies are told to it. For one thread. Rates are in bytes a second, times in nanoseconds.
 */
final class RepairPace {

    /** No limit. */
    static final long FULL = Long.MAX_VALUE;

    /** The slowest, whatever becomes of reads: 64 GiB take two hours. */
    static final long LEAST = 8L << 20;

    /** The slowest for moves to donors that others' memory depends on: a GiB takes 4 s. It comes before the latency of reads. */
    static final long LEAST_FOR_WISHES = 256L << 20;

    static final int SMALLEST_PIECE = 16 << 10;
    static final int LARGEST_PIECE = 256 << 10;
    static final int MOST_UNDER_WAY = 8 << 20;

    /** Reads are hurt if they take so many quarters of what they take otherwise. */
    private static final long HURT_QUARTERS = 5;

    /** Where a rate begins that is limited from now on. */
    private static final long FIRST_RATE = 64L << 20;

    private static final long HIGHEST = 8L << 30;
    private static final long STEP = 4L << 20;
    private static final int STEP_SHIFT = 3;

    /** Reads that a judgement takes; fewer will do after {@link #JUDGE_NANOS}. */
    private static final long ENOUGH = 400;

    private static final long FEW = 10;
    private static final long JUDGE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    /** Without a read for so long there are none. */
    private static final long NO_READS_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private static final long PAUSE_EVERY_NANOS = TimeUnit.SECONDS.toNanos(4);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(150);

    /** What was begun before a pause is over by then. */
    private static final long PAUSE_SETTLES_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    /** What is known of reads without repair is halved beyond so many, so that it does not grow old. */
    private static final long REMEMBERED = 8_000;

    /** Of all reads the slowest hundredth, of few of them the slowest tenth. */
    private static final int HUNDREDTH = 100;

    private static final int TENTH = 10;

    private final long[] base = new long[DemandLatencies.SIZES];
    private final long[] during = new long[DemandLatencies.SIZES];
    private long baseReads;
    private long duringReads;
    private long judgedAt;
    private long readAt;
    private long pausedAt;
    private long pauseReads;
    private boolean paused;
    private boolean anyRead;
    private long rate = FULL;
    private long free;

    /** Nothing is known. */
    RepairPace(long now) {
        judgedAt = now;
        pausedAt = now;
        readAt = now;
        free = now;
    }

    /**
     * Reads have ended while nothing was filled.
     *
     * @param counts how many of each size of {@link DemandLatencies}, since the last call
     */
    void quiet(long now, long[] counts) {
        long reads = add(base, counts);
        baseReads += reads;
        pauseReads += reads;
        if (reads > 0) {
            readAt = now;
            anyRead = true;
        }
        if (baseReads > REMEMBERED) {
            baseReads = 0;
            for (int size = 0; size < base.length; size++) {
                base[size] >>= 1;
                baseReads += base[size];
            }
        }
    }

    /**
     * Reads have ended while something was filled, or would be if there were no pause.
     *
     * @param counts as in {@link #quiet}
     * @param least the slowest that is allowed now
     */
    void observe(long now, long[] counts, long least) {
        if (paused) {
            if (now - pausedAt >= PAUSE_SETTLES_NANOS) {
                quiet(now, counts);
            }
            paused = pauseReads < ENOUGH && now - pausedAt < LONGEST_PAUSE_NANOS;
            if (!paused) {
                restart(now);
            }
            return;
        }
        long reads = add(during, counts);
        duringReads += reads;
        if (reads > 0) {
            readAt = now;
            anyRead = true;
        }
        if (!anyRead || now - readAt >= NO_READS_NANOS) {
            rate = FULL;
            anyRead = false;
            restart(now);
        } else if (rate == FULL) {
            rate = Math.max(FIRST_RATE, least);
            pauseIfDue(now);
            restart(now);
        } else if (duringReads >= ENOUGH || (duringReads >= FEW && now - judgedAt >= JUDGE_NANOS)) {
            judge(least);
            restart(now);
            pauseIfDue(now);
        }
        rate = Math.max(rate, least);
    }

    private void judge(long least) {
        int part = duringReads >= ENOUGH && baseReads >= ENOUGH ? HUNDREDTH : TENTH;
        if (baseReads < FEW) {
            return;
        }
        long before = slowest(base, baseReads, part);
        long now = slowest(during, duringReads, part);
        if (4 * now > HURT_QUARTERS * before) {
            rate = Math.max(least, rate >> 1);
        } else {
            rate = Math.min(HIGHEST, rate + (rate >> STEP_SHIFT) + STEP);
        }
    }

    private void pauseIfDue(long now) {
        if (baseReads < FEW || now - pausedAt >= PAUSE_EVERY_NANOS) {
            paused = true;
            pausedAt = now;
            pauseReads = 0;
        }
    }

    private void restart(long now) {
        Arrays.fill(during, 0);
        duringReads = 0;
        judgedAt = now;
    }

    private static long add(long[] sums, long[] counts) {
        long all = 0;
        for (int size = 0; size < sums.length; size++) {
            sums[size] += counts[size];
            all += counts[size];
        }
        return all;
    }

    /** What all reads but the slowest n-th part took at most. */
    private static long slowest(long[] counts, long all, int part) {
        long beyond = all / part;
        for (int size = counts.length - 1; size > 0; size--) {
            beyond -= counts[size];
            if (beyond < 0) {
                return DemandLatencies.longest(size);
            }
        }
        return DemandLatencies.longest(0);
    }

    /** The present rate; {@link #FULL} if there is no limit. */
    long rate() {
        return rate;
    }

    /** Whether nothing is to be begun, so that it is seen how fast reads are then. */
    boolean paused() {
        return paused;
    }

    /** How many bytes are copied at a time: what takes a tenth of a millisecond. A power of two. */
    int piece() {
        return rate == FULL
                ? LARGEST_PIECE
                : Integer.highestOneBit(Math.clamp(rate / 10_000, SMALLEST_PIECE, LARGEST_PIECE));
    }

    /** How many bytes may be under way: what takes a millisecond. */
    int mostUnderWay() {
        return rate == FULL ? MOST_UNDER_WAY : Math.clamp(rate / 1_000, piece(), MOST_UNDER_WAY);
    }

    /** How long to wait before more may begin; 0 if it may. */
    long waitNanos(long now) {
        return rate == FULL ? 0 : Math.max(0, free - now);
    }

    /** So many bytes begin. */
    void begun(long now, int bytes) {
        long from = Math.max(free, now);
        free = rate == FULL ? now : from + (long) ((double) bytes * TimeUnit.SECONDS.toNanos(1) / rate);
    }
}
