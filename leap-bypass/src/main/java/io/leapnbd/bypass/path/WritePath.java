package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** How one loop writes to donors; for its thread. */
public final class WritePath extends ChangePath {

    final Mending mending;

    /** One loop's. */
    public WritePath(
            DeviceLoop loop,
            AddressMap map,
            SlabLosses losses,
            WriteOrder order,
            Versions versions,
            SlabAllocator allocator,
            PlacementChanges placing,
            Mending mending) {
        super(loop, map, losses, order, versions, allocator, placing, mending.seals());
        this.mending = mending;
    }

    /** Writes a range that lies in one slab and fits one frame. */
    public void write(ClientRequest client, long offset, int length, ByteBuf from, int index) {
        try {
            if (((offset | length) & (Protocol.PAGE_SIZE - 1)) != 0) {
                PartialWrite.begin(this, client, offset, length, from, index);
            } else {
                begin(client, offset, length, from, index, null, NO_TICKET);
            }
        } catch (RuntimeException | Error e) {
            client.fail(e);
        }
    }

    /**
     * Waits for its turn, and writes.
     *
     * @param partial told of its turn instead, if it writes parts of pages
     */
    void begin(
            ClientRequest client,
            long offset,
            int length,
            ByteBuf from,
            int index,
            @Nullable PartialWrite partial,
            long ticket) {
        int slab = map.slabOf(offset);
        boolean placed = map.placement(slab) != null;
        if (map.damaged(slab) && map.partlyLost(offset, length)) {
            order.forget(offset, length, ticket);
            client.failAt(NbdError.EIO, map.firstLost(offset, length));
            return;
        }
        if (!placed) {
            order.forget(offset, length, ticket);
            loop.waits()
                    .whenMapped(
                            allocator,
                            slab,
                            client,
                            () -> begin(client, offset, length, from, index, partial, NO_TICKET));
            return;
        }
        if (!order.begin(offset, length, ticket)) {
            awaitTurn(
                    client,
                    offset,
                    length,
                    ticket,
                    later -> begin(client, offset, length, from, index, partial, later));
            return;
        }
        // Looked at now that whoever adds a copy waits for this write's end.
        Placement placement = map.placement(slab);
        if (placement == null) {
            order.end(offset, length);
            awaitTurn(
                    client,
                    offset,
                    length,
                    NO_TICKET,
                    later -> begin(client, offset, length, from, index, partial, later));
        } else if (partial != null) {
            partial.merge(placement);
        } else {
            sendWhole(client, placement, offset, length, from, index, null);
        }
    }

    /** Sends whole pages, which have their turn. */
    void sendWhole(
            ClientRequest client,
            Placement placement,
            long offset,
            int length,
            ByteBuf from,
            int index,
            @Nullable PartialWrite partial) {
        try {
            // First: it has to know which pages are blank.
            if (!seals.begin(offset, length, from, index)) {
                order.end(offset, length);
                noRoom(client, offset, length, from, index, partial);
                return;
            }
            map.markWritten(offset, length);
        } catch (RuntimeException | Error e) {
            order.end(offset, length);
            throw e;
        }
        send(client, Operation.WRITE, placement, offset, length, from, index, 0, partial);
    }

    /** {@inheritDoc} If the slab was lost meanwhile, the pages are called lost, not written. */
    @Override
    void continues(Change change) {
        map.markWritten(change.position, change.length);
    }

    /** Others have to end first. The bytes are the client's again. */
    private void noRoom(
            ClientRequest client, long offset, int length, ByteBuf from, int index, @Nullable PartialWrite partial) {
        if (partial != null) {
            client.fail(NbdError.EIO);
        } else {
            awaitTurn(
                    client,
                    offset,
                    length,
                    NO_TICKET,
                    later -> begin(client, offset, length, from, index, null, later));
        }
    }

    @Override
    void undo(Change change) {
        ByteBuf from = change.buffer;
        if (from != null) {
            seals.undo(change.position, change.length, from, change.bufferIndex);
        }
    }

    @Override
    boolean applied(Change change) {
        return true;
    }

    @Override
    void again(Change change) {
        ByteBuf from = change.buffer;
        if (from == null) {
            throw new IllegalStateException("a write without its bytes");
        }
        PartialWrite partial = change.whole;
        if (partial != null) {
            // What is around it may have changed: it has no turn any more.
            partial.begin();
        } else {
            begin(change.client(), change.position, change.length, from, change.bufferIndex, null, NO_TICKET);
        }
    }
}
