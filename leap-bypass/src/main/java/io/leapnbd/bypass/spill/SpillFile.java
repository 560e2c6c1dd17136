package io.leapnbd.bypass.spill;

import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.store.FileBackedStore;
import io.leapnbd.donor.store.KeptExport;
import io.leapnbd.donor.store.KeptPages;
import io.leapnbd.donor.store.KeptSlab;
import io.leapnbd.donor.store.SlabFile;
import io.leapnbd.donor.store.StoreSettings;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * The file of a spill: slabs, and the records that let the next process go on with them. docs/spill.md says in which order what is written,
 * and what is found after a kill at each step.
 *
 * <p>Records of the export and of slabs are written by one thread at a time; marks and bytes by any.
 */
final class SpillFile implements SlabFile, AutoCloseable {

    /** Threads that write marks at the same time. */
    private static final int MARKS_AT_A_TIME = 8;

    private final Path path;
    private final DirectFile file;

    /** Whether this opening has made it. */
    private final boolean created;

    private final Arena arena = Arena.ofShared();
    private final SpillBlock record = new SpillBlock(arena.allocate(SpillLayout.HEADER, DirectFile.BLOCK));
    private final BlockingQueue<SpillBlock> marksBlocks = new ArrayBlockingQueue<>(MARKS_AT_A_TIME);
    private volatile SpillHeader header;
    private SpillLayout layout;
    private long headerSequence;
    private long[] rowSequences = new long[0];
    private long[] marksSequences = new long[0];

    private SpillFile(Path path, DirectFile file, UUID boot) throws IOException {
        this.path = path;
        this.file = file;
        created = file.size() == 0;
        header = new SpillHeader(boot, UUID.randomUUID(), 1, 0, 0, null);
        layout = new SpillLayout(0, 0);
        for (int i = 0; i < MARKS_AT_A_TIME; i++) {
            marksBlocks.add(new SpillBlock(arena.allocate(DirectFile.BLOCK, DirectFile.BLOCK)));
        }
    }

    /**
     * Opens and locks it. Nothing in it changes by that.
     *
     * @param boot of the machine, as it is now
     * @throws IOException with one sentence for the operator
     */
    static SpillFile open(Path path, UUID boot) throws IOException {
        DirectFile file = DirectFile.open(path);
        SpillFile spill = null;
        try {
            spill = new SpillFile(path, file, boot);
            spill.readHeader();
            return spill;
        } catch (IOException | RuntimeException e) {
            if (spill == null) {
                file.close();
            } else {
                spill.close();
            }
            throw e;
        }
    }

    private void readHeader() throws IOException {
        if (created) {
            return;
        }
        boolean ours = false;
        boolean blank = true;
        SpillHeader newest = null;
        for (int place = 0; place < 2 && file.size() >= 2L * SpillLayout.HEADER; place++) {
            file.read((long) place * SpillLayout.HEADER, SpillLayout.HEADER, record.address());
            long sequence = record.open(SpillHeader.MAGIC);
            if (sequence > headerSequence) {
                headerSequence = sequence;
                newest = SpillHeader.get(record.bytes());
            }
            ours |= record.looksLike(SpillHeader.MAGIC);
            blank &= record.isZero();
        }
        if (newest == null && !ours && !(blank && file.size() >= 2L * SpillLayout.HEADER)) {
            throw new IOException(
                    "--spill " + path + " is there and is no spill file; name one that is not there yet, or remove it");
        }
        if (newest != null && newest.boot().equals(header.boot())) {
            header = newest;
            layout = new SpillLayout(newest.slabSize(), newest.slots());
        }
    }

    /** Who owns it, as far as this boot of the machine knows; null if nobody does. */
    @Nullable
    KeptExport export() {
        return header.export();
    }

    /** Bytes of a slab as the file has them; 0 if it holds nothing of this boot. */
    int slabSize() {
        return layout.slabSize();
    }

    int slots() {
        return layout.slots();
    }

    /** How many slabs it holds, of whichever export. */
    int slabsHeld() throws IOException {
        if (header.export() == null || layout.slots() == 0) {
            return 0;
        }
        rowSequences = new long[layout.slots()];
        int held = 0;
        for (int slot = 0; slot < layout.slots(); slot++) {
            SpillRows.Row row = readRow(slot);
            held += row != null && isLent(row) ? 1 : 0;
        }
        return held;
    }

    private boolean isLent(SpillRows.Row row) {
        return row.lent() && row.serial() == header.serial() && header.export() != null;
    }

    /** Forgets who owned it: it is another one from now on. Not before {@link #lay}. */
    void disown() {
        header = new SpillHeader(header.boot(), UUID.randomUUID(), 1, layout.slabSize(), layout.slots(), null);
    }

    /**
     * Allocates all of it. What it held is given up, if it was laid out otherwise before.
     *
     * @throws IOException with one sentence for the operator, if there is no room
     */
    void lay(int slabSize, int slots) throws IOException {
        SpillLayout now = new SpillLayout(slabSize, slots);
        long before = file.size();
        boolean done = false;
        try {
            file.allocate(now.length());
            if (before > now.length()) {
                file.truncate(now.length());
            }
            done = true;
        } finally {
            if (!done) {
                file.truncate(before);
            }
        }
        boolean same = now.equals(layout);
        layout = now;
        header = same ? header : header.of(slabSize, slots);
        rowSequences = new long[slots];
        marksSequences = new long[slots * now.pieces()];
        writeHeader(header);
    }

    /** What it holds. After {@link #lay}. */
    FileBackedStore.Kept load() throws IOException {
        List<Integer> handles = new ArrayList<>(layout.slots());
        Map<Integer, KeptSlab> byIndex = new HashMap<>();
        List<KeptSlab> superseded = new ArrayList<>();
        for (int slot = 0; slot < layout.slots(); slot++) {
            SpillRows.Row row = readRow(slot);
            handles.add(row == null ? 0 : row.slab().handle());
            if (row != null && isLent(row)) {
                KeptSlab other = byIndex.get(row.slab().index());
                if (other != null && other.grantVersion() > row.slab().grantVersion()) {
                    superseded.add(row.slab());
                    continue;
                }
                if (other != null) {
                    superseded.add(other);
                }
                byIndex.put(row.slab().index(), row.slab());
            }
        }
        for (KeptSlab one : superseded) {
            keepFree(one);
        }
        List<KeptPages> slabs = new ArrayList<>();
        for (KeptSlab slab : byIndex.values()) {
            slabs.add(pages(slab));
        }
        StoreSettings settings = StoreSettings.ofMemory((long) layout.slots() * layout.slabSize(), layout.slabSize());
        return new FileBackedStore.Kept(settings, header.incarnation(), header.export(), slabs, handles);
    }

    private SpillRows.@Nullable Row readRow(int slot) throws IOException {
        SpillRows.Row newest = null;
        for (int place = 0; place < 2; place++) {
            file.read(layout.row(slot) + (long) place * DirectFile.BLOCK, DirectFile.BLOCK, record.address());
            long sequence = record.open(SpillRows.SLAB);
            if (sequence > rowSequences[slot]) {
                SpillRows.Row row = SpillRows.row(slot, record.bytes());
                if (row != null && row.incarnation().equals(header.incarnation())) {
                    newest = row;
                    rowSequences[slot] = sequence;
                }
            }
        }
        return newest;
    }

    private KeptPages pages(KeptSlab slab) throws IOException {
        boolean touched = false;
        List<PageMarks> all = new ArrayList<>();
        for (int piece = 0; piece < layout.pieces(); piece++) {
            int at = slab.slot() * layout.pieces() + piece;
            PageMarks its = new PageMarks(Math.min(MARKS_RANGE, layout.slabSize() - piece * MARKS_RANGE));
            for (int place = 0; place < 2; place++) {
                file.read(
                        layout.marks(slab.slot(), piece) + (long) place * DirectFile.BLOCK,
                        DirectFile.BLOCK,
                        record.address());
                long sequence = record.open(SpillRows.MARKS);
                if (sequence > marksSequences[at]) {
                    SpillRows.Marks marks = SpillRows.marks(record.bytes());
                    if (marks.areOf(header.incarnation(), slab) && marks.pages().pages() == its.pages()) {
                        marksSequences[at] = sequence;
                        touched |= marks.touched();
                        its = marks.pages();
                    }
                }
            }
            all.add(its);
        }
        return new KeptPages(slab, touched, all);
    }

    @Override
    public void read(int slot, int offset, int length, long to) throws IOException {
        file.read(layout.data(slot) + offset, length, to);
    }

    @Override
    public void write(int slot, int offset, int length, long from) throws IOException {
        file.write(layout.data(slot) + offset, length, from);
    }

    @Override
    public void keepExport(KeptExport export, boolean blank) throws IOException {
        SpillHeader now = header.of(export, blank);
        writeHeader(now);
        header = now;
    }

    /** Of two places the older one is overwritten. If that fails it is the one again, so that the other stays whole. */
    private void writeHeader(SpillHeader now) throws IOException {
        long sequence = headerSequence + 1;
        now.put(record.begin(SpillHeader.MAGIC, sequence));
        file.write((sequence & 1) * SpillLayout.HEADER, record.end(), record.address());
        headerSequence = sequence;
    }

    @Override
    public void keepSlab(KeptSlab slab) throws IOException {
        writeRow(slab, true);
    }

    @Override
    public void keepFree(KeptSlab slab) throws IOException {
        writeRow(slab, false);
    }

    private void writeRow(KeptSlab slab, boolean lent) throws IOException {
        long sequence = rowSequences[slab.slot()] + 1;
        SpillRows.put(
                record.begin(SpillRows.SLAB, sequence),
                new SpillRows.Row(header.incarnation(), header.serial(), slab, lent));
        file.write(layout.row(slab.slot()) + (sequence & 1) * DirectFile.BLOCK, record.end(), record.address());
        rowSequences[slab.slot()] = sequence;
    }

    @Override
    public void keepMarks(KeptSlab slab, int piece, boolean touched, PageMarks marks) throws IOException {
        SpillBlock block;
        try {
            block = marksBlocks.take();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        }
        try {
            int at = slab.slot() * layout.pieces() + piece;
            long sequence = marksSequences[at] + 1;
            SpillRows.put(
                    block.begin(SpillRows.MARKS, sequence),
                    new SpillRows.Marks(header.incarnation(), slab.handle(), slab.grantVersion(), touched, marks));
            file.write(
                    layout.marks(slab.slot(), piece) + (sequence & 1) * DirectFile.BLOCK, block.end(), block.address());
            marksSequences[at] = sequence;
        } finally {
            marksBlocks.add(block);
        }
    }

    /** Lets it go. A file that this opening has made, and that nobody has claimed, is removed. */
    @Override
    public void close() throws IOException {
        try {
            if (created && header.export() == null) {
                Files.deleteIfExists(path);
            }
        } finally {
            file.close();
            arena.close();
        }
    }
}
