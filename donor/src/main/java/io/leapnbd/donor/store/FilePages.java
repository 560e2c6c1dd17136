package io.leapnbd.donor.store;

import io.leapnbd.donor.memory.RawMemory;
import java.io.IOException;

/**
 * Reads and writes the pages of a slab whose bytes are in a {@link SlabFile}. Their words are in memory, and mean what {@link SlabPages} says.
 *
 * <p>No page has a writer and anybody else inside at a time: the caller sees to that. So nobody waits for a word here, and L is never set. A
 * write changes the bytes, and then the words. Whoever writes down the words after that (what they say survives) writes down nothing that the
 * file does not hold.
 *
 * <p>Buffers begin where the range's first page does, whether the range does so or not.
 */
final class FilePages {

    private static final int PAGE = SlabPages.PAGE;

    private FilePages() {}

    /** False if a page of the range is lost. */
    static boolean read(Slab slab, int offset, int length, SlabFile file, long buffer) throws IOException {
        int begin = offset & -PAGE;
        int end = pageEnd(offset + length);
        int from = -1;
        int to = 0;
        for (int at = begin; at < end; at += PAGE) {
            long word = RawMemory.getVolatile(SlabPages.wordOf(slab, at));
            if ((word & SlabPages.WRITTEN) != 0) {
                from = from < 0 ? at : from;
                to = at + PAGE;
            } else if ((word & SlabPages.LOST_PAGE) != 0) {
                return false;
            }
        }
        if (from >= 0) {
            file.read(slab.slot, from, to - from, buffer + from - begin);
        }
        for (int at = begin; at < end; at += PAGE) {
            if ((RawMemory.getVolatile(SlabPages.wordOf(slab, at)) & SlabPages.WRITTEN) == 0) {
                RawMemory.zero(buffer + at - begin, PAGE);
            }
        }
        return true;
    }

    /**
     * As {@link SlabPages#write}.
     *
     * @param buffer holds the range's bytes; the rest of its first and last page is filled in here. One page more follows, of no use to others
     */
    static int write(Slab slab, Claim claim, int offset, int length, long version, SlabFile file, long buffer)
            throws IOException {
        int end = offset + length;
        if (SlabPages.cutsLostPage(slab, offset, end)) {
            return SlabPages.LOST;
        }
        if (claim.fenced()) {
            return SlabPages.FENCED;
        }
        if (length == 0) {
            return 0;
        }
        int begin = offset & -PAGE;
        int pagesEnd = pageEnd(end);
        long spare = buffer + pagesEnd - begin;
        if (begin < offset || (pagesEnd == begin + PAGE && end < pagesEnd)) {
            complete(slab, begin, offset, Math.min(end, begin + PAGE), file, buffer, spare);
        }
        if (pagesEnd > begin + PAGE && end < pagesEnd) {
            int last = pagesEnd - PAGE;
            complete(slab, last, last, end, file, buffer + last - begin, spare);
        }
        int stale = 0;
        int from = begin;
        for (int at = begin; at < pagesEnd; at += PAGE) {
            if (isNewer(slab, at, version)) {
                stale++;
                writeRun(slab, from, at, begin, file, buffer);
                from = at + PAGE;
            }
        }
        writeRun(slab, from, pagesEnd, begin, file, buffer);
        for (int at = begin; at < pagesEnd; at += PAGE) {
            if (!isNewer(slab, at, version)) {
                RawMemory.setRelease(SlabPages.wordOf(slab, at), version | SlabPages.WRITTEN);
            }
        }
        return stale;
    }

    private static void writeRun(Slab slab, int from, int to, int begin, SlabFile file, long buffer)
            throws IOException {
        if (from < to) {
            file.write(slab.slot, from, to - from, buffer + from - begin);
        }
    }

    /** Fills a page in around the bytes from {@code from} to {@code to} of the slab, which are in it. */
    private static void complete(Slab slab, int page, int from, int to, SlabFile file, long into, long spare)
            throws IOException {
        if ((RawMemory.getVolatile(SlabPages.wordOf(slab, page)) & SlabPages.WRITTEN) != 0) {
            file.read(slab.slot, page, PAGE, spare);
        } else {
            RawMemory.zero(spare, PAGE);
        }
        RawMemory.copy(spare, into, from - page);
        RawMemory.copy(spare + to - page, into + to - page, (long) page + PAGE - to);
    }

    /**
     * As {@link SlabPages#trim}.
     *
     * @param spare address of a page of memory
     */
    static int trim(Slab slab, Claim claim, int offset, int length, long version, SlabFile file, long spare)
            throws IOException {
        int end = offset + length;
        if (SlabPages.cutsLostPage(slab, offset, end)) {
            return SlabPages.LOST;
        }
        if (claim.fenced()) {
            return SlabPages.FENCED;
        }
        int stale = 0;
        for (int at = offset; at < end; ) {
            int piece = Math.min(PAGE - (at & PAGE - 1), end - at);
            long word = SlabPages.wordOf(slab, at);
            boolean written = (RawMemory.getVolatile(word) & SlabPages.WRITTEN) != 0;
            if (isNewer(slab, at, version)) {
                stale++;
            } else if (piece == PAGE || !written) {
                RawMemory.setRelease(word, version);
            } else {
                int page = at & -PAGE;
                file.read(slab.slot, page, PAGE, spare);
                RawMemory.zero(spare + at - page, piece);
                file.write(slab.slot, page, PAGE, spare);
                RawMemory.setRelease(word, version | SlabPages.WRITTEN);
            }
            at += piece;
        }
        return stale;
    }

    /** As {@link SlabPages#loseWritten}. */
    static int lose(Slab slab, Claim claim, int offset, int length, long version) {
        if (claim.fenced()) {
            return SlabPages.FENCED;
        }
        int stale = 0;
        for (int at = offset; at < offset + length; at += PAGE) {
            if (isNewer(slab, at, version)) {
                stale++;
            } else {
                RawMemory.setRelease(SlabPages.wordOf(slab, at), version | SlabPages.LOST_PAGE);
            }
        }
        return stale;
    }

    /** Whether any page of a range would be marked otherwise by a write or by a trim of it. */
    static boolean marksChange(Slab slab, int offset, int length, boolean write) {
        for (int at = offset & -PAGE; at < offset + length; at += PAGE) {
            long word = RawMemory.getVolatile(SlabPages.wordOf(slab, at));
            long marks = word & (SlabPages.WRITTEN | SlabPages.LOST_PAGE);
            if (marks != (write ? SlabPages.WRITTEN : 0)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isNewer(Slab slab, int at, long version) {
        return (RawMemory.getVolatile(SlabPages.wordOf(slab, at)) & SlabPages.VERSION) > version;
    }

    private static int pageEnd(int end) {
        return end + PAGE - 1 & -PAGE;
    }
}
