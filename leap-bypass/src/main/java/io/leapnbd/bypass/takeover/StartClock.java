package io.leapnbd.bypass.takeover;

import java.io.IOException;

/** The time by which a start waits. Any thread. */
interface StartClock {

    /** {@link System#nanoTime} and {@link Thread#sleep(long)}. */
    StartClock OF_THE_MACHINE = new StartClock() {
        @Override
        public long nanoTime() {
            return System.nanoTime();
        }

        @Override
        public void pause(long millis) throws IOException {
            try {
                Thread.sleep(millis);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
    };

    /** Nanoseconds since any moment; only differences count. */
    long nanoTime();

    /**
     * Waits.
     *
     * @param millis 0 or more
     * @throws IOException if the thread is interrupted
     */
    void pause(long millis) throws IOException;
}
