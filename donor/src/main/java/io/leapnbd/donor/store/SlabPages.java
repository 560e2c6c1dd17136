package io.leapnbd.donor.store;

import io.leapnbd.donor.memory.RawMemory;
import io.leapnbd.donor.protocol.Protocol;
import java.lang.invoke.VarHandle;
import java.util.BitSet;

/**
 * Reads and writes the pages of a slab, so that every page is one version of it to every reader.
 *
 * <p>Each page has a word:
 *
 * <pre>
 *    63  62  61                                          0
 *   +---+---+---------------------------------------------+
 *   | L | W |              version (62 bits)              |
 *   +---+---+---------------------------------------------+
 * </pre>
 *
 * <p>L: a writer is inside. W: the page was written, and not trimmed as a whole since. All zero: never touched.
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
 * <p><b>Fencing.</b> A writer looks at its claim while it holds L. A newer claim is made by one volatile store, so for each
 * page either the writer sees it and leaves the page alone, or whoever reads the page after the claim sees L and waits for the
 * write to be whole. Nothing changes after the newer claimer has looked.
 */
final class SlabPages {

    /** Answer of a write or trim that met a newer claim. */
    static final int FENCED = -1;

    private static final long LOCKED = 1L << 63;
    private static final long WRITTEN = 1L << 62;
    private static final long VERSION = WRITTEN - 1;

    private static final int PAGE = Protocol.PAGE_SIZE;
    private static final int SPINS_BEFORE_YIELD = 100;

    private SlabPages() {}

    /** Bytes that the words of a slab of {@code slabSize} bytes take. */
    static int wordsLength(int slabSize) {
        return slabSize / PAGE * Long.BYTES;
    }

    static void read(Slab slab, int offset, int length, long to) {
        int end = offset + length;
        for (int at = offset; at < end; ) {
            int piece = Math.min(PAGE - (at & PAGE - 1), end - at);
            readWithinPage(wordOf(slab, at), slab.data + at, to, piece);
            at += piece;
            to += piece;
        }
    }

    private static void readWithinPage(long word, long from, long to, int length) {
        for (int attempt = 1; ; attempt++) {
            long before = RawMemory.getVolatile(word);
            if (before >= 0) {
                if ((before & WRITTEN) == 0) {
                    RawMemory.zero(to, length);
                    return;
                }
                RawMemory.copy(from, to, length);
                // The copy must not be done after the word is read again.
                VarHandle.acquireFence();
                if (RawMemory.getVolatile(word) == before) {
                    return;
                }
            }
            pause(attempt);
        }
    }

    /** Number of pages left alone because they are newer; {@link #FENCED} if some were because the claim is old. */
    static int write(Slab slab, Claim claim, int offset, int length, long version, long from) {
        int stale = 0;
        int end = offset + length;
        for (int at = offset; at < end; ) {
            int inPage = at & PAGE - 1;
            int piece = Math.min(PAGE - inPage, end - at);
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

    /** As {@link #write}, for zeros that take no memory. */
    static int trim(Slab slab, Claim claim, int offset, int length, long version) {
        int stale = 0;
        int end = offset + length;
        for (int at = offset; at < end; ) {
            int piece = Math.min(PAGE - (at & PAGE - 1), end - at);
            long word = wordOf(slab, at);
            long was = lock(word);
            if (claim.fenced()) {
                RawMemory.setRelease(word, was);
                return FENCED;
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
     * Makes the bytes of a slab say what its words do: once this has returned, those of every page that is not written are
     * zeros, and stay so, and no write of a claim that was fenced off before is under way any more.
     *
     * @param clean whether the memory was zeros when it was lent
     */
    static void expose(Slab slab, int slabSize, boolean clean) {
        boolean first = !slab.exposed;
        slab.exposed = true;
        VarHandle.fullFence();
        for (int at = 0; at < slabSize; at += PAGE) {
            long word = wordOf(slab, at);
            long was = RawMemory.getVolatile(word);
            for (int attempt = 1; was < 0; attempt++) {
                pause(attempt);
                was = RawMemory.getVolatile(word);
            }
            if (first && (was & WRITTEN) == 0 && (was != 0 || !clean)) {
                was = lock(word);
                if ((was & WRITTEN) == 0) {
                    RawMemory.zero(slab.data + at, PAGE);
                }
                RawMemory.setRelease(word, was);
            }
        }
    }

    /** A bit for each page that is written, or has a writer inside that may have looked at its claim before a newer one was made. */
    static BitSet written(Slab slab, int slabSize) {
        int pages = slabSize / PAGE;
        long[] bits = new long[pages / Long.SIZE];
        for (int page = 0; page < pages; page++) {
            if ((RawMemory.getVolatile(slab.words + (long) page * Long.BYTES) & (WRITTEN | LOCKED)) != 0) {
                bits[page / Long.SIZE] |= 1L << page;
            }
        }
        return BitSet.valueOf(bits);
    }

    private static long wordOf(Slab slab, int at) {
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
