package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.SlabCopies;
import java.util.BitSet;
import java.util.concurrent.TimeUnit;

/** Puts what an earlier process has kept into a store that nobody uses yet. */
record StoreRestore(StoreSettings settings, SlabPool pool, SlabTable table, ExportTable exports) {

    /** Longer ago than any server may believe that it owns an export. */
    private static final long ENDED_NANOS = TimeUnit.HOURS.toNanos(1);

    void restore(FileBackedStore.Kept kept) {
        BitSet lent = new BitSet();
        KeptExport its = kept.export();
        if (its != null) {
            Export export = new Export(its.name(), Identity.ANONYMOUS, its.epoch());
            export.content = its.content();
            export.claimant = its.claimant();
            export.note = its.note();
            export.noteVersion = its.noteVersion();
            // The process that was its owner's donor has ended.
            export.claimedAt = settings.nanoClock().getAsLong() - ENDED_NANOS;
            export.answeredAt = export.claimedAt;
            for (KeptPages found : kept.slabs()) {
                lent.set(found.slab().slot());
            }
            pool.restore(lent);
            kept.slabs().forEach(found -> restore(export, found));
            exports.restore(export);
        }
        for (int slot = 0; slot < kept.handles().size(); slot++) {
            table.restore(slot, kept.handles().get(slot));
        }
    }

    private void restore(Export export, KeptPages found) {
        KeptSlab its = found.slab();
        Slab slab = new Slab(
                export,
                its.index(),
                its.handle(),
                its.slot(),
                0,
                pool.words(its.slot()),
                its.grantVersion(),
                its.grantedFilling() ? SlabCopies.FILLING : SlabCopies.ALONE);
        slab.generation = its.generation();
        slab.copies = its.copies();
        slab.touched = found.touched();
        for (int piece = 0; piece < found.marks().size(); piece++) {
            SlabPages.restore(slab, piece * SlabFile.MARKS_RANGE, found.marks().get(piece));
        }
        table.put(slab);
        export.hold(slab);
    }
}
