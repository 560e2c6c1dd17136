package io.leapnbd.donor.store;

import io.leapnbd.donor.memory.RawMemory;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.Protocol;
import java.lang.invoke.VarHandle;

/**
 * Reads and writes the pages of a slab, so that every page is one version of it to every reader.
 *
 * <p>Each page has a word:
 *
 * <pre>
 *    63  62  61  60                                      0
 *   +---+---+---+-----------------------------------------+
 *   | L | W | X |            version (61 bits)            |
 *   +---+---+---+-----------------------------------------+
 * </pre>
 *
 * <p>L: a writer is inside. W: the page was written, and not trimmed as a whole since. X: the page is lost. All zero: never touched.
 * The version is that of the request plus the base of its claim.
 *
 * <p><b>A seqlock a page.</b> A writer sets L with a compare-and-set, changes the bytes, and publishes the new version with a
 * release store. A reader reads the word, copies the bytes without any lock, and reads the word again: if it was unlocked and
 * is the same, the copy is that version; otherwise it copies anew. Both only ever wait for a copy of 4 KiB. The same version
 * may be applied twice (a request that was sent again) without a reader noticing: the bytes are the same, too.
 *
 * <p><b>What W is for.</b> A page without it reads as zeros, whatever bytes are in memory. So a trim of a page only clears W,
 * a slab is blank once its words are, and the first write to a part of a page zeroes the rest of it. A slab that is exposed to
 * readers that do not see the words (RDMA) keeps the bytes of such pages zero, too: {@link #expose}.
 *
 * <p><b>What X is for.</b> The owner knows that the contents of such a page are gone, and says so: when the slab is granted, or later, when it finds
 * that no copy is right. It is neither read nor changed in part; a write or trim of the whole page ends X. A look before the first page is locked
 * keeps a request from being done in part; one while a page is locked, from changing a part of one that was lost meanwhile.
 *
 * <p><b>Fencing.</b> A writer looks at its claim while it holds L. A newer claim is made by one volatile store, so for each
 * page either the writer sees it and leaves the page alone, or whoever reads the page after the claim sees L and waits for the
 * write to be whole. Nothing changes after the newer claimer has looked.
 */
final class SlabPages {

    /** Answer of a write or trim that met a newer claim. */
    static final int FENCED = -1;

    /** Answer of a write or trim of a part of a page that is lost; nothing was changed. */
    static final int LOST = -2;

    private static final long LOCKED = 1L << 63;
    private static final int WRITTEN_SHIFT = 62;
    static final long WRITTEN = 1L << WRITTEN_SHIFT;
    private static final int LOST_SHIFT = 61;
    static final long LOST_PAGE = 1L << LOST_SHIFT;
    static final long VERSION = LOST_PAGE - 1;

    static final int PAGE = Protocol.PAGE_SIZE;
    private static final int SPINS_BEFORE_YIELD = 100;

    private SlabPages() {}

    /** Bytes that the words of a slab of {@code slabSize} bytes take. */
    static int wordsLength(int slabSize) {
        return slabSize / PAGE * Long.BYTES;
    }

    /** False if a page of the range is lost; then what {@code to} holds is of no use. */
    static boolean read(Slab slab, int offset, int length, long to) {
        int end = offset + length;
        for (int at = offset; at < end; ) {
            int piece = Math.min(PAGE - (at & PAGE - 1), end - at);
            if (!readWithinPage(wordOf(slab, at), slab.data + at, to, piece)) {
                return false;
            }
            at += piece;
            to += piece;
        }
        return true;
    }

    private static boolean readWithinPage(long word, long from, long to, int length) {
        for (int attempt = 1; ; attempt++) {
            long before = RawMemory.getVolatile(word);
            if (before >= 0) {
                if ((before & WRITTEN) == 0) {
                    RawMemory.zero(to, length);
                    return (before & LOST_PAGE) == 0;
                }
                RawMemory.copy(from, to, length);
                // The copy must not be done after the word is read again.
                VarHandle.acquireFence();
                if (RawMemory.getVolatile(word) == before) {
                    return true;
                }
            }
            pause(attempt);
        }
    }

    /**
     * Number of pages left alone because they are newer; {@link #FENCED} if some were because the claim is old; {@link #LOST}.
     *
     * @param version of the request and the claim's base
     */
    static int write(Slab slab, Claim claim, int offset, int length, long version, long from) {
        int stale = 0;
        int end = offset + length;
        if (cutsLostPage(slab, offset, end)) {
            return LOST;
        }
        for (int at = offset; at < end; ) {
            int inPage = at & PAGE - 1;
            int piece = Math.min(PAGE - inPage, end - at);
            long word = wordOf(slab, at);
            long was = lock(word);
            if (claim.fenced()) {
                RawMemory.setRelease(word, was);
                return FENCED;
            }
            if (piece != PAGE && (was & LOST_PAGE) != 0) {
                RawMemory.setRelease(word, was);
                return LOST;
            }
            if ((was & VERSION) > version) {
                RawMemory.setRelease(word, was);
                stale++;
            } else {
                if (piece != PAGE && (was & WRITTEN) == 0) {
                    long page = slab.data + at - inPage;
                    RawMemory.zero(page, inPage);
                    RawMemory.zero(page + inPage + piece, PAGE - inPage - piece);
                }
                RawMemory.copy(from, slab.data + at, piece);
                RawMemory.setRelease(word, version | WRITTEN);
            }
            at += piece;
            from += piece;
        }
        return stale;
    }

    /**
     * As {@link #write}, for zeros that take no memory. May be done in parts, one after the other.
     *
     * @param from where the part begins: {@code offset}, or the end of the part before
     * @param to where it ends: a page's beginning, or the end of the range
     */
    static int trim(Slab slab, Claim claim, int offset, int length, int from, int to, long version) {
        int stale = 0;
        if (cutsLostPage(slab, offset, offset + length)) {
            return LOST;
        }
        for (int at = from; at < to; ) {
            int piece = Math.min(PAGE - (at & PAGE - 1), to - at);
            long word = wordOf(slab, at);
            long was = lock(word);
            if (claim.fenced()) {
                RawMemory.setRelease(word, was);
                return FENCED;
            }
            if (piece != PAGE && (was & LOST_PAGE) != 0) {
                RawMemory.setRelease(word, was);
                return LOST;
            }
            if ((was & VERSION) > version) {
                RawMemory.setRelease(word, was);
                stale++;
            } else if (piece == PAGE || (was & WRITTEN) == 0) {
                if (slab.exposed && (was & WRITTEN) != 0) {
                    RawMemory.zero(slab.data + at, piece);
                }
                RawMemory.setRelease(word, version);
            } else {
                RawMemory.zero(slab.data + at, piece);
                RawMemory.setRelease(word, version | WRITTEN);
            }
            at += piece;
        }
        return stale;
    }

    /**
     * Makes the bytes of a part of a slab say what its words do: once this has returned, those of every page of it that is not written
     * are zeros, and stay so, and no write of a claim that was fenced off before is under way there any more. Whoever wants the whole
     * slab so does all parts: another one may be at it, and have done as little as nothing.
     *
     * @param from where the part begins, a multiple of a page
     * @param to where it ends, likewise
     * @param clean whether the memory was zeros when it was lent
     */
    static void expose(Slab slab, int from, int to, boolean clean) {
        boolean zeroed = slab.zeroed;
        slab.exposed = true;
        VarHandle.fullFence();
        for (int at = from; at < to; at += PAGE) {
            long word = wordOf(slab, at);
            long was = unlocked(word);
            if (!zeroed && (was & WRITTEN) == 0 && (was != 0 || !clean)) {
                was = lock(word);
                if ((was & WRITTEN) == 0) {
                    RawMemory.zero(slab.data + at, PAGE);
                }
                RawMemory.setRelease(word, was);
            }
        }
    }

    /** Whether the first or the last page of a range is lost, and in it only in part. */
    static boolean cutsLostPage(Slab slab, int offset, int end) {
        if (offset == end) {
            return false;
        }
        return ((offset & PAGE - 1) != 0 && lost(slab, offset)) || ((end & PAGE - 1) != 0 && lost(slab, end - 1));
    }

    /** Whether any page of a range of whole pages is lost. */
    static boolean anyLost(Slab slab, int offset, int length) {
        for (int at = offset; at < offset + length; at += PAGE) {
            if (lost(slab, at)) {
                return true;
            }
        }
        return false;
    }

    private static boolean lost(Slab slab, int at) {
        return (RawMemory.getVolatile(wordOf(slab, at)) & LOST_PAGE) != 0;
    }

    /**
     * Marks pages of a slab that nobody knows yet as lost.
     *
     * @param lost a bit for each page from the first on; pages beyond it are not lost
     */
    static void lose(Slab slab, long[] lost) {
        for (int word = 0; word < lost.length; word++) {
            for (long bits = lost[word]; bits != 0; bits &= bits - 1) {
                int page = word * Long.SIZE + Long.numberOfTrailingZeros(bits);
                RawMemory.setRelease(slab.words + (long) page * Long.BYTES, LOST_PAGE);
            }
        }
    }

    /** Marks pages of a slab that nobody knows yet as they were kept. Their versions begin anew, below all that come. */
    static void restore(Slab slab, int offset, PageMarks marks) {
        long word = wordOf(slab, offset);
        for (int page = 0; page < marks.pages(); page++, word += Long.BYTES) {
            if (marks.written(page)) {
                RawMemory.setRelease(word, WRITTEN);
            } else if (marks.lost(page)) {
                RawMemory.setRelease(word, LOST_PAGE);
            }
        }
    }

    /**
     * Marks pages as lost that were in use, as {@link #write} changes them.
     *
     * @param from a multiple of a page, as {@code to}
     * @param version of the request and the claim's base
     */
    static int loseWritten(Slab slab, Claim claim, int from, int to, long version) {
        int stale = 0;
        for (int at = from; at < to; at += PAGE) {
            long word = wordOf(slab, at);
            long was = lock(word);
            if (claim.fenced()) {
                RawMemory.setRelease(word, was);
                return FENCED;
            }
            if ((was & VERSION) > version) {
                RawMemory.setRelease(word, was);
                stale++;
            } else {
                if (slab.exposed && (was & WRITTEN) != 0) {
                    RawMemory.zero(slab.data + at, PAGE);
                }
                RawMemory.setRelease(word, version | LOST_PAGE);
            }
        }
        return stale;
    }

    /**
     * Tells which pages of a range are written, and which are lost. Waits for writers that are inside a page, so that nothing that an
     * older claim has asked for changes what is told.
     */
    static void marks(Slab slab, int offset, PageMarks into) {
        long word = wordOf(slab, offset);
        for (int i = 0; i < into.words(); i++) {
            long written = 0;
            long lost = 0;
            for (int bit = 0; bit < Long.SIZE; bit++, word += Long.BYTES) {
                long is = unlocked(word);
                written |= (is >>> WRITTEN_SHIFT & 1) << bit;
                lost |= (is >>> LOST_SHIFT & 1) << bit;
            }
            into.set(i, written, lost);
        }
    }

    /** The word as it is when no writer is inside. */
    private static long unlocked(long word) {
        long is = RawMemory.getVolatile(word);
        for (int attempt = 1; is < 0; attempt++) {
            pause(attempt);
            is = RawMemory.getVolatile(word);
        }
        return is;
    }

    static long wordOf(Slab slab, int at) {
        return slab.words + (long) (at >>> Protocol.PAGE_SHIFT) * Long.BYTES;
    }

    /** The word as it was before. */
    private static long lock(long word) {
        for (int attempt = 1; ; attempt++) {
            long was = RawMemory.getVolatile(word);
            if (was >= 0 && RawMemory.compareAndSet(word, was, was | LOCKED)) {
                // L must be seen before any of the bytes that change.
                VarHandle.storeStoreFence();
                return was;
            }
            pause(attempt);
        }
    }

    /** The other thread is inside a copy of 4 KiB, or was put aside by the kernel there; then it needs the processor. */
    @SuppressWarnings("ThreadPriorityCheck")
    private static void pause(int attempt) {
        if (attempt % SPINS_BEFORE_YIELD == 0) {
            Thread.yield();
        } else {
            Thread.onSpinWait();
        }
    }
}
