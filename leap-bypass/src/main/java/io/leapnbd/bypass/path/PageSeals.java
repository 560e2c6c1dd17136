package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.SealTable;
import io.leapnbd.bypass.map.SealTable.Fit;
import io.leapnbd.donor.protocol.Protocol;
import io.netty.buffer.ByteBuf;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The seals of bytes, and what they say of what donors answer (docs/seals.md). Ranges are of whole pages. Without a table nothing is kept, and
 * everything is right. For one loop's thread; allocates nothing.
 */
public final class PageSeals {

    private static final int PAGE = Protocol.PAGE_SIZE;

    /** What the 32 bits of a page's number are multiplied with: 2^32 divided by the golden ratio. */
    private static final int SPREAD = 0x9e37_79b9;

    /** For bytes whose sum is that of none. */
    private static final int INSTEAD_OF_NONE = 1;

    private final @Nullable SealTable table;
    private final AddressMap map;
    private final WriteOrder order;
    private final CRC32C crc = new CRC32C();
    private final int zeros;

    /** Of one loop. */
    public PageSeals(AddressMap map, WriteOrder order) {
        this.map = map;
        this.order = order;
        table = map.seals();
        CRC32C ofZeros = new CRC32C();
        ofZeros.update(new byte[PAGE]);
        zeros = (int) ofZeros.getValue();
    }

    /** Whether seals are kept. */
    boolean kept() {
        return table != null;
    }

    /** The seal of the bytes of one page. */
    int seal(long offset, ByteBuf bytes, int index) {
        crc.reset();
        // The buffer's own view: another one would be an object for each page.
        crc.update(bytes.internalNioBuffer(index, PAGE));
        return bind(offset, (int) crc.getValue());
    }

    private static int bind(long offset, int sum) {
        long page = offset >>> Protocol.PAGE_SHIFT;
        int seal = sum ^ ((int) page * SPREAD) ^ (int) (page >>> Integer.SIZE);
        return seal == SealTable.NONE ? INSTEAD_OF_NONE : seal;
    }

    /**
     * Looks at bytes that a donor has answered, after the answer. What is blank by now is made zeros.
     *
     * @return where the first page begins that cannot be given to a client; the end of the range if there is none
     */
    public long firstUnfit(long offset, int length, ByteBuf bytes, int index) {
        SealTable seals = table;
        long end = offset + length;
        if (seals == null) {
            return end;
        }
        for (long at = offset; at < end; at += PAGE) {
            if (!fits(seals, at, bytes, index + (int) (at - offset))) {
                return at;
            }
        }
        return end;
    }

    private boolean fits(SealTable seals, long at, ByteBuf bytes, int index) {
        if (!map.isWritten(at)) {
            // A word may be of what was there before it was blank.
            if (!map.blank(at, PAGE)) {
                return false;
            }
            bytes.setZero(index, PAGE);
            return true;
        }
        long page = at >>> Protocol.PAGE_SHIFT;
        long word = seals.word(page);
        if (SealTable.unsealed(word)) {
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

    /** The same for bytes that are kept: a page of which a write was begun is none. */
    public boolean surelyFits(long offset, ByteBuf bytes, int index) {
        SealTable seals = table;
        if (seals == null) {
            return true;
        }
        long word = seals.word(offset >>> Protocol.PAGE_SHIFT);
        return SealTable.unsealed(word) || SealTable.fit(word, seal(offset, bytes, index)) == Fit.RIGHT;
    }

    /** Whether bytes are none that a page may have. */
    boolean isWrong(long offset, ByteBuf bytes, int index) {
        return map.isWritten(offset) && SealTable.fit(word(offset), seal(offset, bytes, index)) == Fit.WRONG;
    }

    /**
     * The same while no write is under way: of a page to which a write was begun, only the bytes of that write, or of the one before it if
     * nothing else can be.
     */
    long firstUnquiet(long offset, int length, ByteBuf bytes, int index) {
        long end = offset + length;
        for (long at = offset; at < end; at += PAGE) {
            if (!surelyFits(at, bytes, index + (int) (at - offset))) {
                return at;
            }
        }
        return end;
    }

    /** What is known of a page; 0, as of one that is unsealed, without a table. */
    long word(long offset) {
        SealTable seals = table;
        return seals == null ? 0 : seals.word(offset >>> Protocol.PAGE_SHIFT);
    }

    /** Whether a write was begun to any page of a range whose end is not known. The range has its turn. */
    boolean anyOpen(long offset, int length) {
        for (long at = offset; table != null && at < offset + length; at += PAGE) {
            if (map.isWritten(at) && SealTable.open(word(at))) {
                return true;
            }
        }
        return false;
    }

    /** A write has its turn, and its pages do not count as written yet for that. */
    void begin(long offset, int length, ByteBuf bytes, int index) {
        SealTable seals = table;
        if (seals == null) {
            return;
        }
        for (int done = 0; done < length; done += PAGE) {
            begin(seals, offset + done, seal(offset + done, bytes, index + done));
        }
    }

    /** A trim has its turn. */
    void beginZeros(long offset, int length) {
        SealTable seals = table;
        if (seals == null) {
            return;
        }
        for (int done = 0; done < length; done += PAGE) {
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

    /** Every copy has done a change. */
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

    /** Every copy has these bytes of one page. */
    void settle(long offset, ByteBuf bytes, int index) {
        SealTable seals = table;
        if (seals != null) {
            seals.settle(offset >>> Protocol.PAGE_SHIFT, seal(offset, bytes, index));
        }
    }
}
