package io.leapnbd.bypass.latency;

/** A part of a request's way. */
public enum Stage {
    /** In front of the device, with {@code --path queued} only: in the plug and the elevator. */
    STAGING,
    /** From the decoded (with a queue: dispatched) request to its first post on a link: waiting for credit, for a slab. */
    QUEUE,
    /** Looking for the pages in the prefetch cache. */
    LOOKUP,
    /** From the post on a link to the donor's reply. */
    LINK,
    /** From the decoded request to the reply handed to the socket. */
    TOTAL,
    /** From a prefetched page's arrival in the cache to its first hit; 0 if it was waited for. */
    TIMELINESS;

    /** Lower case, as in files, metrics and tables. */
    public String label() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
