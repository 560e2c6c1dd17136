package io.leapnbd.prefetch.push;

import java.util.Arrays;

/**
 * The pages that were pushed for one process and wait to be touched, with when and for what. Bounded: a hash table of buckets of eight, in
 * which a full bucket gives up its oldest. A page that was touched stays a while, because only the end of its fault says whether it was
 * there. One thread.
 */
final class PushedPages {

    /** Is told of pages that were pushed for nothing. */
    interface Waste {
        /** A page was not touched in time. */
        void unused(long ticket);
    }

    private static final int WAYS = 8;
    private static final int BUCKETS = 1024;
    private static final int PLACES = WAYS * BUCKETS;

    /** Pages that may wait: more would push each other out of their buckets. */
    static final int MOST_WAITING = PLACES / 2;

    /** After this long a page was pushed for nothing, and one that was touched is of no interest. */
    private static final long PATIENCE = 10_000_000_000L;

    /** Places that are looked at, each fault, for what has waited too long. */
    private static final int SWEEP = 4;

    private static final long FREE = -1;

    private final Waste waste;
    private final long[] pages = new long[PLACES];
    private final long[] nanos = new long[PLACES];
    private final long[] tickets = new long[PLACES];
    private final boolean[] touched = new boolean[PLACES];
    private int waiting;
    private int swept;

    PushedPages(Waste waste) {
        this.waste = waste;
        Arrays.fill(pages, FREE);
    }

    /** Where a page is, waiting or touched; or -1. */
    int find(long page) {
        int start = bucket(page);
        for (int at = start; at < start + WAYS; at++) {
            if (pages[at] == page) {
                return at;
            }
        }
        return -1;
    }

    boolean isWaiting(int place) {
        return !touched[place];
    }

    long ticket(int place) {
        return tickets[place];
    }

    long pushedAt(int place) {
        return nanos[place];
    }

    void touch(int place) {
        touched[place] = true;
        waiting--;
    }

    /** Forgets one that was touched. */
    void remove(int place) {
        pages[place] = FREE;
    }

    void add(long page, long ticket, long now) {
        int start = bucket(page);
        int place = start;
        for (int at = start; at < start + WAYS; at++) {
            if (pages[at] == page || pages[at] == FREE) {
                place = at;
                break;
            }
            if (worth(at) < worth(place)) {
                place = at;
            }
        }
        if (pages[place] != FREE && !touched[place]) {
            giveUp(place, pages[place] != page);
        }
        pages[place] = page;
        tickets[place] = ticket;
        nanos[place] = now;
        touched[place] = false;
        waiting++;
    }

    private long worth(int place) {
        return touched[place] ? Long.MIN_VALUE : nanos[place];
    }

    private void giveUp(int place, boolean wasted) {
        waiting--;
        pages[place] = FREE;
        if (wasted) {
            waste.unused(tickets[place]);
        }
    }

    /** Gives up what has waited too long, in the next places. */
    void sweep(long now) {
        for (int i = 0; i < SWEEP; i++) {
            if (pages[swept] != FREE && now - nanos[swept] > PATIENCE) {
                if (touched[swept]) {
                    pages[swept] = FREE;
                } else {
                    giveUp(swept, true);
                }
            }
            swept = (swept + 1) & (PLACES - 1);
        }
    }

    /** The same in all places: once in a while, for a process that makes no faults. */
    void sweepAll(long now) {
        for (int i = 0; i < PLACES / SWEEP; i++) {
            sweep(now);
        }
    }

    int waiting() {
        return waiting;
    }

    /** Everything is gone: the process has other memory now. */
    void clear() {
        Arrays.fill(pages, FREE);
        waiting = 0;
    }

    private static int bucket(long page) {
        return ((int) ((page * 0x9e3779b97f4a7c15L) >>> 40) & (BUCKETS - 1)) * WAYS;
    }
}
