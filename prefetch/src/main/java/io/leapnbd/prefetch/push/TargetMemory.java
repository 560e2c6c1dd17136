package io.leapnbd.prefetch.push;

/** The memory of the process that is pushed for, as the kernel shows it to another process. */
public interface TargetMemory {

    /** The most pages that {@link #willNeed} takes at once. */
    int MOST_AT_ONCE = 64;

    /** Answers of {@link #willNeed} that are no count: the process is gone. */
    int GONE = -1;

    /** The same: nothing was brought, for another reason. */
    int REFUSED = -2;

    /**
     * Which of {@code count} pages are swapped out: {@code first}, {@code first + stride} and so on.
     *
     * @param stride not 0
     * @param count 1 to {@link StreamPushPolicy#LONGEST_LOOK}
     * @param swapped takes them, in that order
     * @return how many; 0 also if nothing can be told
     */
    int swapped(long first, long stride, int count, long[] swapped);

    /**
     * Asks the kernel to read pages from the swap device into its swap cache. Returns when they are asked for, which is before they
     * are there; or later, when the kernel has to make room for them.
     *
     * @param count 1 to {@link #MOST_AT_ONCE}
     * @return how many it took, from the first on; or {@link #GONE}, {@link #REFUSED}
     */
    int willNeed(long[] pages, int count);

    /** Whether somebody is there to be {@linkplain #tell told}. */
    default boolean tells() {
        return false;
    }

    /**
     * Tells the server of the swap device that these pages will be asked for: it fetches them from farther away, and they take none of
     * the process's memory yet. A hint; nobody waits for it.
     *
     * @param count 1 to {@link #MOST_AT_ONCE}
     */
    default void tell(long[] pages, int count) {}
}
