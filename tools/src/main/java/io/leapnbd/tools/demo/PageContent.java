package io.leapnbd.tools.demo;

import java.nio.ByteBuffer;

/**
 * What each page holds: 512 numbers that follow from a seed, the page's number and the place in the page, so that a page
 * that is stale, torn, shifted or somebody else's cannot pass.
 *
 * @param seed any number
 */
record PageContent(long seed) {

    /** Bytes of a page. */
    static final int PAGE_SIZE = 4096;

    private static final long GOLDEN = 0x9E37_79B9_7F4A_7C15L;

    /** Appends a page's content. */
    void put(long page, ByteBuffer to) {
        for (int word = 0; word < PAGE_SIZE / Long.BYTES; word++) {
            to.putLong(word(page, word));
        }
    }

    /** Takes a page and tells whether it is the right one. */
    boolean matches(long page, ByteBuffer from) {
        boolean right = true;
        for (int word = 0; word < PAGE_SIZE / Long.BYTES; word++) {
            right &= from.getLong() == word(page, word);
        }
        return right;
    }

    /** The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over a counter. */
    private long word(long page, int word) {
        long z = seed + GOLDEN * (page * (PAGE_SIZE / Long.BYTES) + word + 1);
        z = (z ^ (z >>> 30)) * 0xBF58_476D_1CE4_E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D0_49BB_1331_11EBL;
        return z ^ (z >>> 31);
    }
}
