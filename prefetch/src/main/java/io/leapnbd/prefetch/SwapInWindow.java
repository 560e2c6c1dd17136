package io.leapnbd.prefetch;

/**
 * How much Linux reads ahead when it swaps a page in: swapin_nr_pages of mm/swap_state.c, 4.4, with vm.page-cluster at 3.
 * Unlike {@link PrefetchWindow} it counts the demanded page.
 */
final class SwapInWindow {

    /** 1 &lt;&lt; page-cluster. */
    private static final int MAX = 8;

    /** What the kernel's counter of read-ahead hits starts with. */
    private static final int FIRST_HITS = 4;

    private final boolean suspends;
    private int hits = FIRST_HITS;
    private int last;
    private long previousPage;

    /**
     * A window of 1 to 8 pages.
     *
     * @param suspends whether it falls to 1 when nothing prefetched was wanted and the page is no neighbour of the last such
     *     page, as in Linux; otherwise it stays at 4 or more, as in Leap's kernel
     */
    SwapInWindow(boolean suspends) {
        this.suspends = suspends;
    }

    /** A page that was read ahead was demanded. */
    void hit() {
        hits++;
    }

    /** The pages to read for a miss on {@code page}, itself included: a power of two. */
    int next(long page) {
        int size;
        if (hits == 0 && suspends) {
            boolean neighbour = page == previousPage + 1 || page == previousPage - 1;
            size = neighbour ? 2 : 1;
            previousPage = page;
        } else {
            size = 4;
            while (size < MAX && size < hits + 2) {
                size <<= 1;
            }
        }
        size = Math.max(size, last / 2);
        hits = 0;
        last = size;
        return size;
    }
}
