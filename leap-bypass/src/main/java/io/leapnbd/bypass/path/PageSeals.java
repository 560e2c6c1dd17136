package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.donor.protocol.Protocol;
import io.netty.buffer.ByteBuf;

/**
 * What is known of pages' bytes, and what that says of what donors answer (docs/seals.md). Two kinds: {@link ChecksumSeals}, of pages that donors hold as
 * clients wrote them, and {@link CipherSeals}, of those that are encrypted. Ranges are of whole pages. For one loop's thread; allocates nothing.
 */
public abstract class PageSeals {

    static final int PAGE = Protocol.PAGE_SIZE;

    /** {@link #rank} of bytes that the page may not have. */
    static final int NOT_ITS_BYTES = Integer.MAX_VALUE;

    final AddressMap map;
    final WriteOrder order;

    PageSeals(AddressMap map, WriteOrder order) {
        this.map = map;
        this.order = order;
    }

    /** Of one loop, on it: of the kind that the map's file keeps. */
    public static PageSeals of(AddressMap map, WriteOrder order) {
        return map.encrypted() ? new CipherSeals(map, order) : new ChecksumSeals(map, order);
    }

    /** Whether seals are kept. */
    abstract boolean kept();

    /** Whether a page's bytes may be given to a client; of a page that holds data. If {@code open}, they are made what the client wrote. */
    abstract boolean fits(long at, ByteBuf bytes, int index, boolean open);

    /** Whether a page holds what was written, and no write was begun since; likewise. */
    abstract boolean surelyFits(long at, ByteBuf bytes, int index, boolean open);

    /** Whether bytes are none that a page may have. */
    abstract boolean isWrong(long offset, ByteBuf bytes, int index);

    /**
     * Which bytes of a page these are, while no change of it is under way.
     *
     * @return 0 for those of the newest change, more for older ones; {@link #NOT_ITS_BYTES}
     */
    abstract int rank(long offset, ByteBuf bytes, int index);

    /** Whether nothing is known of a page. */
    abstract boolean isUnsealed(long offset);

    /** Whether a change of a page was begun whose end is not known. */
    abstract boolean isOpen(long offset);

    /**
     * A write has its turn, and its pages do not count as written yet for that. The bytes are what donors get from here on.
     *
     * @return false if there is no room for more pages that are being written; nothing has changed then
     */
    abstract boolean begin(long offset, int length, ByteBuf bytes, int index);

    /** The bytes of a write that has still its turn are those of its client again. */
    abstract void undo(long offset, int length, ByteBuf bytes, int index);

    /** A trim has its turn. */
    abstract void beginZeros(long offset, int length);

    /** Every copy has done a change. */
    abstract void commit(long offset, int length);

    /** Every copy has these bytes of one page. */
    abstract void settle(long offset, ByteBuf bytes, int index);

    /**
     * Looks at bytes that a donor has answered, after the answer. What is blank by now is made zeros.
     *
     * @return where the first page begins that cannot be given to a client; the end of the range if there is none
     */
    public final long firstUnfit(long offset, int length, ByteBuf bytes, int index) {
        return firstUnfit(offset, length, bytes, index, false);
    }

    /** The same, and the pages before the one that is answered are made what the client wrote. Each page once. */
    final long open(long offset, int length, ByteBuf bytes, int index) {
        return firstUnfit(offset, length, bytes, index, true);
    }

    private long firstUnfit(long offset, int length, ByteBuf bytes, int index, boolean open) {
        long end = offset + length;
        if (!kept()) {
            return end;
        }
        for (long at = offset; at < end; at += PAGE) {
            int place = index + (int) (at - offset);
            if (map.isWritten(at)) {
                if (!fits(at, bytes, place, open)) {
                    return at;
                }
            } else if (map.blank(at, PAGE)) {
                // What is kept of it may be of what was there before it was blank.
                bytes.setZero(place, PAGE);
            } else {
                return at;
            }
        }
        return end;
    }

    /** The same for bytes that are kept, of one page: one of which a write was begun is none. They are made what the client wrote. */
    public final boolean openSurely(long offset, ByteBuf bytes, int index) {
        return surelyFits(offset, bytes, index, true);
    }

    /**
     * The same while no write is under way: of a page to which a write was begun, only the bytes of that write, or of the one before it if
     * nothing else can be. The bytes stay as donors have them.
     */
    final long firstUnquiet(long offset, int length, ByteBuf bytes, int index) {
        long end = offset + length;
        for (long at = offset; kept() && at < end; at += PAGE) {
            if (!surelyFits(at, bytes, index + (int) (at - offset), false)) {
                return at;
            }
        }
        return end;
    }

    /** Makes the bytes of a page, of which {@link #rank} knows, what the client wrote. */
    abstract void openRanked(long offset, ByteBuf bytes, int index);

    /** Whether a write was begun to any page of a range whose end is not known. The range has its turn. */
    final boolean anyOpen(long offset, int length) {
        for (long at = offset; kept() && at < offset + length; at += PAGE) {
            if (map.isWritten(at) && isOpen(at)) {
                return true;
            }
        }
        return false;
    }
}
