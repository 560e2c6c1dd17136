package io.leapnbd.nbd.spi;

/** The end of one request. Called exactly once, on the event loop of the queue that the request was submitted to. */
@FunctionalInterface
public interface Completion {

    /**
     * Ends the request.
     *
     * @param error 0, or the {@link NbdError#code() code} of an {@link NbdError}
     */
    void complete(int error);

    /**
     * The same for a device that has just looked at the clock, so that nobody has to do it again.
     *
     * @param nanos when the request ended, as {@link System#nanoTime} has it
     */
    default void complete(int error, long nanos) {
        complete(error);
    }

    /**
     * Ends a request that has failed because of one place in its range. The request has failed as a whole; a client that
     * understands structured replies is told of the place.
     *
     * @param error the {@link NbdError#code() code} of an {@link NbdError}; not 0
     * @param offset a byte of the device, in the request's range
     */
    default void completeAt(int error, long offset) {
        complete(error);
    }

    /**
     * When the request was submitted, as {@link System#nanoTime} has it; requests that arrived together have one time. To be
     * asked while it is being submitted.
     */
    default long submittedNanos() {
        return System.nanoTime();
    }
}
