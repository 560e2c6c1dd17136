package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The slabs that exports hold: granted, placed, listed, freed, taken back. {@code donor/PROTOCOL.md}, section 2, says what each request means.
 * Whose an export is, the caller has seen. For use under the {@link ExportTable}'s lock.
 */
final class LentSlabs {

    /** Entries of a list that are collected without letting others in. */
    static final int LISTED_AT_ONCE = 2048;

    private final UUID incarnation;
    private final int slabSize;
    private final SlabTable table;
    private final SlabPool pool;
    private final SlabLedger ledger;

    LentSlabs(UUID incarnation, int slabSize, SlabTable table, SlabPool pool, SlabLedger ledger) {
        this.incarnation = incarnation;
        this.slabSize = slabSize;
        this.table = table;
        this.pool = pool;
        this.ledger = ledger;
    }

    /** Slabs that can be granted. */
    int free() {
        return pool.free();
    }

    /** @param mayHoldMore whether one slab more than now is within the owner's limit */
    Granted grant(Export export, int index, long version, SlabCopies copies, long[] lost, boolean mayHoldMore) {
        if (index < 0 || version < 1 || copies.count() > 0 || lost.length > slabSize / Protocol.PAGE_SIZE / Long.SIZE) {
            return new Granted(Status.BAD_REQUEST, 0);
        }
        Slab held = export.slabs.get(index);
        if (held != null && version <= held.generation) {
            return again(held, version, copies);
        }
        if (held == null && !mayHoldMore) {
            return new Granted(Status.NO_SPACE, 0);
        }
        return lend(export, index, version, copies, lost, held);
    }

    /** A grant that is not above what is held: it was sent again, as its answer was lost, or it is late. */
    private Granted again(Slab held, long version, SlabCopies copies) {
        if (version != held.grantVersion) {
            return new Granted(Status.STALE, 0);
        }
        // Whatever placements have come since; but anything else would be two grants of one number.
        if (copies.filling() != held.grantedFilling) {
            return new Granted(Status.BAD_REQUEST, 0);
        }
        ledger.lent(held);
        return new Granted(Status.OK, held.handle);
    }

    /** Lends a blank slab in place of the one that is held, if there is one. */
    private Granted lend(Export export, int index, long version, SlabCopies copies, long[] lost, @Nullable Slab held) {
        if (held != null) {
            ledger.takenBack(held);
            export.letGo(held);
            takeBack(held);
        }
        int slot = pool.take();
        if (slot < 0) {
            return new Granted(Status.NO_SPACE, 0);
        }
        Slab slab = new Slab(
                export, index, table.nextHandle(slot), slot, pool.data(slot), pool.words(slot), version, copies);
        SlabPages.lose(slab, lost);
        table.put(slab);
        export.hold(slab);
        ledger.lent(slab);
        return new Granted(Status.OK, slab.handle);
    }

    byte place(Export export, int handle, long generation, SlabCopies copies) {
        // Those that are named are live, and this slab is or is not.
        if (generation < 1 || copies.count() == 0 || copies.names(incarnation, handle) == copies.filling()) {
            return Status.BAD_REQUEST;
        }
        Slab slab = table.find(handle);
        if (slab == null || slab.export != export) {
            return Status.NOT_OWNER;
        }
        SlabName own = slab.name(incarnation);
        if (!copies.filling() && !copies.names(own)) {
            // The handle is used again since: the slab that is meant is not held any more.
            return Status.NOT_OWNER;
        }
        byte status = slab.place(generation, copies.at(own));
        if (status == Status.OK) {
            ledger.placed(slab);
        }
        return status;
    }

    byte free(Export export, int handle, long generation) {
        if (generation < 1) {
            return Status.BAD_REQUEST;
        }
        Slab slab = table.find(handle);
        if (slab == null || slab.export != export) {
            return Status.NOT_OWNER;
        }
        if (generation < slab.generation) {
            return Status.STALE;
        }
        ledger.takenBack(slab);
        export.letGo(slab);
        takeBack(slab);
        return Status.OK;
    }

    /**
     * Lists what an export holds from an index on.
     *
     * @param most bytes of the list
     * @return where to go on; negative if this is the end
     */
    static long list(Export export, long from, int most, SlabList into) {
        if (from > Integer.MAX_VALUE) {
            return -1;
        }
        int listed = 0;
        for (Slab slab : export.slabs.tailMap((int) from, true).values()) {
            boolean placed = slab.generation != slab.grantVersion;
            if (into.encodedLength() + SlabList.entryLength(placed, slab.copies) > most) {
                into.more(true);
                return -1;
            }
            if (listed++ == LISTED_AT_ONCE) {
                return slab.index;
            }
            into.add(slab.index, slab.handle, slab.grantVersion, slab.generation, slab.touched, slab.copies);
        }
        return -1;
    }

    /** How many of an export's slabs have other live copies, as its server has said last. */
    static int elsewhere(Export export) {
        int count = 0;
        for (Slab slab : export.slabs.values()) {
            if (slab.copies.filling() || slab.copies.count() > 1) {
                count++;
            }
        }
        return count;
    }

    /** Takes back all that an export holds. */
    void takeBackAll(Export export) {
        for (Slab slab : export.slabs.values()) {
            takeBack(slab);
        }
        export.letGoOfAll();
    }

    private void takeBack(Slab slab) {
        table.remove(slab);
        if (slab.close()) {
            pool.recycle(slab.slot);
        }
        for (Runnable reader : slab.readers()) {
            reader.run();
        }
    }
}
