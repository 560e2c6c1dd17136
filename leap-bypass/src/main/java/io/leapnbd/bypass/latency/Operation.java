package io.leapnbd.bypass.latency;

/** What a request does, as far as latencies are told apart. */
public enum Operation {
    READ,
    WRITE,
    TRIM,
    WRITE_ZEROES,
    FLUSH,
    CACHE,
    BLOCK_STATUS,
    /** A page that is fetched before a client asks for it. */
    PREFETCH;

    /** Lower case with dashes, as in files, metrics and tables. */
    public String label() {
        return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }
}
