package io.leapnbd.tools.push;

/**
 * When the fault began that a thread is in, to tell how long a major one took. A small table that forgets: two threads of one place take it
 * from each other, and the time of one of them is not known then.
 */
final class FaultTimes {

    private static final int PLACES = 256;

    private final int[] threads = new int[PLACES];
    private final long[] addresses = new long[PLACES];
    private final long[] nanos = new long[PLACES];

    FaultTimes() {}

    void began(int thread, long address, long now) {
        int place = thread & (PLACES - 1);
        threads[place] = thread;
        addresses[place] = address;
        nanos[place] = now;
    }

    /** Nanoseconds since this thread's fault at this address began; 0 if that is not known. */
    long took(int thread, long address, long now) {
        int place = thread & (PLACES - 1);
        return threads[place] == thread && addresses[place] == address ? now - nanos[place] : 0;
    }
}
