package io.leapnbd.bypass.spill;

import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.store.KeptSlab;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** How slabs and their pages' marks are written into a spill file's records. */
final class SpillRows {

    /** "LEAPSLAB". */
    static final long SLAB = 0x4c45_4150_534c_4142L;

    /** "LEAPMARK". */
    static final long MARKS = 0x4c45_4150_4d41_524bL;

    private SpillRows() {}

    /**
     * A slot's record.
     *
     * @param incarnation of the file
     * @param serial of the header that it counts under
     * @param slab what the slot holds, or held last
     * @param lent whether it holds it still
     */
    record Row(UUID incarnation, long serial, KeptSlab slab, boolean lent) {}

    /** The marks of a part of a slab. */
    record Marks(UUID incarnation, int handle, long grantVersion, boolean touched, PageMarks pages) {

        boolean areOf(UUID file, KeptSlab slab) {
            return incarnation.equals(file) && handle == slab.handle() && grantVersion == slab.grantVersion();
        }
    }

    static void put(ByteBuffer to, Row row) {
        KeptSlab slab = row.slab();
        SpillBlock.put(to, row.incarnation());
        to.putLong(row.serial());
        to.putInt(row.lent() ? 1 : 0).putInt(slab.index()).putInt(slab.handle());
        to.putInt(slab.grantedFilling() ? 1 : 0);
        to.putLong(slab.grantVersion()).putLong(slab.generation());
        SlabCopies copies = slab.copies();
        to.putInt(copies.filling() ? 1 : 0).putInt(copies.count());
        if (copies.count() > 0) {
            ByteBuf body = Unpooled.buffer(copies.encodedLength());
            copies.encode(body);
            to.put(body.nioBuffer());
        }
    }

    /** Null if it says what no slab has. */
    static @Nullable Row row(int slot, ByteBuffer from) {
        UUID incarnation = SpillBlock.uuid(from);
        long serial = from.getLong();
        boolean lent = from.getInt() == 1;
        int index = from.getInt();
        int handle = from.getInt();
        boolean grantedFilling = from.getInt() == 1;
        long grantVersion = from.getLong();
        long generation = from.getLong();
        boolean filling = from.getInt() == 1;
        SlabCopies copies = filling ? SlabCopies.FILLING : SlabCopies.ALONE;
        if (from.getInt() > 0) {
            try {
                copies = SlabCopies.decodePlace(Unpooled.wrappedBuffer(from));
            } catch (ProtocolException e) {
                return null;
            }
        }
        KeptSlab slab = new KeptSlab(slot, index, handle, grantVersion, grantedFilling, generation, copies);
        return new Row(incarnation, serial, slab, lent);
    }

    static void put(ByteBuffer to, Marks marks) {
        SpillBlock.put(to, marks.incarnation());
        to.putInt(marks.handle()).putInt(marks.touched() ? 1 : 0).putLong(marks.grantVersion());
        PageMarks pages = marks.pages();
        to.putInt(pages.words());
        for (int i = 0; i < pages.words(); i++) {
            to.putLong(pages.writtenWord(i)).putLong(pages.lostWord(i));
        }
    }

    static Marks marks(ByteBuffer from) {
        UUID incarnation = SpillBlock.uuid(from);
        int handle = from.getInt();
        boolean touched = from.getInt() == 1;
        long grantVersion = from.getLong();
        int words = from.getInt();
        PageMarks pages = new PageMarks(words * PageMarks.GRANULE);
        for (int i = 0; i < words; i++) {
            pages.set(i, from.getLong(), from.getLong());
        }
        return new Marks(incarnation, handle, grantVersion, touched, pages);
    }
}
