package io.leapnbd.bypass.path;

import io.leapnbd.bypass.latency.Operation;
import io.netty.buffer.ByteBuf;

/** A read that does not begin and end where pages do: gives its client a part of what it reads. Swapping has none. For the loop's thread. */
final class PartialRead extends WholePages {

    private final int skipped;
    private final int length;
    private final ByteBuf into;
    private final int index;

    private PartialRead(ClientRequest outer, long offset, int length, ByteBuf into, int index) {
        super(outer, offset, length);
        skipped = (int) (offset - firstPage);
        this.length = length;
        this.into = into;
        this.index = index;
    }

    /** Reads, as one more part of the client's request. */
    static void begin(ReadPath reads, ClientRequest outer, long offset, int length, ByteBuf into, int index) {
        PartialRead read = new PartialRead(outer, offset, length, into, index);
        ClientRequest whole = outer.loop.begin(Operation.READ, outer.startNanos(), read);
        reads.read(whole, read.firstPage, read.pages.capacity(), read.pages, 0);
        whole.endSplitting();
    }

    @Override
    void done() {
        into.setBytes(index, pages, skipped, length);
    }
}
