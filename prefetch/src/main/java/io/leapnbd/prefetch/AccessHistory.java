package io.leapnbd.prefetch;

/**
 * The deltas between the last look-ups of one stream, newest first: Leap's AccessHistory (section 3.2.1). Not the pages,
 * because a trend is a majority among deltas. The first look-up has no delta.
 */
final class AccessHistory {

    private final long[] deltas;
    private int head;
    private int size;
    private long previous;
    private boolean started;

    /** Remembers {@code capacity} deltas: H. */
    AccessHistory(int capacity) {
        deltas = new long[capacity];
    }

    void record(long page) {
        if (started) {
            head = head + 1 == deltas.length ? 0 : head + 1;
            deltas[head] = page - previous;
            if (size < deltas.length) {
                size++;
            }
        }
        started = true;
        previous = page;
    }

    /** The delta that is {@code age} look-ups old; 0 is the newest, below {@link #size}. */
    long delta(int age) {
        int at = head - age;
        return deltas[at < 0 ? at + deltas.length : at];
    }

    /** Deltas recorded, at most {@link #capacity}. */
    int size() {
        return size;
    }

    /** H. */
    int capacity() {
        return deltas.length;
    }
}
