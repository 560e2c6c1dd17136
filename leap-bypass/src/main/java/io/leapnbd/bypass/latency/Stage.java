package io.leapnbd.bypass.latency;

/**
 * A part of a request's way.
 *
 * <p>A request begins when its event loop takes up what its connection has received, and requests that came together begin
 * together: how long they wait for each other counts. How long they lay in the socket before does not, nor how long the
 * connection was not served because it had as many requests in flight as it may. Likewise a donor's reply over TCP has the time
 * at which the receive that brought its end was taken up.
 */
public enum Stage {
    /** In front of the device, with {@code --path queued} only: in the plug and the elevator. */
    STAGING,
    /**
     * From the request's beginning to its first post on a link: waiting for credit. A write begins here with the receive that
     * completes its data, a request of {@code --path queued} when it is dispatched, a prefetch when it is issued. What need not
     * wait for credit is 0: decoding, and waiting for a slab or for an earlier write to the same page, count with {@link #LINK}.
     */
    QUEUE,
    /** Looking for the pages in the prefetch cache. */
    LOOKUP,
    /** From where {@link #QUEUE} ends to the donor's reply. */
    LINK,
    /** From the request's beginning, a write's with the receive that brought its header, to its completion by the device. */
    TOTAL,
    /** From a prefetched page's arrival in the cache to its first hit; 0 if it was waited for. */
    TIMELINESS;

    /** Lower case, as in files, metrics and tables. */
    public String label() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
