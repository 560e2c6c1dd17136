package io.leapnbd.bypass.map;

import io.leapnbd.donor.protocol.Protocol;
import java.util.BitSet;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/**
 * From bytes of the device to slabs of donors; shared by all loops. Look-ups take no lock. What is known is kept in the
 * {@link StateFile} as it changes.
 *
 * <p>A page is in one of three conditions. <i>Blank</i>: never written, or trimmed; reads as zeros without asking anybody,
 * and does so at its donor too. <i>Written</i>: its slab's donor is to be asked. <i>Lost</i>: was written, and the donor that had it is gone; reading it is an error
 * until the whole page is written again or trimmed.
 */
public final class AddressMap {

    private final StateFile state;
    private final long size;
    private final int slabShift;
    private final Slab[] slabs;
    private final PageBitmap written;
    private final PageBitmap lost;
    private final AtomicInteger mapped = new AtomicInteger();
    private final LongAdder pagesLost = new LongAdder();

    /**
     * A map as the state file has it.
     *
     * @param size of the device in bytes
     * @param slabShift binary logarithm of the slab size
     */
    public AddressMap(StateFile state, long size, int slabShift) {
        this.state = state;
        this.size = size;
        this.slabShift = slabShift;
        written = state.written();
        lost = state.lost();
        slabs = new Slab[Math.toIntExact((size + (1L << slabShift) - 1) >>> slabShift)];
        for (int i = 0; i < slabs.length; i++) {
            Slab slab = new Slab(i);
            slabs[i] = slab;
            Mapping mapping = state.mapping(i);
            if (mapping != null) {
                slab.set(mapping);
                mapped.incrementAndGet();
            }
            slab.damaged(lost.any(firstPage(i), endPage(i)));
        }
    }

    /** Bytes of the device. */
    public long size() {
        return size;
    }

    /** Bytes of a slab. */
    public int slabSize() {
        return 1 << slabShift;
    }

    /** How many slabs the device is made of. */
    public int slabs() {
        return slabs.length;
    }

    /** Slabs that a donor holds. */
    public int mappedSlabs() {
        return mapped.get();
    }

    /** Pages lost since the start, whether they were written again or not. */
    public long pagesLost() {
        return pagesLost.sum();
    }

    /** Pages that hold data. */
    public long pagesWritten() {
        return written.count(0, endPage(slabs.length - 1));
    }

    /** The slab of a byte. */
    public Slab slabAt(long offset) {
        return slabs[(int) (offset >>> slabShift)];
    }

    /** The slab with an index. */
    public Slab slab(int index) {
        return slabs[index];
    }

    /** A byte's place within its slab. */
    public int within(long offset) {
        return (int) (offset & ((1L << slabShift) - 1));
    }

    /** Whether any page that a range of bytes touches is written. */
    public boolean anyWritten(long offset, long length) {
        return written.any(pageOf(offset), pageAfter(offset + length));
    }

    /** Whether any page that a range of bytes touches is lost. */
    public boolean anyLost(long offset, long length) {
        return lost.any(pageOf(offset), pageAfter(offset + length));
    }

    /** Whether the first or the last page of a range is lost and only covered in part. */
    public boolean partlyLost(long offset, long length) {
        long end = offset + length;
        return (partOfPage(offset) && lost.get(pageOf(offset))) || (partOfPage(end) && lost.get(pageOf(end)));
    }

    /** Takes note of a write, before it is sent. */
    public void markWritten(long offset, long length) {
        written.set(pageOf(offset), pageAfter(offset + length));
    }

    /**
     * Takes note that the pages that a range covers whole are zeros at their donor, or nowhere; no write to them may be under
     * way.
     */
    public void markBlank(long offset, long length) {
        long from = pageAfter(offset);
        long to = pageOf(offset + length);
        if (from < to) {
            written.clear(from, to);
            Slab slab = slabAt(offset);
            if (slab.damaged()) {
                synchronized (slab) {
                    lost.clear(from, to);
                    slab.damaged(lost.any(firstPage(slab.index()), endPage(slab.index())));
                }
            }
        }
    }

    /**
     * Takes note that a write or trim has been done: the pages that it covers whole are lost no more, unless they went again
     * with {@code where} in the meantime, and then this returns false.
     */
    public boolean markHealed(Slab slab, Mapping where, long offset, long length) {
        synchronized (slab) {
            if (!where.equals(slab.mapping())) {
                return false;
            }
            long from = pageAfter(offset);
            long to = pageOf(offset + length);
            if (from < to) {
                lost.clear(from, to);
                slab.damaged(lost.any(firstPage(slab.index()), endPage(slab.index())));
            }
            return true;
        }
    }

    /** The end of the run of pages in the same condition that begins at {@code offset}; at most {@code end}. */
    public long endOfRun(long offset, long end) {
        long page = pageOf(offset);
        long last = pageAfter(end);
        // The second no further than the first, or many short runs would each look through the whole range.
        long run = lost.endOfRun(page, written.endOfRun(page, last));
        return Math.min(end, run << Protocol.PAGE_SHIFT);
    }

    /** Whether the page of a byte is blank. */
    public boolean blank(long offset) {
        long page = pageOf(offset);
        return !written.get(page) && !lost.get(page);
    }

    /** Maps a slab, writes that down, and tells those who wait for it. */
    public void map(Slab slab, Mapping to) {
        synchronized (slab) {
            state.putMapping(slab.index(), to);
            slab.set(to);
        }
        mapped.incrementAndGet();
        slab.wake(0);
    }

    /** Takes over a slab that a donor lists, with the pages that it says were written. At start only. */
    public void adopt(Slab slab, Mapping from, BitSet pages) {
        map(slab, from);
        long first = firstPage(slab.index());
        for (int i = pages.nextSetBit(0); i >= 0; i = pages.nextSetBit(i + 1)) {
            written.set(first + i, first + i + 1);
        }
    }

    /** The bytes of a slab are gone: what was written is lost from here on. Returns how many pages that were. */
    public long lose(Slab slab, Mapping gone) {
        long first = firstPage(slab.index());
        long end = endPage(slab.index());
        synchronized (slab) {
            if (!gone.equals(slab.mapping())) {
                return 0;
            }
            long pages = written.count(first, end);
            if (pages > 0) {
                slab.damaged(true);
                written.moveTo(lost, first, end);
            }
            state.putMapping(slab.index(), null);
            slab.set(null);
            mapped.decrementAndGet();
            pagesLost.add(pages);
            return pages;
        }
    }

    /** Loses every slab that a donor process held. Returns how many pages that were. */
    public long loseAll(int donor, UUID incarnation) {
        long pages = 0;
        for (Slab slab : slabs) {
            Mapping mapping = slab.mapping();
            if (mapping != null
                    && mapping.donor() == donor
                    && mapping.incarnation().equals(incarnation)) {
                pages += lose(slab, mapping);
            }
        }
        return pages;
    }

    /** Counts every page of the slabs that are nowhere as lost: some may have been written, and nobody knows which. At start only. */
    public void loseUnmapped() {
        for (Slab slab : slabs) {
            if (slab.mapping() == null) {
                lost.set(firstPage(slab.index()), endPage(slab.index()));
                slab.damaged(true);
            }
        }
    }

    private long firstPage(int slab) {
        return (long) slab << (slabShift - Protocol.PAGE_SHIFT);
    }

    private long endPage(int slab) {
        return firstPage(slab + 1);
    }

    private static boolean partOfPage(long offset) {
        return (offset & (Protocol.PAGE_SIZE - 1)) != 0;
    }

    private static long pageOf(long offset) {
        return offset >>> Protocol.PAGE_SHIFT;
    }

    private static long pageAfter(long offset) {
        return (offset + Protocol.PAGE_SIZE - 1) >>> Protocol.PAGE_SHIFT;
    }
}
