package io.leapnbd.bypass.path;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;

/**
 * A write that does not begin and end where pages do. When it has its turn, so that nobody else changes these pages, it reads what it does not
 * write of the first and the last one, and then writes all of them whole (docs/seals.md, rule 6). Swapping has none. For the loop's thread.
 */
final class PartialWrite extends WholePages {

    private static final int LOOKS = 3;

    private final WritePath writes;
    private final ClientRequest client;
    private final long offset;
    private final int length;
    private final ByteBuf from;
    private final int index;

    private PartialWrite(WritePath writes, ClientRequest outer, long offset, int length, ByteBuf from, int index) {
        super(outer, offset, length);
        this.writes = writes;
        this.offset = offset;
        this.length = length;
        this.from = from;
        this.index = index;
        client = outer.loop.begin(Operation.WRITE, outer.startNanos(), this);
    }

    /** Writes, as one more part of a client's request. */
    static void begin(WritePath writes, ClientRequest outer, long offset, int length, ByteBuf from, int index) {
        PartialWrite write = new PartialWrite(writes, outer, offset, length, from, index);
        try {
            write.begin();
        } catch (RuntimeException | Error e) {
            write.client.fail(e);
        }
        write.client.endSplitting();
    }

    /** Begins, or does it all again because the slab was lost meanwhile. */
    void begin() {
        writes.begin(client, offset, length, from, index, this, ChangePath.NO_TICKET);
    }

    /** It has its turn. */
    void merge(Placement at) {
        client.addPart();
        writes.guarded(this::fail, () -> edge(at, firstPage, 1));
    }

    /** Reads one page of which it writes a part; then the next one, then writes. */
    private void edge(Placement at, long page, int looks) {
        long end = offset + length;
        boolean whole = page >= offset && page + PAGE <= end;
        if (page >= end) {
            write(at);
        } else if (whole) {
            // Those in the middle are.
            edge(at, Math.max(page + PAGE, (end - 1) & -PAGE), 1);
        } else if (writes.map.isWritten(page)) {
            writes.mending.look(
                    at,
                    page,
                    writes.loop.deadline(client),
                    copies -> writes.guarded(this::fail, () -> looked(copies, at, page, looks)));
        } else if (writes.map.blank(page, PAGE)) {
            pages.setZero((int) (page - firstPage), PAGE);
            edge(at, page + PAGE, 1);
        } else {
            again();
        }
    }

    private void looked(PageCopies copies, Placement at, long page, int looks) {
        try {
            if (copies.fenced()) {
                writes.order.end(offset, length);
                writes.loop.endFenced(client);
                return;
            }
            if (copies.found()) {
                int place = (int) (page - firstPage);
                pages.setBytes(place, copies.bytes(), copies.rightIndex(), PAGE);
                writes.seals.openRanked(page, pages, place);
            }
            writes.mending.countUnfit(copies, page);
        } finally {
            copies.bytes().release();
        }
        if (copies.found()) {
            edge(at, page + PAGE, 1);
        } else if (writes.map.placement(writes.map.slabOf(offset)) != at) {
            again();
        } else if (looks < LOOKS) {
            edge(at, page, looks + 1);
        } else {
            fail();
        }
    }

    private void write(Placement at) {
        pages.setBytes((int) (offset - firstPage), from, index, length);
        try {
            writes.sendWhole(client, at, firstPage, pages.capacity(), pages, 0, this);
            writes.loop.flush();
        } catch (RuntimeException | Error e) {
            // Its turn was given back there.
            client.fail(e);
        }
        client.endPart();
    }

    /** What is known of the pages has changed: it gives its turn back, and waits for another one. */
    private void again() {
        writes.order.end(offset, length);
        writes.awaitTurn(
                client,
                offset,
                length,
                ChangePath.NO_TICKET,
                ticket -> writes.begin(client, offset, length, from, index, this, ticket));
        client.endPart();
    }

    private void fail() {
        writes.order.end(offset, length);
        client.failAt(NbdError.EIO, offset);
        client.endPart();
    }
}
