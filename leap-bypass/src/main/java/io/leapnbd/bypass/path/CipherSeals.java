package io.leapnbd.bypass.path;

import io.leapnbd.bypass.cipher.PageCodec;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.SealedPages;
import io.leapnbd.bypass.map.SealedPages.Before;
import io.leapnbd.donor.protocol.Protocol;
import io.netty.buffer.ByteBuf;

/**
 * Seals that are the stamps and tags of encrypted pages (docs/encryption.md). A write's bytes become ciphertext where they are; an answer becomes plaintext where it
 * is, when its tag is right.
 */
final class CipherSeals extends PageSeals {

    /** Which of the seals of a page some bytes have; the first one is looked for first. */
    private static final int ZEROS_OF_A_TRIM = 0;

    private static final int NEWEST = 1;
    private static final int BEFORE = 2;

    private final SealedPages table;
    private final PageCodec codec;
    private final SealedPages.Seals seals = new SealedPages.Seals();

    CipherSeals(AddressMap map, WriteOrder order) {
        super(map, order);
        table = map.sealedPages();
        codec = map.keys().newCodec();
    }

    @Override
    boolean kept() {
        return true;
    }

    private static long page(long offset) {
        return offset >>> Protocol.PAGE_SHIFT;
    }

    /** Which of the seals of {@link #seals} bytes have. The codec holds them decrypted then, unless they are zeros. */
    private int which(long at, ByteBuf bytes, int index) {
        if (seals.trimmed() && codec.isZero(bytes, index)) {
            return ZEROS_OF_A_TRIM;
        }
        if (has(at, seals.newest(), seals.newestFirst(), seals.newestSecond(), bytes, index)) {
            return NEWEST;
        }
        boolean before =
                seals.open() && has(at, seals.before(), seals.beforeFirst(), seals.beforeSecond(), bytes, index);
        return before ? BEFORE : NOT_ITS_BYTES;
    }

    private boolean has(long at, long stamp, long first, long second, ByteBuf bytes, int index) {
        if (stamp == SealedPages.NOTHING) {
            return false;
        }
        return stamp == SealedPages.ZERO_PAGE
                ? codec.isZero(bytes, index)
                : codec.open(page(at), stamp, first, second, bytes, index);
    }

    private void take(int which, ByteBuf bytes, int index) {
        long stamp = which == NEWEST ? seals.newest() : seals.before();
        if (which != ZEROS_OF_A_TRIM && stamp != SealedPages.ZERO_PAGE) {
            codec.takeOpened(bytes, index);
        }
    }

    @Override
    boolean fits(long at, ByteBuf bytes, int index, boolean open) {
        table.look(page(at), seals);
        int which = which(at, bytes, index);
        if (which != NOT_ITS_BYTES && seals.open() && !order.changing(at)) {
            // A write that has ended meanwhile has left another seal.
            table.look(page(at), seals);
            which = seals.open() ? NOT_ITS_BYTES : which(at, bytes, index);
        }
        if (which == NOT_ITS_BYTES) {
            return false;
        }
        if (open) {
            take(which, bytes, index);
        }
        return true;
    }

    @Override
    boolean surelyFits(long at, ByteBuf bytes, int index, boolean open) {
        table.look(page(at), seals);
        if (seals.open() || which(at, bytes, index) != NEWEST) {
            return false;
        }
        if (open) {
            take(NEWEST, bytes, index);
        }
        return true;
    }

    @Override
    boolean isWrong(long offset, ByteBuf bytes, int index) {
        return map.isWritten(offset) && rank(offset, bytes, index) == NOT_ITS_BYTES;
    }

    @Override
    int rank(long offset, ByteBuf bytes, int index) {
        table.look(page(offset), seals);
        return which(offset, bytes, index);
    }

    @Override
    boolean isUnsealed(long offset) {
        return false;
    }

    @Override
    boolean isOpen(long offset) {
        return table.open(page(offset));
    }

    @Override
    boolean begin(long offset, int length, ByteBuf bytes, int index) {
        long stamp = codec.draw(length / PAGE);
        for (int done = 0; done < length; done += PAGE, stamp++) {
            if (!begin(offset + done, stamp, bytes, index + done)) {
                undo(offset, done, bytes, index);
                return false;
            }
        }
        return true;
    }

    private boolean begin(long at, long stamp, ByteBuf bytes, int index) {
        Before before = map.isWritten(at) ? Before.KNOWN : map.isLost(at) ? Before.LOST : Before.BLANK;
        codec.seal(page(at), stamp, bytes, index);
        if (table.begin(page(at), stamp, codec.tagFirst(), codec.tagSecond(), before)) {
            return true;
        }
        closeFailed();
        boolean begun = table.begin(page(at), stamp, codec.tagFirst(), codec.tagSecond(), before);
        if (!begun) {
            boolean _ = codec.open(page(at), stamp, codec.tagFirst(), codec.tagSecond(), bytes, index);
            codec.takeOpened(bytes, index);
        }
        return begun;
    }

    /** Writes that have failed keep what their pages were before: their clients know that they failed. So there is room for others. */
    private void closeFailed() {
        table.forEachOpen(page -> {
            long at = page << Protocol.PAGE_SHIFT;
            // What a donor may still do late is not decided.
            if (!order.doubtful(at, PAGE) && order.beginAlone(at, 0)) {
                table.giveUpWrite(page);
                order.endAlone(at);
            }
        });
    }

    @Override
    void undo(long offset, int length, ByteBuf bytes, int index) {
        for (int done = 0; done < length; done += PAGE) {
            table.look(page(offset + done), seals);
            if (has(offset + done, seals.newest(), seals.newestFirst(), seals.newestSecond(), bytes, index + done)) {
                codec.takeOpened(bytes, index + done);
            } else {
                throw new IllegalStateException("the bytes of a write are not what was encrypted");
            }
        }
    }

    @Override
    void beginZeros(long offset, int length) {
        for (int done = 0; done < length; done += PAGE) {
            if (map.isWritten(offset + done)) {
                table.beginZeros(page(offset + done));
            } else {
                // It is zeros already, or lost: whatever it was before is not to come back.
                table.settleZeros(page(offset + done));
            }
        }
    }

    @Override
    void commit(long offset, int length) {
        for (int done = 0; done < length; done += PAGE) {
            table.commit(page(offset + done));
        }
    }

    @Override
    void settle(long offset, ByteBuf bytes, int index) {
        switch (rank(offset, bytes, index)) {
            case ZEROS_OF_A_TRIM -> table.settleZeros(page(offset));
            case NEWEST -> table.settle(page(offset), true);
            case BEFORE -> table.settle(page(offset), false);
            default -> {
                // It stays open: the next look decides.
            }
        }
    }

    @Override
    void openRanked(long offset, ByteBuf bytes, int index) {
        int which = rank(offset, bytes, index);
        if (which == NOT_ITS_BYTES) {
            throw new IllegalStateException("a page that was right is not");
        }
        take(which, bytes, index);
    }
}
