package io.leapnbd.prefetch;

/**
 * What is known about a proposal when it is made, as one number: the cell of {@link Odds} that it counts in.
 *
 * <p>The coarse part is in which order and which way the stream goes on, how long it has been in step and how far ahead the
 * page is; the fine part is how good the stream's proposals were lately, how long ago the page was read, and whether
 * another order has it near the demanded page too.
 */
final class Circumstances {

    // Orders.
    static final int BY_PAGE = 0;
    static final int BY_WRITE = 1;
    static final int BY_READ = 2;
    static final int ORDERS = 3;

    // Ways to go on in an order.
    static final int ALONG = 0;
    static final int BESIDE = 1;
    static final int WAYS = ORDERS * 2;

    /** In place of a number: the page is near the request, and of no stream. */
    static final int NEAR = -1;

    /** How long ago a page was read, and not written since: never, recently, long ago. */
    static final int NEVER = 0;

    static final int RECENTLY = 1;
    static final int LONG_AGO = 2;

    private static final int RUNS = 8;
    private static final int DEPTHS = 6;
    private static final int QUALITIES = 4;
    private static final int AGE_PLACES = 4;
    private static final int AGREEMENTS = 2;

    static final int COARSE = WAYS * RUNS * DEPTHS;
    static final int FINE_PER_COARSE = QUALITIES * AGE_PLACES * AGREEMENTS;

    private Circumstances() {}

    /** A way's number, from 0 to {@link #WAYS}. */
    static int way(int order, int mode) {
        return order * 2 + mode;
    }

    static int order(int way) {
        return way >> 1;
    }

    static int mode(int way) {
        return way & 1;
    }

    /**
     * One number for all.
     *
     * @param run accesses in step, or near, one after the other; 0 or more
     * @param step how far ahead the page is; 1 or more
     * @param quality how many of the stream's proposals came true, 0 to 256
     * @param age one of {@link #NEVER}, {@link #RECENTLY}, {@link #LONG_AGO}
     */
    static int of(int way, int run, int step, int quality, int age, boolean agrees) {
        int runs = Math.min(RUNS - 1, log(run) + 1);
        int depth = Math.min(DEPTHS - 1, log(step));
        int grade = Math.min(QUALITIES - 1, (quality * QUALITIES) >> 8);
        return ((((way * RUNS + runs) * DEPTHS + depth) * QUALITIES + grade) * AGE_PLACES + age) * AGREEMENTS
                + (agrees ? 1 : 0);
    }

    /** What to expect before anything has been seen. */
    static float guess(int mode, int run) {
        if (mode == BESIDE || run == 0) {
            return 0.02f;
        }
        return run == 1 ? 0.2f : 0.8f;
    }

    /** The binary logarithm, rounded down; -1 for 0. */
    private static int log(int value) {
        return 31 - Integer.numberOfLeadingZeros(value);
    }
}
