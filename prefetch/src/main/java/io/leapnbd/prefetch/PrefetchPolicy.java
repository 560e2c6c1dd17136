package io.leapnbd.prefetch;

/** The policies by the names that {@code --prefetch} takes. */
public enum PrefetchPolicy {
    /** Nothing is prefetched. */
    NONE("none"),
    /** The next 8 pages. */
    NEXT_N("next-n"),
    /** The last two deltas agree. */
    STRIDE("stride"),
    /** Linux's cluster read-ahead. */
    READAHEAD("readahead"),
    /** Global history buffer with delta correlation. */
    GHB("ghb"),
    /** Leap as its paper has it. */
    LEAP("leap"),
    /** Leap as its published kernel code has it. */
    LEAP_KERNEL("leap-kernel"),
    /** The project's own. */
    ADAPTIVE("adaptive");

    private final String label;

    PrefetchPolicy(String label) {
        this.label = label;
    }

    /** The name on the command line. */
    public String label() {
        return label;
    }

    /**
     * The policy of a name.
     *
     * @throws IllegalArgumentException if there is none; its message names those that there are
     */
    public static PrefetchPolicy of(String label) {
        StringBuilder known = new StringBuilder();
        for (PrefetchPolicy policy : values()) {
            if (policy.label.equals(label)) {
                return policy;
            }
            known.append(known.isEmpty() ? "" : ", ").append(policy.label);
        }
        throw new IllegalArgumentException("there is no prefetch policy \"" + label + "\"; there are " + known);
    }

    /**
     * Makes a prefetcher for one stream.
     *
     * @param pages the device's size
     * @param settings for {@link #LEAP}; the others have none
     */
    public Prefetcher prefetcher(long pages, LeapSettings settings) {
        if (pages < 1 || pages > SlotWord.PAGE_LIMIT) {
            throw new IllegalArgumentException("a device of " + pages + " pages cannot be prefetched from: 1 to 2^40");
        }
        return switch (this) {
            case NONE -> new NoPrefetcher();
            case NEXT_N -> new NextLinesPrefetcher(pages);
            case STRIDE -> new StridePrefetcher(pages);
            case READAHEAD -> new ReadAheadPrefetcher(pages);
            case GHB -> new GlobalHistoryPrefetcher(pages);
            case LEAP -> new LeapPrefetcher(pages, settings);
            case LEAP_KERNEL -> new LeapKernelPrefetcher(pages);
            case ADAPTIVE -> new AdaptivePrefetcher(pages);
        };
    }
}
