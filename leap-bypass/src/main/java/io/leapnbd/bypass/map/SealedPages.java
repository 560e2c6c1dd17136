package io.leapnbd.bypass.map;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * What is known of each encrypted page's bytes (docs/encryption.md, "What is kept"): a <i>seal</i>, which is a stamp and a tag of 128 bits, and the rules by
 * which it changes. A page that is being written has two of them, and they stand in a <i>slot</i> until the write has ended. Knows nothing of ciphers. Pages are
 * numbers of pages of the device.
 *
 * <pre>
 *  record of a page: 0 word  8 tag          word: 0 | stamp              the page has this seal
 *                                                 ZEROS                  it is zeros
 *                                                 ZEROS | stamp          a trim was begun: it has this seal, or is zeros
 *                                                 OPEN | check | slot    a write was begun: the slot has both seals
 *                                                 0                      nothing is known
 *  slot: 0 page + 1  8 newest word  16 newest tag  32 word before  40 tag before
 * </pre>
 *
 * <p>A word is changed by one store, after what it stands for. So all of it is whole after a {@code kill -9}.
 *
 * <p>Any thread may look. Of each page one thread at a time makes changes: the one whose write has its turn there. Allocates nothing.
 */
public final class SealedPages {

    /** A stamp's bits, at most. */
    public static final int STAMP_BITS = 62;

    /** The word of a page that is zeros at its donors. */
    public static final long ZERO_PAGE = 1L << 62;

    /** No seal. */
    public static final long NOTHING = 0;

    /** Bytes for each page. */
    static final int RECORD = 24;

    /** Pages that may have two seals at a time. */
    static final int SLOTS = 1 << 15;

    /** Bytes of all slots. */
    static final long SLOTS_LENGTH = (long) SLOTS * Slot.LENGTH;

    private static final long OPEN = 1L << 63;
    private static final long STAMP = ZERO_PAGE - 1;
    private static final long SLOT_NUMBER = 0xffff;
    private static final int CHECK_SHIFT = 16;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle WORDS = LONG.varHandle();

    /** What a slot is made of. */
    private static final class Slot {
        static final int LENGTH = 64;
        static final int PAGE = 0;
        static final int NEWEST = 8;
        static final int BEFORE = 32;
    }

    private final MemorySegment records;
    private final MemorySegment slots;
    private final AtomicLongArray used = new AtomicLongArray(SLOTS / Long.SIZE);

    /**
     * Over existing memory.
     *
     * @param records one for each page of the device; all zeros: nothing is known
     * @param slots {@link #SLOTS_LENGTH} bytes
     */
    SealedPages(MemorySegment records, MemorySegment slots) {
        this.records = records;
        this.slots = slots;
    }

    /** Takes note of slots that pages are open with, from an earlier life. Before anything else. */
    void restore() {
        long pages = records.byteSize() / RECORD;
        for (int slot = 0; slot < SLOTS; slot++) {
            long page = slots.get(LONG, at(slot)) - 1;
            if (page >= 0 && page < pages && isIn(word(page), slot)) {
                used.set(slot / Long.SIZE, used.get(slot / Long.SIZE) | 1L << slot);
            }
        }
    }

    private static boolean isIn(long word, int slot) {
        return (word & OPEN) != 0 && (word & SLOT_NUMBER) == slot;
    }

    private static long at(int slot) {
        return (long) slot * Slot.LENGTH;
    }

    private long word(long page) {
        return (long) WORDS.getAcquire(records, page * RECORD);
    }

    private void put(long page, long word) {
        WORDS.setRelease(records, page * RECORD, word);
    }

    /** What is known of one page, as of one moment. For one thread. */
    public static final class Seals {

        private long newest;
        private long newestFirst;
        private long newestSecond;
        private long before;
        private long beforeFirst;
        private long beforeSecond;
        private boolean trimmed;
        private boolean writeBegun;

        /** Makes one that knows nothing. */
        public Seals() {
            // Filled by look().
        }

        /** Whether a change was begun whose end is not known. */
        public boolean open() {
            return trimmed || writeBegun;
        }

        /** Whether a trim was the last change that was begun. The page may be zeros then, or what the two seals say. */
        public boolean trimmed() {
            return trimmed;
        }

        /** The newest seal's stamp; {@link #ZERO_PAGE} or {@link #NOTHING}. */
        public long newest() {
            return newest;
        }

        /** The first half of its tag. */
        public long newestFirst() {
            return newestFirst;
        }

        /** The second half. */
        public long newestSecond() {
            return newestSecond;
        }

        /** The stamp of the seal before it, likewise. */
        public long before() {
            return before;
        }

        /** The first half of its tag. */
        public long beforeFirst() {
            return beforeFirst;
        }

        /** The second half. */
        public long beforeSecond() {
            return beforeSecond;
        }
    }

    /** Looks at a page. */
    public void look(long page, Seals into) {
        long at = page * RECORD;
        while (true) {
            long word = word(page);
            into.trimmed = (word & ZERO_PAGE) != 0 && word != ZERO_PAGE;
            into.writeBegun = (word & OPEN) != 0;
            if (into.writeBegun) {
                lookAtSlot((int) (word & SLOT_NUMBER), into);
            } else {
                into.newest = word == ZERO_PAGE ? ZERO_PAGE : word & STAMP;
                into.newestFirst = records.get(LONG, at + 8);
                into.newestSecond = records.get(LONG, at + 16);
                into.before = NOTHING;
            }
            VarHandle.loadLoadFence();
            if (word(page) == word) {
                return;
            }
        }
    }

    private void lookAtSlot(int slot, Seals into) {
        long at = at(slot);
        into.newest = slots.get(LONG, at + Slot.NEWEST);
        into.newestFirst = slots.get(LONG, at + Slot.NEWEST + 8);
        into.newestSecond = slots.get(LONG, at + Slot.NEWEST + 16);
        into.before = slots.get(LONG, at + Slot.BEFORE);
        into.beforeFirst = slots.get(LONG, at + Slot.BEFORE + 8);
        into.beforeSecond = slots.get(LONG, at + Slot.BEFORE + 16);
    }

    /** Whether nothing is known of a page. */
    public boolean unknown(long page) {
        return word(page) == NOTHING;
    }

    /** Whether a change was begun whose end is not known. */
    public boolean open(long page) {
        long word = word(page);
        return (word & OPEN) != 0 || ((word & ZERO_PAGE) != 0 && word != ZERO_PAGE);
    }

    /** What a page was before a write of it begins. */
    public enum Before {
        /** What its record says. */
        KNOWN,
        /** Blank: zeros at its donors. */
        BLANK,
        /** Nothing that may ever come back. */
        LOST
    }

    /**
     * A write of a page begins: both seals are known from here on, and the page has one of them. Of a page that was open already the older seal
     * stays: the write in between has failed, and its client was told so.
     *
     * @return false if there is no slot free; nothing has changed then
     */
    public boolean begin(long page, long stamp, long tagFirst, long tagSecond, Before what) {
        int slot = take();
        if (slot < 0) {
            return false;
        }
        long word = word(page);
        long at = at(slot);
        slots.set(LONG, at + Slot.PAGE, page + 1);
        slots.set(LONG, at + Slot.NEWEST, stamp);
        slots.set(LONG, at + Slot.NEWEST + 8, tagFirst);
        slots.set(LONG, at + Slot.NEWEST + 16, tagSecond);
        switch (what) {
            case BLANK -> putBefore(at, ZERO_PAGE, 0, 0);
            case LOST -> putBefore(at, NOTHING, 0, 0);
            case KNOWN -> {
                if ((word & OPEN) != 0) {
                    MemorySegment.copy(
                            slots, at((int) (word & SLOT_NUMBER)) + Slot.BEFORE, slots, at + Slot.BEFORE, 24);
                } else {
                    long record = page * RECORD;
                    long before = word == ZERO_PAGE ? ZERO_PAGE : word & STAMP;
                    putBefore(at, before, records.get(LONG, record + 8), records.get(LONG, record + 16));
                }
            }
        }
        put(page, OPEN | (stamp << CHECK_SHIFT & STAMP) | slot);
        VarHandle.storeStoreFence();
        giveBack(word);
        return true;
    }

    private void putBefore(long at, long stamp, long first, long second) {
        slots.set(LONG, at + Slot.BEFORE, stamp);
        slots.set(LONG, at + Slot.BEFORE + 8, first);
        slots.set(LONG, at + Slot.BEFORE + 16, second);
    }

    /** A trim of a page begins: it may be zeros from here on. */
    public void beginZeros(long page) {
        long word = word(page);
        if (word != NOTHING) {
            put(page, word | ZERO_PAGE);
        }
    }

    /** Every copy has done the newest change. */
    public void commit(long page) {
        long word = word(page);
        if ((word & OPEN) == 0 || (word & ZERO_PAGE) != 0) {
            if ((word & ZERO_PAGE) != 0) {
                settleZeros(page);
            }
            return;
        }
        settle(page, word, at((int) (word & SLOT_NUMBER)) + Slot.NEWEST);
    }

    /** Every copy has zeros. */
    public void settleZeros(long page) {
        long word = word(page);
        put(page, ZERO_PAGE);
        giveBack(word);
    }

    /** Every copy has what the newest seal says, or, if not {@code newest}, the one before. */
    public void settle(long page, boolean newest) {
        long word = word(page);
        if ((word & OPEN) != 0) {
            settle(page, word, at((int) (word & SLOT_NUMBER)) + (newest ? Slot.NEWEST : Slot.BEFORE));
        } else {
            // A trim that was begun has not been done.
            put(page, word == ZERO_PAGE ? word : word & STAMP);
        }
    }

    /** A write that has failed is given up, if one was begun: the page has what was there before it. */
    public void giveUpWrite(long page) {
        if ((word(page) & OPEN) != 0) {
            settle(page, false);
        }
    }

    private void settle(long page, long word, long from) {
        long record = page * RECORD;
        long stamp = slots.get(LONG, from);
        // The word says that the slot counts, as long as the tag is not whole.
        records.set(LONG, record + 8, slots.get(LONG, from + 8));
        records.set(LONG, record + 16, slots.get(LONG, from + 16));
        put(page, stamp);
        VarHandle.storeStoreFence();
        giveBack(word);
    }

    /** Nothing is known any more of a range, which is half open. */
    void forget(long from, long to) {
        for (long page = from; page < to; page++) {
            long word = word(page);
            put(page, NOTHING);
            giveBack(word);
        }
    }

    /** Collects what is left of the stamps of a range's pages if they are shifted; pages that are open have two. For a start. */
    void stamps(long from, long to, int shift, BitSet into) {
        Seals seals = new Seals();
        for (long page = from; page < to; page++) {
            look(page, seals);
            note(seals.newest, shift, into);
            note(seals.before, shift, into);
        }
    }

    private static void note(long stamp, int shift, BitSet into) {
        if (stamp != NOTHING && stamp != ZERO_PAGE) {
            into.set((int) (stamp >>> shift));
        }
    }

    /** Which page a slot was last used for; negative if for none. */
    private long pageOf(int slot) {
        return slots.get(LONG, at(slot)) - 1;
    }

    /** Tells of pages that failed writes have left open. */
    @FunctionalInterface
    public interface OpenPage {
        /** One of them; it may be settled. */
        void page(long page);
    }

    /** Names every page that is open with a slot. The caller has to know of each whether a write is under way. */
    public void forEachOpen(OpenPage action) {
        for (int slot = 0; slot < SLOTS; slot++) {
            if ((used.get(slot / Long.SIZE) & 1L << slot) != 0) {
                long page = pageOf(slot);
                if (page >= 0 && isIn(word(page), slot)) {
                    action.page(page);
                }
            }
        }
    }

    private int take() {
        int words = used.length();
        // Loops begin at places of their own, by thread.
        int first = (int) Thread.currentThread().threadId() * 7 % words;
        for (int i = 0; i < words; i++) {
            int word = (first + i) % words;
            long bits = used.get(word);
            while (bits != -1) {
                long free = Long.lowestOneBit(~bits);
                if (used.compareAndSet(word, bits, bits | free)) {
                    return word * Long.SIZE + Long.numberOfTrailingZeros(free);
                }
                bits = used.get(word);
            }
        }
        return -1;
    }

    private void giveBack(long word) {
        if ((word & OPEN) != 0) {
            int slot = (int) (word & SLOT_NUMBER);
            long bit = 1L << slot;
            int at = slot / Long.SIZE;
            long bits = used.get(at);
            while (!used.compareAndSet(at, bits, bits & ~bit)) {
                bits = used.get(at);
            }
        }
    }
}
