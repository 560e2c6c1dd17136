package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;

/** How one loop writes to donors; for its thread. */
public final class WritePath extends ChangePath {

    /** One loop's. */
    public WritePath(
            DeviceLoop loop,
            AddressMap map,
            SlabLosses losses,
            WriteOrder order,
            Versions versions,
            SlabAllocator allocator) {
        super(loop, map, losses, order, versions, allocator);
    }

    /** Writes a range that lies in one slab and fits one frame. */
    public void write(ClientRequest client, long offset, int length, ByteBuf from, int index) {
        try {
            begin(client, offset, length, from, index, NO_TICKET);
        } catch (RuntimeException | Error e) {
            client.fail(e);
        }
    }

    private void begin(ClientRequest client, long offset, int length, ByteBuf from, int index, long ticket) {
        int slab = map.slabOf(offset);
        Placement placement = map.placement(slab);
        if (map.damaged(slab) && map.partlyLost(offset, length)) {
            order.forget(offset, length, ticket);
            client.failAt(NbdError.EIO, map.firstLost(offset, length));
            return;
        }
        if (placement == null) {
            order.forget(offset, length, ticket);
            loop.waits()
                    .whenMapped(allocator, slab, client, () -> begin(client, offset, length, from, index, NO_TICKET));
            return;
        }
        if (!order.begin(offset, length, ticket)) {
            awaitTurn(client, offset, length, ticket, later -> begin(client, offset, length, from, index, later));
            return;
        }
        Member where = placement.primary();
        LinkRequest request;
        try {
            map.markWritten(offset, length);
            request = request(client, Operation.WRITE, where, offset, length);
        } catch (RuntimeException | Error e) {
            order.end(offset, length);
            throw e;
        }
        request.buffer = from;
        request.bufferIndex = index;
        loop.post(request, where.donor());
    }

    @Override
    boolean applied(LinkRequest request, Member where) {
        int slab = map.slabOf(request.position);
        return map.damaged(slab)
                ? map.markHealed(slab, where, request.position, request.length)
                : map.isAt(slab, where);
    }

    @Override
    void again(LinkRequest request, ClientRequest client) {
        ByteBuf from = request.buffer;
        if (from == null) {
            throw new IllegalStateException("a write without its bytes");
        }
        begin(client, request.position, request.length, from, request.bufferIndex, NO_TICKET);
    }
}
