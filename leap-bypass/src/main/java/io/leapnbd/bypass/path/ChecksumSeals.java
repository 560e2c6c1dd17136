package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.SealTable;
import io.leapnbd.bypass.map.SealTable.Fit;
import io.leapnbd.donor.protocol.Protocol;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Seals that are checksums of 32 bits, in words that say which version of a page they are of (docs/seals.md, "What is kept"). Without a table nothing is kept, and
 * everything is right.
 */
final class ChecksumSeals extends PageSeals {

    /** What the 32 bits of a page's number are multiplied with: 2^32 divided by the golden ratio. */
    private static final int SPREAD = 0x9e37_79b9;

    /** For bytes whose sum is that of none. */
    private static final int INSTEAD_OF_NONE = 1;

    private final @Nullable SealTable table;
    private final CRC32C crc = new CRC32C();
    private final int zeros;

    ChecksumSeals(AddressMap map, WriteOrder order) {
        super(map, order);
        table = map.seals();
        CRC32C ofZeros = new CRC32C();
        ofZeros.update(new byte[PAGE]);
        zeros = (int) ofZeros.getValue();
    }

    @Override
    boolean kept() {
        return table != null;
    }

    private int seal(long offset, ByteBuf bytes, int index) {
        crc.reset();
        crc.update(view(bytes, index));
        return bind(offset, (int) crc.getValue());
    }

    /** The view that a buffer has of itself already. A slice has none, and would make an object for each page. */
    private static ByteBuffer view(ByteBuf bytes, int index) {
        ByteBuf whole = bytes;
        while (whole.unwrap() != null) {
            whole = whole.unwrap();
        }
        return bytes.hasMemoryAddress() && whole.hasMemoryAddress()
                ? whole.internalNioBuffer((int) (bytes.memoryAddress() + index - whole.memoryAddress()), PAGE)
                : bytes.internalNioBuffer(index, PAGE);
    }

    private static int bind(long offset, int sum) {
        long page = offset >>> Protocol.PAGE_SHIFT;
        int seal = sum ^ ((int) page * SPREAD) ^ (int) (page >>> Integer.SIZE);
        return seal == SealTable.NONE ? INSTEAD_OF_NONE : seal;
    }

    @Override
    boolean fits(long at, ByteBuf bytes, int index, boolean open) {
        SealTable seals = table;
        long page = at >>> Protocol.PAGE_SHIFT;
        long word = word(at);
        if (seals == null || SealTable.unsealed(word)) {
            return true;
        }
        int seal = seal(at, bytes, index);
        Fit fit = SealTable.fit(word, seal);
        if (fit == Fit.PERHAPS && !order.changing(at)) {
            // A write that has ended meanwhile has left another word.
            fit = SealTable.fit(seals.word(page), seal);
        }
        return fit == Fit.RIGHT || (fit == Fit.PERHAPS && order.changing(at));
    }

    @Override
    boolean surelyFits(long at, ByteBuf bytes, int index, boolean open) {
        long word = word(at);
        return SealTable.unsealed(word) || SealTable.fit(word, seal(at, bytes, index)) == Fit.RIGHT;
    }

    @Override
    boolean isWrong(long offset, ByteBuf bytes, int index) {
        return map.isWritten(offset) && SealTable.fit(word(offset), seal(offset, bytes, index)) == Fit.WRONG;
    }

    @Override
    int rank(long offset, ByteBuf bytes, int index) {
        long word = word(offset);
        int seal = seal(offset, bytes, index);
        if (SealTable.unsealed(word)) {
            return 2;
        }
        if (seal == SealTable.newest(word)) {
            return 0;
        }
        if (SealTable.before(word) == SealTable.NONE) {
            // What was there before is not known: anything may be right.
            return 2;
        }
        return seal == SealTable.before(word) ? 1 : NOT_ITS_BYTES;
    }

    @Override
    boolean isUnsealed(long offset) {
        return SealTable.unsealed(word(offset));
    }

    @Override
    boolean isOpen(long offset) {
        return SealTable.open(word(offset));
    }

    private long word(long offset) {
        SealTable seals = table;
        return seals == null ? 0 : seals.word(offset >>> Protocol.PAGE_SHIFT);
    }

    @Override
    boolean begin(long offset, int length, ByteBuf bytes, int index) {
        SealTable seals = table;
        for (int done = 0; seals != null && done < length; done += PAGE) {
            begin(seals, offset + done, seal(offset + done, bytes, index + done));
        }
        return true;
    }

    @Override
    void undo(long offset, int length, ByteBuf bytes, int index) {
        // They were not changed.
    }

    @Override
    void beginZeros(long offset, int length) {
        SealTable seals = table;
        for (int done = 0; seals != null && done < length; done += PAGE) {
            begin(seals, offset + done, bind(offset + done, zeros));
        }
    }

    private void begin(SealTable seals, long at, int next) {
        long page = at >>> Protocol.PAGE_SHIFT;
        // Written first: a page that is being lost counts as lost before it stops to count as written.
        if (map.isWritten(at)) {
            seals.begin(page, next);
        } else {
            seals.begin(page, map.isLost(at) ? next : bind(at, zeros), next);
        }
    }

    @Override
    void commit(long offset, int length) {
        SealTable seals = table;
        if (seals == null) {
            return;
        }
        long end = (offset + length) >>> Protocol.PAGE_SHIFT;
        for (long page = offset >>> Protocol.PAGE_SHIFT; page < end; page++) {
            seals.commit(page);
        }
    }

    @Override
    void settle(long offset, ByteBuf bytes, int index) {
        SealTable seals = table;
        if (seals != null) {
            seals.settle(offset >>> Protocol.PAGE_SHIFT, seal(offset, bytes, index));
        }
    }

    @Override
    void openRanked(long offset, ByteBuf bytes, int index) {
        // Donors have what clients wrote.
    }
}
