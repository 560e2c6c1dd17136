package io.leapnbd.bypass.cache;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/**
 * What clients did, in the order in which it arrived on whatever event loop: a bounded queue that any number of threads add to
 * and one at a time takes from. Nobody waits for anybody, and nothing is allocated: what does not fit is counted and left out.
 *
 * <p>After Dmitry Vyukov's bounded queue: each cell has a sequence number that says whose turn it is. An adder takes a position
 * by moving the tail, fills the cell and then publishes it through the sequence; one that is interrupted in between holds up
 * those behind it, for takers only, until it goes on.
 *
 * <pre>
 *  63     62 61  60  59        40 39                       0
 * +-------+-----+---+------------+--------------------------+
 * | unused| kind|hit| connection |        first page        |   and two more words: pages, time
 * +-------+-----+---+------------+--------------------------+
 * </pre>
 */
public final class AccessQueue {

    /** Pages were demanded. */
    public static final int READ = 0;

    /** Pages were written. */
    public static final int WRITE = 1;

    /** Pages were trimmed or made zeros. */
    public static final int TRIM = 2;

    /** A fetch has ended; its time is how long it took. */
    static final int FETCHED = 3;

    private static final int WORDS = 3;
    private static final int CONNECTION_SHIFT = 40;
    private static final int CONNECTION_MASK = (1 << 20) - 1;
    private static final long HIT = 1L << 60;
    private static final int KIND_SHIFT = 61;
    private static final long PAGE_MASK = (1L << CONNECTION_SHIFT) - 1;

    private final int mask;
    private final long[] cells;
    private final AtomicLongArray sequences;
    private final AtomicLong tail = new AtomicLong();
    private final LongAdder dropped = new LongAdder();

    /** Where the taker is; written by it only. */
    private volatile long head;

    /**
     * An empty queue.
     *
     * @param capacity accesses, a power of two
     */
    public AccessQueue(int capacity) {
        if (Integer.bitCount(capacity) != 1) {
            throw new IllegalArgumentException(capacity + " is not a power of two");
        }
        mask = capacity - 1;
        cells = new long[capacity * WORDS];
        sequences = new AtomicLongArray(capacity);
        for (int i = 0; i < capacity; i++) {
            sequences.setPlain(i, i);
        }
    }

    /**
     * Adds an access, unless the queue is full. Any thread.
     *
     * @param kind one of this class's constants
     * @param page first page; below 2^40
     * @param pages how many
     * @param connection of the client; below 2^20
     * @param hit whether the cache had the page or waited for it
     * @param nanos when, as {@link System#nanoTime} has it
     * @return false if it was left out
     */
    public boolean offer(int kind, long page, int pages, int connection, boolean hit, long nanos) {
        long at = tail.get();
        while (true) {
            long turn = sequences.getAcquire((int) at & mask) - at;
            if (turn == 0) {
                if (tail.compareAndSet(at, at + 1)) {
                    break;
                }
                at = tail.get();
            } else if (turn < 0) {
                dropped.increment();
                return false;
            } else {
                at = tail.get();
            }
        }
        int cell = ((int) at & mask) * WORDS;
        cells[cell] = (long) kind << KIND_SHIFT
                | (hit ? HIT : 0)
                | (long) (connection & CONNECTION_MASK) << CONNECTION_SHIFT
                | (page & PAGE_MASK);
        cells[cell + 1] = pages;
        cells[cell + 2] = nanos;
        // Volatile, because an adder looks afterwards whether anybody takes, as a taker looks for more after it has
        // stopped.
        sequences.set((int) at & mask, at + 1);
        return true;
    }

    /** Takes the oldest access. By one thread at a time. Returns false if there is none. */
    public boolean poll(Access into) {
        long at = head;
        int index = (int) at & mask;
        if (sequences.get(index) != at + 1) {
            return false;
        }
        int cell = index * WORDS;
        into.set(cells[cell], cells[cell + 1], cells[cell + 2]);
        sequences.setRelease(index, at + mask + 1);
        head = at + 1;
        return true;
    }

    /** Whether {@link #poll} would find nothing. Any thread. */
    public boolean isEmpty() {
        long at = head;
        return sequences.get((int) at & mask) <= at;
    }

    /** Accesses that did not fit. */
    public long dropped() {
        return dropped.sum();
    }

    /** One access, to be filled by {@link #poll} again and again. */
    public static final class Access {

        private long word;
        private long pages;
        private long nanos;

        /** Nothing yet. */
        public Access() {}

        private void set(long first, long second, long third) {
            word = first;
            pages = second;
            nanos = third;
        }

        /** {@link #READ}, {@link #WRITE} or {@link #TRIM}. */
        public int kind() {
            return (int) (word >>> KIND_SHIFT);
        }

        /** First page. */
        public long page() {
            return word & PAGE_MASK;
        }

        /** How many. */
        public int pages() {
            return (int) pages;
        }

        /** Of the client. */
        public int connection() {
            return (int) (word >>> CONNECTION_SHIFT) & CONNECTION_MASK;
        }

        /** Whether the cache had the page or waited for it. */
        public boolean hit() {
            return (word & HIT) != 0;
        }

        /** When, or for how long. */
        public long nanos() {
            return nanos;
        }
    }
}
