package io.leapnbd.prefetch;

/** A waiter that keeps what it was told. */
final class RecordingWaiter extends Waiter {

    /** Nothing has been told yet. */
    static final int NOT_TOLD = Integer.MIN_VALUE;

    int slot = NOT_TOLD;
    int times;

    @Override
    protected void fetchEnded(int slot) {
        this.slot = slot;
        times++;
    }
}
