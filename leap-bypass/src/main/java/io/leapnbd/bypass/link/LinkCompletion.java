package io.leapnbd.bypass.link;

/** Who waits for a {@link LinkRequest}. */
@FunctionalInterface
public interface LinkCompletion {

    /**
     * The request has ended. Called on the link's loop, exactly once; the request belongs to the callee again.
     *
     * @param now {@link System#nanoTime()} at about this time
     */
    void linkDone(LinkRequest request, long now);
}
