package io.leapnbd.prefetch.push;

/**
 * Finds new streams among faults that belong to none: a fault that is the third of three with the same distance. The three need not
 * follow each other, so streams that are interleaved are found too. Faults at random make such a three seldom: with 24 remembered of
 * 65,536 pages, once in ten thousand.
 */
final class StrideFinder {

    /** Pages that two faults of a new stream are apart, at most. */
    static final int FARTHEST = 1024;

    private static final int REMEMBERED = 24;

    private final long[] pages = new long[REMEMBERED];
    private final boolean[] major = new boolean[REMEMBERED];
    private int newest = -1;
    private int size;
    private boolean sawMajor;

    /** Takes note of a fault. Returns the stride of the stream that it makes, or 0. */
    long add(long page) {
        for (int age = 0; age < size; age++) {
            long stride = page - pages[at(age)];
            if (stride == 0) {
                return 0; // the same page again, by another thread or after an interrupted fault
            }
            if (Math.abs(stride) <= FARTHEST) {
                int first = find(pages[at(age)] - stride, age + 1);
                if (first >= 0) {
                    sawMajor = major[at(age)] || major[at(first)];
                    pages[at(age)] = Long.MIN_VALUE;
                    pages[at(first)] = Long.MIN_VALUE;
                    return stride;
                }
            }
        }
        newest = newest + 1 == REMEMBERED ? 0 : newest + 1;
        size = Math.min(size + 1, REMEMBERED);
        pages[newest] = page;
        major[newest] = false;
        return 0;
    }

    /** Whether one of the faults that made the last stream waited for the device. */
    boolean sawMajor() {
        return sawMajor;
    }

    /** The fault of this page was a major one. */
    void major(long page) {
        int age = find(page, 0);
        if (age >= 0) {
            major[at(age)] = true;
        }
    }

    void forget() {
        size = 0;
    }

    private int find(long page, int from) {
        for (int age = from; age < size; age++) {
            if (pages[at(age)] == page) {
                return age;
            }
        }
        return -1;
    }

    private int at(int age) {
        int index = newest - age;
        return index < 0 ? index + REMEMBERED : index;
    }
}
