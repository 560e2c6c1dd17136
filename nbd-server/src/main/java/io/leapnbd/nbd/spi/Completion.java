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
}
