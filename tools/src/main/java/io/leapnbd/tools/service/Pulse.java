package io.leapnbd.tools.service;

/** Whether the threads that do a service's work still do it. */
@FunctionalInterface
public interface Pulse {
    /**
     * Asks each of them to do something small, and waits for that.
     *
     * @param nanos how long to wait at most
     * @return whether all of them did
     */
    boolean beats(long nanos) throws InterruptedException;
}
