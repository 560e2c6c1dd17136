package io.leapnbd.bypass.path;

import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.nbd.spi.Completion;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;

/**
 * A request about parts of pages that is done by one about these pages whole, since a part has no seal. One more part of its client's request. For the
 * loop's thread.
 */
abstract class WholePages implements Completion {

    static final int PAGE = Protocol.PAGE_SIZE;

    final ClientRequest outer;

    /** Where they begin. */
    final long firstPage;

    /** Room for all of them, as long as this lasts. */
    final ByteBuf pages;

    WholePages(ClientRequest outer, long offset, int length) {
        this.outer = outer;
        firstPage = offset & -PAGE;
        int bytes = (int) (((offset + length + PAGE - 1) & -PAGE) - firstPage);
        pages = Unpooled.directBuffer(bytes, bytes);
        outer.addPart();
    }

    /** The one about whole pages has ended well. */
    void done() {}

    @Override
    public final void complete(int error) {
        if (error == 0) {
            done();
        } else {
            outer.fail(error);
        }
        end();
    }

    @Override
    public final void completeAt(int error, long offset) {
        outer.failAt(error, offset);
        end();
    }

    private void end() {
        pages.release();
        outer.endPart();
    }
}
