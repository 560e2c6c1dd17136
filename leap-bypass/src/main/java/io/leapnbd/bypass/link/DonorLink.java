package io.leapnbd.bypass.link;

import java.util.function.Consumer;

/** One event loop's connection to one donor. Every method is called on that loop. */
public interface DonorLink {

    /** Whose memory this reaches. */
    Donor donor();

    /** Whether a request posted now would leave at once. */
    boolean ready();

    /**
     * Sends a request, or keeps it until it can be sent. The link completes it exactly once, possibly before this returns;
     * until then it owns the request.
     */
    void post(LinkRequest request);

    /**
     * A client waits for a background read now: it goes ahead of those that nobody waits for. The request must have been
     * posted here, and not been completed.
     */
    void promote(LinkRequest request);

    /**
     * Whether nobody but this loop's thread writes into a read's buffer, as its bytes come: then the buffer may be exchanged for another one while the read is under
     * way. Not so if a device writes there by itself, or if another loop's link has the request. The request must have been posted here, and not been completed.
     */
    default boolean onlyThisLoopWrites(LinkRequest request) {
        return false;
    }

    /** Sends what was held back to leave together. */
    void flush();

    /**
     * Ends what is past its deadline; called several times a second.
     *
     * @param now {@link System#nanoTime()}
     */
    void tick(long now);

    /**
     * The loop did not run for a while: deadlines move by that time. After a long one, or a suspend, the connection is given up, as nobody
     * may know of it any more, and requests are sent again on the next one. Before {@link #tick}. A link that keeps nothing has nothing to
     * do.
     *
     * @param gapNanos how long that was, as {@link System#nanoTime} counts
     * @param suspended whether the machine was suspended, for a time that {@code gapNanos} does not hold
     */
    default void stoodStill(long gapNanos, boolean suspended) {}

    /**
     * If the donor was not heard for so long, spare requests that have waited for as long end: another donor can do them. They end later if other
     * links hear the donor and this one does not: it may be slow, or this link's way to it may be cut. Before {@link #tick}.
     *
     * @param now {@link System#nanoTime()}
     * @param nanos how long a donor may be silent
     */
    default void giveUpSpare(long now, long nanos) {}

    /** Shows somebody what was posted here and has not ended, each once. */
    void each(Consumer<LinkRequest> to);

    /** Fails what is in flight and ends the connection. */
    void close();
}
