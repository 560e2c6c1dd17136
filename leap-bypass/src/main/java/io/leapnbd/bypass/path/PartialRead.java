package io.leapnbd.bypass.path;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.nbd.spi.Completion;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;

/**
 * A read that does not begin and end where pages do: reads these pages whole, since a part has no seal, and gives its client what it asked
 * for. Swapping has none. For the loop's thread.
 */
final class PartialRead implements Completion {

    private final ClientRequest client;
    private final ByteBuf pages;
    private final int skipped;
    private final int length;
    private final ByteBuf into;
    private final int index;

    private PartialRead(ClientRequest client, ByteBuf pages, int skipped, int length, ByteBuf into, int index) {
        this.client = client;
        this.pages = pages;
        this.skipped = skipped;
        this.length = length;
        this.into = into;
        this.index = index;
    }

    /** Reads, as one more part of the client's request. */
    static void begin(ReadPath reads, ClientRequest client, long offset, int length, ByteBuf into, int index) {
        long from = offset & -Protocol.PAGE_SIZE;
        int bytes = (int) (((offset + length + Protocol.PAGE_SIZE - 1) & -Protocol.PAGE_SIZE) - from);
        ByteBuf pages = Unpooled.directBuffer(bytes, bytes);
        client.addPart();
        ClientRequest whole = client.loop.begin(
                Operation.READ,
                client.startNanos(),
                new PartialRead(client, pages, (int) (offset - from), length, into, index));
        reads.read(whole, from, bytes, pages, 0);
        whole.endSplitting();
    }

    @Override
    public void complete(int error) {
        if (error == 0) {
            into.setBytes(index, pages, skipped, length);
        } else {
            client.fail(error);
        }
        end();
    }

    @Override
    public void completeAt(int error, long offset) {
        client.failAt(error, offset);
        end();
    }

    private void end() {
        pages.release();
        client.endPart();
    }
}
