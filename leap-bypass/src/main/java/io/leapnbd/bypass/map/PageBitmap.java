package io.leapnbd.bypass.map;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * One bit for each page of the device, off heap, shared by all loops without locks: bits are set and cleared a word at a time,
 * atomically. Ranges are half open.
 */
final class PageBitmap {

    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle WORDS = WORD.varHandle();

    private final MemorySegment words;

    /**
     * Over existing memory.
     *
     * @param words aligned to 8 bytes, one bit for each page
     */
    PageBitmap(MemorySegment words) {
        this.words = words;
    }

    boolean get(long page) {
        return ((long) WORDS.getAcquire(words, wordOf(page)) & (1L << page)) != 0;
    }

    void set(long from, long to) {
        for (long page = from; page < to; page = endOfWord(page, to)) {
            long mask = mask(page, endOfWord(page, to));
            long offset = wordOf(page);
            if (((long) WORDS.getAcquire(words, offset) & mask) != mask) {
                long _ = (long) WORDS.getAndBitwiseOr(words, offset, mask);
            }
        }
    }

    void clear(long from, long to) {
        for (long page = from; page < to; page = endOfWord(page, to)) {
            long mask = mask(page, endOfWord(page, to));
            long offset = wordOf(page);
            if (((long) WORDS.getAcquire(words, offset) & mask) != 0) {
                long _ = (long) WORDS.getAndBitwiseAnd(words, offset, ~mask);
            }
        }
    }

    boolean any(long from, long to) {
        for (long page = from; page < to; page = endOfWord(page, to)) {
            if (((long) WORDS.getAcquire(words, wordOf(page)) & mask(page, endOfWord(page, to))) != 0) {
                return true;
            }
        }
        return false;
    }

    long count(long from, long to) {
        long count = 0;
        for (long page = from; page < to; page = endOfWord(page, to)) {
            count += Long.bitCount((long) WORDS.getAcquire(words, wordOf(page)) & mask(page, endOfWord(page, to)));
        }
        return count;
    }

    /** The end of the run of equal bits that starts at {@code from}; at most {@code to}. */
    long endOfRun(long from, long to) {
        boolean value = get(from);
        long page = from;
        while (page < to) {
            long end = endOfWord(page, to);
            long word = (long) WORDS.getAcquire(words, wordOf(page));
            long different = (value ? ~word : word) & mask(page, end);
            if (different != 0) {
                return (page & -Long.SIZE) + Long.numberOfTrailingZeros(different);
            }
            page = end;
        }
        return to;
    }

    /** The bits of a range of whole words. */
    long[] words(long from, long to) {
        long[] all = new long[(int) ((to - from) / Long.SIZE)];
        for (int i = 0; i < all.length; i++) {
            all[i] = (long) WORDS.getAcquire(words, wordOf(from + (long) i * Long.SIZE));
        }
        return all;
    }

    /**
     * Moves what is set here in a range to {@code other}: sets there before it clears here, so that whoever finds a bit cleared
     * here finds it set there.
     */
    void moveTo(PageBitmap other, long from, long to) {
        for (long page = from; page < to; page = endOfWord(page, to)) {
            long offset = wordOf(page);
            long bits = (long) WORDS.getAcquire(words, offset) & mask(page, endOfWord(page, to));
            if (bits != 0) {
                long _ = (long) WORDS.getAndBitwiseOr(other.words, offset, bits);
                long _ = (long) WORDS.getAndBitwiseAnd(words, offset, ~bits);
            }
        }
    }

    private static long wordOf(long page) {
        return (page >>> 6) << 3;
    }

    private static long endOfWord(long page, long to) {
        return Math.min(to, (page | 63) + 1);
    }

    /** The bits of {@code from} to {@code to}, which lie in one word. */
    private static long mask(long from, long to) {
        return (-1L >>> (Long.SIZE - (to - from))) << from;
    }
}
