package io.leapnbd.prefetch.push;

/**
 * One stream of faults: where it is, its stride, its pace, and what was pushed for it. Pages that are pushed are numbered from 0; the
 * number comes back with the fault, so what was passed over is known without a look at the pages. One thread.
 */
final class PushStream {

    /** Confidence from which on a stream may skip more of its steps and still be followed. */
    private static final int CONFIDENT = 8;

    private static final int FEW_STEPS = 4;
    private static final int MANY_STEPS = 16;
    private static final int STEPS_BACK = 8;

    private static final int MOST_CONFIDENCE = 256;
    private static final long LONGEST_INTERVAL = 100_000_000;

    /** Pages that may stay unused before a stream without hits is given up. */
    private static final int UNUSED_ALLOWED = 32;

    private long last;
    private long stride;
    private long lastNanos;
    private long interval;
    private int confidence;
    private boolean swapping;
    private int serial;

    /** The position up to which pages were pushed, or found to be in memory. */
    private long front;

    /** The position up to which the server was told of pages. */
    private long told;

    /** The number that the next pushed page gets. */
    private int pushed;

    /** One more than the highest number that was touched. */
    private int passed;

    private int hits;

    PushStream() {}

    /** Begins anew at the third of three faults. */
    void begin(long page, long stride, long nanos, boolean swapping) {
        end();
        this.stride = stride;
        this.swapping = swapping;
        last = page;
        front = page;
        told = page;
        lastNanos = nanos;
        confidence = 2;
        interval = 0;
        pushed = 0;
        passed = 0;
        hits = 0;
    }

    /** Gives up. What was pushed for it is nobody's from now on. */
    void end() {
        stride = 0;
        serial++;
    }

    boolean isActive() {
        return stride != 0;
    }

    /**
     * How many steps ahead of its last fault a page is.
     *
     * @return 1 or more; 0 or less if it belongs to the stream without leading on; {@link Integer#MIN_VALUE} if it does not belong to it
     */
    int stepsTo(long page) {
        long distance = page - last;
        if (stride == 1 || stride == -1) {
            distance *= stride;
        } else {
            long steps = distance / stride;
            if (steps * stride != distance) {
                return Integer.MIN_VALUE;
            }
            distance = steps;
        }
        return distance >= -STEPS_BACK && distance <= (confidence < CONFIDENT ? FEW_STEPS : MANY_STEPS)
                ? (int) distance
                : Integer.MIN_VALUE;
    }

    /** Its next fault came, on a page that was not pushed. */
    void follow(int steps, long page, long nanos) {
        if (steps > 0) {
            move(page, nanos);
        }
    }

    /** A page that was pushed for it was touched. */
    void hit(int number, long page, long nanos) {
        hits++;
        swapping = true;
        passed = Math.max(passed, number + 1);
        if ((page - last) / stride > 0) {
            move(page, nanos);
        }
    }

    private void move(long page, long nanos) {
        long took = Math.clamp(nanos - lastNanos, 1, LONGEST_INTERVAL);
        interval = interval == 0 ? took : interval + ((took - interval) >> 3);
        lastNanos = Math.max(lastNanos, nanos);
        last = page;
        confidence = Math.min(confidence + 1, MOST_CONFIDENCE);
        if ((front - last) / stride < 0 || front == last) {
            front = last;
            passed = pushed;
        }
        if ((told - last) / stride < 0) {
            told = last;
        }
    }

    /** Its last fault waited for the device: its pages are swapped out. */
    void swapping() {
        swapping = true;
    }

    boolean isSwapping() {
        return swapping;
    }

    /** Pages to keep ahead. */
    int lead(int batch, long latencyNanos) {
        long byPace = interval == 0 ? 0 : latencyNanos * 2 / interval + 2L * batch;
        return (int)
                Math.min(Math.clamp(byPace, StreamPushPolicy.LEAST_LEAD, StreamPushPolicy.MOST_LEAD), 2L * confidence);
    }

    /** Pages that were pushed and not passed over yet. */
    int ahead() {
        return pushed - passed;
    }

    /** Whether more of what was pushed for it was passed over than such a stream is trusted with. */
    boolean isWasteful() {
        return passed - hits > UNUSED_ALLOWED + hits;
    }

    long last() {
        return last;
    }

    long stride() {
        return stride;
    }

    long front() {
        return front;
    }

    /** Up to here pages were pushed, or need not be. */
    void front(long position) {
        front = position;
    }

    long told() {
        return told;
    }

    /** Up to here the server was told of pages, or need not be. */
    void told(long position) {
        told = position;
    }

    int nextNumber() {
        return pushed;
    }

    void pushed(int count) {
        pushed += count;
    }

    int serial() {
        return serial;
    }

    int confidence() {
        return confidence;
    }

    int hits() {
        return hits;
    }

    long interval() {
        return interval;
    }

    long lastNanos() {
        return lastNanos;
    }
}
