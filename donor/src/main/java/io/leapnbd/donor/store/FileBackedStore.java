package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * A {@link SlabStore} whose bytes are in a {@link SlabFile}, and which outlives its process: what was answered is there for the next one. Claims,
 * grants, placements, lists and notes are the store's own code. Reads, writes and trims are here.
 *
 * <p><b>Threads.</b> Methods that answer with more than a number in memory may wait for the disk, so none is for an event loop but {@link #ping},
 * {@link #freeSlabs} and {@link #wantedBack}. A write or trim, and whatever else touches one of its pages, are not to be under way at the same
 * time; nor a hello that claims and anything else. The caller sees to that.
 *
 * <p><b>Failures.</b> An {@link UncheckedIOException} or {@link IOException} says that the file has failed. The request may have been done, as one
 * whose answer was lost: it may be made again, and others too.
 *
 * <p><b>Versions</b> of pages are not kept. They order requests of one process with each other; those of an earlier process have all ended when
 * the file can be locked. So pages begin at zero again, with the base.
 */
public final class FileBackedStore implements SlabControl, AutoCloseable {

    /** For so long after the last grant nothing is wanted back: what is granted when donors are short of room would go to and fro. */
    private static final long CALM_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final SlabStore slabs;
    private final SlabFile file;
    private final StoreSettings settings;

    /** By slot. */
    private final AtomicReferenceArray<@Nullable MarksInFile> marks;

    private volatile long lastGrant;

    private FileBackedStore(Kept kept, SlabFile file) throws IOException {
        this.file = file;
        settings = kept.settings();
        marks = new AtomicReferenceArray<>(settings.totalSlabs());
        lastGrant = settings.nanoClock().getAsLong() - CALM_NANOS;
        slabs = SlabStore.openFor(kept, new Ledger());
        for (KeptPages found : kept.slabs()) {
            Slab slab = slabs.access().find(found.slab().handle());
            if (slab != null) {
                MarksInFile its = new MarksInFile(slab);
                its.touched = found.touched();
                marks.set(slab.slot, its);
            }
        }
    }

    /**
     * What was found in a file.
     *
     * @param settings of the store; its lease never ends, and no slab is kept ready
     * @param incarnation of the store that began the file
     * @param export null if nobody has claimed
     * @param slabs of the export
     * @param handles the last handle of each slot; 0 for none
     */
    public record Kept(
            StoreSettings settings,
            UUID incarnation,
            @Nullable KeptExport export,
            List<KeptPages> slabs,
            List<Integer> handles) {

        /** Adds what such a store needs. */
        public Kept {
            settings = settings.withReadySlabs(0)
                    .withHugePages(false)
                    .withMaxExports(1)
                    .withLease(Duration.ofSeconds(Integer.MAX_VALUE));
        }
    }

    /** Goes on with what was found. */
    public static FileBackedStore open(Kept kept, SlabFile file) throws IOException {
        return new FileBackedStore(kept, file);
    }

    /** {@link SlabStore#hello(Hello, Runnable)}. */
    @Override
    public Admission hello(Hello hello, Runnable onFenced) {
        return slabs.hello(hello, onFenced);
    }

    /** {@link SlabStore#ping}. */
    public byte ping(Claim claim) {
        return slabs.ping(claim);
    }

    /** {@link SlabStore#grant(Claim, int, long, SlabCopies, long[])}. */
    public Granted grant(Claim claim, int index, long version, SlabCopies copies, long[] lost) {
        lastGrant = settings.nanoClock().getAsLong();
        return slabs.grant(claim, index, version, copies, lost);
    }

    /** {@link SlabStore#place}. */
    @Override
    public byte place(Claim claim, int handle, long generation, SlabCopies copies) {
        return slabs.place(claim, handle, generation, copies);
    }

    /** {@link SlabStore#free}. */
    @Override
    public byte free(Claim claim, int handle, long generation) {
        return slabs.free(claim, handle, generation);
    }

    /** {@link SlabStore#list(Claim, int)}. */
    @Override
    public Listing list(Claim claim, int fromIndex) {
        return slabs.list(claim, fromIndex);
    }

    /** {@link SlabStore#pages}. */
    @Override
    public MarkedPages pages(Claim claim, int handle, int offset, int length) {
        return slabs.pages(claim, handle, offset, length);
    }

    /** {@link SlabStore#note}. */
    @Override
    public byte note(Claim claim, long version, ByteBuffer note) {
        return slabs.note(claim, version, note);
    }

    /** {@link SlabStore#malformed}. */
    public byte malformed(Claim claim) {
        return slabs.malformed(claim);
    }

    /**
     * {@link SlabStore#read}, into memory.
     *
     * @param buffer address, a multiple of a page, of as many pages as the range touches. The range's first byte is put where it is in its page
     */
    public byte read(Claim claim, int handle, int offset, int length, long buffer) throws IOException {
        SlabAccess access = slabs.access();
        StoreCounters counters = access.counters();
        counters.reads.increment();
        Slab slab = access.find(handle);
        byte status = access.enter(claim, slab, offset, length);
        if (status != Status.OK || slab == null) {
            return counters.ended(status);
        }
        boolean whole;
        try {
            whole = FilePages.read(slab, offset, length, file, buffer);
        } finally {
            access.leave(slab);
        }
        if (!whole) {
            return counters.ended(Status.PAGE_LOST);
        }
        counters.bytesRead.add(length);
        return Status.OK;
    }

    /**
     * {@link SlabStore#write}, from memory.
     *
     * @param buffer address, a multiple of a page, of as many pages as the range touches and one more. The range's first byte is where it is in
     *     its page; all else is written to
     */
    public byte write(Claim claim, int handle, int offset, int length, long version, long buffer) throws IOException {
        StoreCounters counters = slabs.access().counters();
        counters.writes.increment();
        return change(Change.WRITE, claim, handle, offset, length, version, buffer, counters.bytesWritten, length);
    }

    /**
     * {@link SlabStore#trim}.
     *
     * @param spare address of a page of memory that is written to, a multiple of a page
     */
    public byte trim(Claim claim, int handle, int offset, int length, long version, long spare) throws IOException {
        StoreCounters counters = slabs.access().counters();
        counters.trims.increment();
        return change(Change.TRIM, claim, handle, offset, length, version, spare, counters.bytesTrimmed, length);
    }

    /** {@link SlabStore#lose}. */
    public byte lose(Claim claim, int handle, int offset, int length, long version) throws IOException {
        StoreCounters counters = slabs.access().counters();
        return change(Change.LOSE, claim, handle, offset, length, version, 0, counters.bytesTrimmed, 0);
    }

    private enum Change {
        WRITE,
        TRIM,
        LOSE
    }

    /** Changes pages, and writes down how they are marked then. */
    private byte change(
            Change change,
            Claim claim,
            int handle,
            int offset,
            int length,
            long version,
            long memory,
            LongAdder bytes,
            int counted)
            throws IOException {
        SlabAccess access = slabs.access();
        Slab slab = access.find(handle);
        byte status = access.enter(claim, slab, offset, length, version);
        if (status != Status.OK || slab == null) {
            return access.counters().ended(status);
        }
        slab.touch();
        int stale;
        try {
            boolean news = change == Change.LOSE || FilePages.marksChange(slab, offset, length, change == Change.WRITE);
            long sum = claim.base + version;
            stale = switch (change) {
                case WRITE -> FilePages.write(slab, claim, offset, length, sum, file, memory);
                case TRIM -> FilePages.trim(slab, claim, offset, length, sum, file, memory);
                case LOSE -> FilePages.lose(slab, claim, offset, length, sum);
            };
            keepMarks(slab, offset, length, news);
        } finally {
            access.leave(slab);
        }
        return access.changed(stale, counted, bytes);
    }

    /** Writes down how the pages of a range are marked now, if that is not as it was, and that the slab was touched. */
    private void keepMarks(Slab slab, int offset, int length, boolean news) throws IOException {
        MarksInFile its = marksOf(slab);
        int last = (offset + Math.max(1, length) - 1) / SlabFile.MARKS_RANGE;
        for (int piece = offset / SlabFile.MARKS_RANGE; piece <= last; piece++) {
            if (news || !its.touched || its.failed.get(piece) != 0) {
                its.keep(piece);
            }
        }
    }

    private MarksInFile marksOf(Slab slab) {
        while (true) {
            MarksInFile its = marks.get(slab.slot);
            if (its != null && its.slab == slab) {
                return its;
            }
            MarksInFile fresh = new MarksInFile(slab);
            if (marks.compareAndSet(slab.slot, its, fresh)) {
                return fresh;
            }
        }
    }

    /** Slabs that could be granted now. */
    public int freeSlabs() {
        return slabs.freeSlabs();
    }

    /** All that are lent, once none was granted for a while: what is here belongs elsewhere. */
    public int wantedBack() {
        return settings.nanoClock().getAsLong() - lastGrant < CALM_NANOS ? 0 : lentSlabs();
    }

    /** Slabs that are lent. */
    public int lentSlabs() {
        return settings.totalSlabs() - slabs.freeSlabs();
    }

    /** How things are now. */
    public StoreStatistics statistics() {
        return slabs.statistics();
    }

    /** Lets the memory go. What is in the file stays. The file is closed by whoever opened it, after this. */
    @Override
    public void close() {
        slabs.close();
    }

    private static KeptSlab kept(Slab slab) {
        return new KeptSlab(
                slab.slot,
                slab.index,
                slab.handle,
                slab.grantVersion,
                slab.grantedFilling,
                slab.generation,
                slab.copies);
    }

    /**
     * What the file says of a slab's marks. Several threads that have changed some write them down once for all: the one that comes first does so for
     * those that have changed theirs by then.
     */
    private final class MarksInFile {

        private final Slab slab;
        private final AtomicLongArray changes;
        private final long[] kept;
        private final Object[] writing;

        /** Not zero where the latest attempt to write has failed, so that the file may be behind. */
        private final AtomicIntegerArray failed;

        /** Whether the file says that the slab was touched. */
        private volatile boolean touched;

        MarksInFile(Slab slab) {
            this.slab = slab;
            int pieces = Math.ceilDiv(settings.slabSize(), SlabFile.MARKS_RANGE);
            changes = new AtomicLongArray(pieces);
            kept = new long[pieces];
            writing = new Object[pieces];
            failed = new AtomicIntegerArray(pieces);
            for (int i = 0; i < pieces; i++) {
                writing[i] = new Object();
            }
        }

        /** Words of the piece have changed: when this returns, the file says so. */
        void keep(int piece) throws IOException {
            long mine = changes.incrementAndGet(piece);
            synchronized (writing[piece]) {
                if (kept[piece] >= mine) {
                    return;
                }
                long upTo = changes.get(piece);
                int from = piece * SlabFile.MARKS_RANGE;
                PageMarks now = new PageMarks(Math.min(SlabFile.MARKS_RANGE, settings.slabSize() - from));
                boolean isTouched = slab.touched;
                SlabPages.marks(slab, from, now);
                failed.set(piece, 1);
                file.keepMarks(FileBackedStore.kept(slab), piece, isTouched, now);
                failed.set(piece, 0);
                kept[piece] = upTo;
                touched |= isTouched;
            }
        }
    }

    /** Writes down what is lent. */
    private final class Ledger implements SlabLedger {

        @Override
        public void owned(Export export, boolean blank) {
            try {
                file.keepExport(
                        new KeptExport(
                                export.name,
                                export.epoch,
                                export.content,
                                export.claimant,
                                export.noteVersion,
                                export.note),
                        blank);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void lent(Slab slab) {
            try {
                MarksInFile its = marksOf(slab);
                for (int from = 0; from < settings.slabSize(); from += SlabFile.MARKS_RANGE) {
                    int length = Math.min(SlabFile.MARKS_RANGE, settings.slabSize() - from);
                    if (SlabPages.anyLost(slab, from, length)) {
                        its.keep(from / SlabFile.MARKS_RANGE);
                    }
                }
                file.keepSlab(kept(slab));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void placed(Slab slab) {
            try {
                file.keepSlab(kept(slab));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void takenBack(Slab slab) {
            try {
                file.keepFree(kept(slab));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
