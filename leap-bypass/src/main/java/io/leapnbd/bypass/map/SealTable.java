package io.leapnbd.bypass.map;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * What is known of each page's bytes: two seals of 32 bits in a word of 64, and the rules by which they change (docs/seals.md). Knows nothing of
 * sums: a seal is any number but {@link #NONE}. Pages are numbers of pages of the device.
 *
 * <p>Any thread may ask. Of each page one thread at a time changes the word: the one whose write has its turn there. A change is one store, which is
 * seen by who sees what was sent or told after it. Allocates nothing.
 */
public final class SealTable {

    /** No seal. */
    public static final int NONE = 0;

    /** Bytes for each page. */
    static final int WORD = Long.BYTES;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle WORDS = LONG.varHandle();
    private static final long LOWER = 0xffff_ffffL;

    private final MemorySegment words;

    /**
     * Over existing memory.
     *
     * @param words a word for each page; all zeros: nothing is known
     */
    SealTable(MemorySegment words) {
        this.words = words;
    }

    /** What bytes are, as a word says. */
    public enum Fit {
        /** They are what is to be read; or nothing is known. */
        RIGHT,
        /** They are, if a write is under way. Otherwise nobody knows yet. */
        PERHAPS,
        /** They are not. */
        WRONG
    }

    /** The word of a page. */
    public long word(long page) {
        return (long) WORDS.getAcquire(words, page * WORD);
    }

    /** Whether nothing is known of a page. */
    public static boolean unsealed(long word) {
        return word == 0;
    }

    /** Whether a write was begun whose end is not known. */
    public static boolean open(long word) {
        return newest(word) != before(word);
    }

    /** The seal of the newest bytes that were sent. */
    public static int newest(long word) {
        return (int) word;
    }

    /** The seal of the bytes before these; {@link #NONE} if they are not known. */
    public static int before(long word) {
        return (int) (word >>> Integer.SIZE);
    }

    /** What bytes with a seal are. */
    public static Fit fit(long word, int seal) {
        if (word == 0) {
            return Fit.RIGHT;
        }
        int newest = newest(word);
        int before = before(word);
        if (newest == before) {
            return seal == newest ? Fit.RIGHT : Fit.WRONG;
        }
        return seal == newest || seal == before || before == NONE ? Fit.PERHAPS : Fit.WRONG;
    }

    /** A write of a page that holds data begins. Both seals fit from here on. */
    public void begin(long page, int next) {
        long word = word(page);
        put(page, open(word) ? NONE : before(word), next);
    }

    /**
     * A write of a page begins of which other things are known than its word.
     *
     * @param before the seal of zeros for a blank page; {@code next} for a lost one, whose bytes must not come back
     */
    public void begin(long page, int before, int next) {
        put(page, before, next);
    }

    /** Every copy has the newest bytes. */
    public void commit(long page) {
        int newest = newest(word(page));
        put(page, newest, newest);
    }

    /** Every copy has bytes with a seal, whatever was begun before. */
    public void settle(long page, int seal) {
        put(page, seal, seal);
    }

    /** Nothing is known any more of a range, which is half open. */
    void forget(long from, long to) {
        words.asSlice(from * WORD, (to - from) * WORD).fill((byte) 0);
    }

    private void put(long page, int before, int newest) {
        WORDS.setRelease(words, page * WORD, ((long) before << Integer.SIZE) | (newest & LOWER));
    }
}
