package io.leapnbd.bypass.spill;

import io.leapnbd.donor.protocol.Claimant;
import io.leapnbd.donor.store.KeptExport;
import java.nio.ByteBuffer;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a spill file says of itself.
 *
 * @param boot of the machine that wrote it; in another one nothing of the file counts
 * @param incarnation identity of the file, as donors have one
 * @param serial records of slabs with another one do not count: so all of them are given up in one step
 * @param slabSize bytes of a slab
 * @param slots how many slabs there are
 * @param export who owns it; null if nobody has claimed
 */
record SpillHeader(
        UUID boot,
        UUID incarnation,
        long serial,
        int slabSize,
        int slots,
        @Nullable KeptExport export) {

    /** "LEAPSPL1". */
    static final long MAGIC = 0x4c45_4150_5350_4c31L;

    SpillHeader of(KeptExport now, boolean blank) {
        return new SpillHeader(boot, incarnation, serial + (blank ? 1 : 0), slabSize, slots, now);
    }

    SpillHeader of(int otherSlabSize, int otherSlots) {
        return new SpillHeader(boot, incarnation, serial + 1, otherSlabSize, otherSlots, export);
    }

    void put(ByteBuffer to) {
        SpillBlock.put(to, boot);
        SpillBlock.put(to, incarnation);
        to.putLong(serial).putInt(slabSize).putInt(slots);
        KeptExport its = export;
        to.putInt(its == null ? 0 : 1);
        if (its != null) {
            SpillBlock.put(to, its.name());
            to.putLong(its.epoch());
            SpillBlock.put(to, its.content());
            SpillBlock.put(to, its.claimant().instance());
            to.putLong(its.claimant().term());
            SpillBlock.put(to, its.claimant().host());
            SpillBlock.put(to, its.claimant().owner());
            to.putLong(its.noteVersion());
            to.putInt(its.note().remaining()).put(its.note().duplicate());
        }
    }

    static SpillHeader get(ByteBuffer from) {
        UUID boot = SpillBlock.uuid(from);
        UUID incarnation = SpillBlock.uuid(from);
        long serial = from.getLong();
        int slabSize = from.getInt();
        int slots = from.getInt();
        KeptExport export = null;
        if (from.getInt() == 1) {
            String name = SpillBlock.text(from);
            long epoch = from.getLong();
            UUID content = SpillBlock.uuid(from);
            UUID instance = SpillBlock.uuid(from);
            long term = from.getLong();
            UUID host = SpillBlock.uuid(from);
            Claimant claimant = new Claimant(instance, term, host, SpillBlock.text(from));
            long noteVersion = from.getLong();
            byte[] note = new byte[from.getInt()];
            from.get(note);
            export = new KeptExport(name, epoch, content, claimant, noteVersion, ByteBuffer.wrap(note));
        }
        return new SpillHeader(boot, incarnation, serial, slabSize, slots, export);
    }
}
