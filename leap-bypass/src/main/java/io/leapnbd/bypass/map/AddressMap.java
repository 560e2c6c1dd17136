package io.leapnbd.bypass.map;

import io.leapnbd.bypass.cipher.PageKeys;
import io.leapnbd.donor.protocol.Protocol;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * From bytes of the device to slabs of donors; shared by all loops. Look-ups take no lock. What is known is kept in the
 * {@link StateFile} as it changes. What is kept for each slab is a reference and a bit; a slab that is somewhere has a {@link
 * Placement} too.
 *
 * <p>A page is in one of three conditions. <i>Blank</i>: never written, or trimmed; reads as zeros without asking anybody,
 * and does so at its donor too. <i>Written</i>: its slab's donor is to be asked. <i>Lost</i>: was written, and the donor that had it is gone; reading it is an error
 * until the whole page is written again or trimmed.
 */
public final class AddressMap {

    private static final VarHandle PLACEMENT = MethodHandles.arrayElementVarHandle(Placement[].class);
    private static final int LOCKS = 64;

    private final StateFile state;
    private final long size;
    private final int slabShift;
    private final int slabs;

    /** By slab; read without a lock, changed under its lock. */
    private final @Nullable Placement[] placements;

    /** A bit for each slab of which pages may be lost; set and cleared under the slab's lock. */
    private final AtomicLongArray damaged;

    private final Object[] locks = new Object[LOCKS];
    private final PageBitmap written;
    private final PageBitmap lost;
    private final AtomicInteger mapped = new AtomicInteger();
    private final CopiesAtDonors copies = new CopiesAtDonors();
    private final LongAdder pagesLost = new LongAdder();

    /** Losses of slabs; those that have begun and not ended are under way. */
    private final AtomicLong lossesBegun = new AtomicLong();

    private final AtomicLong lossesEnded = new AtomicLong();

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
        slabs = Math.toIntExact((size + (1L << slabShift) - 1) >>> slabShift);
        placements = new Placement[slabs];
        damaged = new AtomicLongArray((slabs + Long.SIZE - 1) / Long.SIZE);
        Arrays.setAll(locks, i -> new Object());
        restore();
    }

    private void restore() {
        for (int slab = 0; slab < slabs; slab++) {
            Placement row = state.placement(slab);
            if (row != null) {
                placements[slab] = row;
                copies.add(row, null);
                mapped.incrementAndGet();
            }
            setDamaged(slab, lost.any(firstPage(slab), endPage(slab)));
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
        return slabs;
    }

    /** Slabs that a donor holds. */
    public int mappedSlabs() {
        return mapped.get();
    }

    /** Copies of slabs at a donor, of whatever state. */
    public int copiesAt(int donor) {
        return copies.at(donor);
    }

    /**
     * Says whether a donor may get copies that it does not have. Once it may not, and has none, it has none for good; until it may again, or its
     * number is another donor's.
     */
    public void closeDonor(int donor, boolean now) {
        copies.close(donor, now);
    }

    /** Pages lost since the start, whether they were written again or not. */
    public long pagesLost() {
        return pagesLost.sum();
    }

    /** Pages that hold data. */
    public long pagesWritten() {
        long pages = 0;
        for (int slab = 0; slab < slabs; slab++) {
            // Of a device of many terabytes most slabs are nowhere, and their bits need not be read.
            if (placement(slab) != null) {
                pages += pagesWritten(slab);
            }
        }
        return pages;
    }

    /** Pages of a slab that hold data. */
    public long pagesWritten(int slab) {
        return written.count(firstPage(slab), endPage(slab));
    }

    /**
     * Pages that hold data and have no seal: those that were written before this server came, if it cannot know their seals. Takes a look at
     * every page of the device if there may be any.
     */
    public long pagesUnsealed() {
        if (!state.seals().kept()) {
            return pagesWritten();
        }
        if (encrypted() || !state.seals().mayBeUnsealed()) {
            return 0;
        }
        SealTable seals = state.seals().table();
        long pages = 0;
        for (int slab = 0; slab < slabs; slab++) {
            if (placement(slab) != null) {
                for (long page = firstPage(slab); page < endPage(slab); page++) {
                    pages += SealTable.unsealed(seals.word(page)) && written.get(page) ? 1 : 0;
                }
            }
        }
        if (pages == 0) {
            state.seals().allSealed();
        }
        return pages;
    }

    /** Whether pages are encrypted. */
    public boolean encrypted() {
        return state.seals().sealed() != null;
    }

    /** What is known of encrypted pages. */
    public SealedPages sealedPages() {
        return required(state.seals().sealed());
    }

    /** What they are encrypted with. */
    public PageKeys keys() {
        return required(state.seals().keys());
    }

    private static <T> T required(@Nullable T of) {
        if (of == null) {
            throw new IllegalStateException("pages are not encrypted");
        }
        return of;
    }

    /** The seals of pages that are not encrypted; null if none are kept. */
    public @Nullable SealTable seals() {
        return state.seals().kept() ? state.seals().table() : null;
    }

    /** Makes room for the seals of a slab that is about to be placed; false if there is none. */
    public boolean reserveSeals(int slab) {
        return state.seals().reserve(slab);
    }

    /** Whether the page of a byte holds data. */
    public boolean isWritten(long offset) {
        return written.get(pageOf(offset));
    }

    /** Whether the page of a byte is lost. */
    public boolean isLost(long offset) {
        return lost.get(pageOf(offset));
    }

    /** The index of a byte's slab. */
    public int slabOf(long offset) {
        return (int) (offset >>> slabShift);
    }

    /**
     * Where a slab is; null as long as nothing was written to it, and after it was lost. Who wants to know of its pages too asks
     * for this first, then for {@link #anyWritten} and then for {@link #anyLost}: {@link #remove} changes them in the
     * opposite order, so that a page that was lost and a slab that was granted anew are never seen as blank together.
     */
    public @Nullable Placement placement(int slab) {
        return (@Nullable Placement) PLACEMENT.getVolatile(placements, slab);
    }

    /** Whether a copy is one of a slab's placement. */
    public boolean isAt(int slab, Member where) {
        Placement now = placement(slab);
        return now != null && now.has(where);
    }

    /**
     * Whether every copy of a slab has done a change, and it may be acknowledged: docs/replicas.md, rule 2.
     *
     * @param asked the copies that were asked
     * @param acknowledged a bit for each of these, by its place, that has done it
     */
    public boolean isDone(int slab, Placement asked, int acknowledged) {
        Placement now = placement(slab);
        if (now == null || !now.told()) {
            return false;
        }
        if (now == asked) {
            return acknowledged == (1 << asked.size()) - 1;
        }
        for (int i = 0; i < now.size(); i++) {
            int place = asked.indexOf(now.member(i));
            if (place < 0 || (acknowledged & 1 << place) == 0) {
                return false;
            }
        }
        return true;
    }

    /** Whether any page of a slab may be lost. */
    public boolean damaged(int slab) {
        return (damaged.get(slab >>> 6) & 1L << slab) != 0;
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
     * Takes note that the pages that a range of one slab covers whole are zeros at their donor, or nowhere; no write to them may be
     * under way.
     */
    public void markBlank(long offset, long length) {
        long from = pageAfter(offset);
        long to = pageOf(offset + length);
        if (from < to) {
            written.clear(from, to);
            int slab = slabOf(offset);
            if (damaged(slab)) {
                synchronized (lock(slab)) {
                    heal(slab, from, to);
                }
            }
        }
    }

    /** Likewise, if the slab is nowhere; whether it is. */
    public boolean markBlankIfNowhere(long offset, long length) {
        int slab = slabOf(offset);
        synchronized (lock(slab)) {
            boolean nowhere = placement(slab) == null;
            if (nowhere) {
                markBlank(offset, length);
            }
            return nowhere;
        }
    }

    /**
     * Takes note that a write or trim has been done: the pages that it covers whole are lost no more, unless they went again, or some copy has
     * not done it, and then this returns false.
     *
     * @param asked as in {@link #isDone}
     */
    public boolean markHealed(int slab, Placement asked, int acknowledged, long offset, long length) {
        synchronized (lock(slab)) {
            if (!isDone(slab, asked, acknowledged)) {
                return false;
            }
            long from = pageAfter(offset);
            long to = pageOf(offset + length);
            if (from < to) {
                heal(slab, from, to);
            }
            return true;
        }
    }

    /** Under the slab's lock. */
    private void heal(int slab, long from, long to) {
        lost.clear(from, to);
        setDamaged(slab, lost.any(firstPage(slab), endPage(slab)));
    }

    /** The first byte in a range, page by page, whose page is lost; {@code offset} if that is none of them. */
    public long firstLost(long offset, long length) {
        long end = offset + length;
        for (long at = offset; at < end; at = endOfRun(at, end)) {
            if (lost.get(pageOf(at))) {
                return at;
            }
        }
        return offset;
    }

    /** A bit for each page of a slab that is lost, 64 to a word. */
    public long[] lostPages(int slab) {
        return lost.words(firstPage(slab), endPage(slab));
    }

    /** The end of the run of pages in the same condition that begins at {@code offset}; at most {@code end}. */
    public long endOfRun(long offset, long end) {
        long page = pageOf(offset);
        long last = pageAfter(end);
        // The second no further than the first, or many short runs would each look through the whole range.
        long run = lost.endOfRun(page, written.endOfRun(page, last));
        return Math.min(end, run << Protocol.PAGE_SHIFT);
    }

    /**
     * Whether every page that a range touches was blank at a moment during this call; false also when that is not sure, because a slab
     * is being lost. A page that was lost, and is being written again, is never taken for blank: it stops being lost only after it counts as
     * written, so lost is looked at first; and it does not become lost meanwhile, because no loss was under way.
     */
    public boolean blank(long offset, long length) {
        long ended = lossesEnded.get();
        return !anyLost(offset, length) && !anyWritten(offset, length) && lossesBegun.get() == ended;
    }

    /**
     * Places a slab anew, and writes that down first, unless it is not where the caller thinks, or a donor may get no more copies.
     *
     * @param expected where it is; null for a slab that is nowhere
     * @return whether it is placed
     */
    public boolean place(int slab, @Nullable Placement expected, Placement next) {
        synchronized (lock(slab)) {
            if (placement(slab) != expected || !copies.add(next, expected)) {
                return false;
            }
            state.putPlacement(slab, next);
            if (expected == null) {
                mapped.incrementAndGet();
            } else {
                copies.remove(expected, next);
            }
            PLACEMENT.setVolatile(placements, slab, next);
            return true;
        }
    }

    /** Places a slab that is nowhere. */
    public void map(int slab, Placement to) {
        if (!place(slab, null, to)) {
            throw new IllegalStateException("slab " + slab + " is somewhere already");
        }
    }

    /**
     * A slab that is blank is nowhere from now on, and that is written down first, unless it is not where the caller thinks. No write to it may be under
     * way.
     *
     * @return whether it was there
     */
    public boolean unmap(int slab, Placement expected) {
        synchronized (lock(slab)) {
            if (placement(slab) != expected) {
                return false;
            }
            state.putPlacement(slab, null);
            PLACEMENT.setVolatile(placements, slab, (@Nullable Placement) null);
            copies.remove(expected, null);
            mapped.decrementAndGet();
            return true;
        }
    }

    /**
     * Places a slab that is nowhere, unless other pages of it are lost by now than its donors were told, or a donor may get no more copies.
     *
     * @param lostThen what {@link #lostPages} said then; empty if no page was lost
     * @return whether it is placed
     */
    public boolean map(int slab, Placement to, long[] lostThen) {
        synchronized (lock(slab)) {
            if (!Arrays.equals(lostThen, damaged(slab) ? lostPages(slab) : new long[0])) {
                return false;
            }
            if (placement(slab) != null) {
                throw new IllegalStateException("slab " + slab + " is somewhere already");
            }
            return place(slab, null, to);
        }
    }

    /**
     * What became of a slab when the bytes of one of its copies went.
     *
     * @param left the copies that are left; null if there are none, so that what was written is lost
     * @param pagesLost how many pages that were
     */
    public record Removal(@Nullable Placement left, long pagesLost) {}

    /**
     * The bytes of a copy are gone. If no other copy has everything, what was written is lost from here on. Does nothing and returns null
     * if the copy is none of the slab's by now.
     *
     * @param generations for the placement that is left
     */
    public @Nullable Removal remove(int slab, Member gone, LongSupplier generations) {
        synchronized (lock(slab)) {
            Placement now = placement(slab);
            if (now == null || !now.has(gone)) {
                return null;
            }
            Placement left = now.withoutGone(gone, generations.getAsLong());
            if (left != null) {
                state.putPlacement(slab, left);
                PLACEMENT.setVolatile(placements, slab, left);
                copies.remove(now, left);
                return new Removal(left, 0);
            }
            long pages = lose(slab);
            copies.remove(now, null);
            return new Removal(null, pages);
        }
    }

    /** Under the slab's lock. */
    private long lose(int slab) {
        long first = firstPage(slab);
        long end = endPage(slab);
        long _ = lossesBegun.incrementAndGet();
        try {
            long pages = written.count(first, end);
            if (pages > 0) {
                setDamaged(slab, true);
                written.moveTo(lost, first, end);
            }
            state.putPlacement(slab, null);
            // Last: see placement().
            PLACEMENT.setVolatile(placements, slab, (@Nullable Placement) null);
            mapped.decrementAndGet();
            pagesLost.add(pages);
            return pages;
        } finally {
            long _ = lossesEnded.incrementAndGet();
        }
    }

    /**
     * Pages of one slab of which no copy holds what was written are lost from here on. No write to them may be under way.
     *
     * @param offset where the first begins; a multiple of a page, as {@code length}
     * @return how many they are
     */
    public long losePages(long offset, long length) {
        int slab = slabOf(offset);
        synchronized (lock(slab)) {
            long _ = lossesBegun.incrementAndGet();
            try {
                long from = pageOf(offset);
                long to = pageOf(offset + length);
                long pages = written.count(from, to);
                setDamaged(slab, true);
                written.moveTo(lost, from, to);
                setDamaged(slab, lost.any(firstPage(slab), endPage(slab)));
                pagesLost.add(pages);
                return pages;
            } finally {
                long _ = lossesEnded.incrementAndGet();
            }
        }
    }

    private Object lock(int slab) {
        return locks[slab & (LOCKS - 1)];
    }

    private void setDamaged(int slab, boolean now) {
        long bit = 1L << slab;
        int word = slab >>> 6;
        long before;
        do {
            before = damaged.get(word);
        } while (!damaged.compareAndSet(word, before, now ? before | bit : before & ~bit));
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
