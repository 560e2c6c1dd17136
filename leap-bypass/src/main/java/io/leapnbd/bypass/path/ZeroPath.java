package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;

/** How one loop makes pages read as zeros; for its thread. */
public final class ZeroPath extends ChangePath {

    private static final int PAGE = Protocol.PAGE_SIZE;

    /** In {@link Change#tag}: the range has to be zeros also where pages are covered in part. */
    private static final int EXACT = 1;

    /** In {@link Change#tag}: the slab has to have memory afterwards. */
    private static final int ALLOCATE = 2;

    private final WritePath writes;
    private final ByteBuf zeros = Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(PAGE));

    /**
     * One loop's.
     *
     * @param writes for zeros in a part of a page
     */
    public ZeroPath(
            DeviceLoop loop,
            AddressMap map,
            SlabLosses losses,
            WriteOrder order,
            Versions versions,
            SlabAllocator allocator,
            PlacementChanges placing,
            WritePath writes) {
        super(loop, map, losses, order, versions, allocator, placing, writes.seals);
        this.writes = writes;
    }

    /** Whether a range of one slab is blank because its slab is nowhere; costs no more than the look at its bits. */
    public boolean unmappedAndBlank(long offset, int length) {
        int slab = map.slabOf(offset);
        return map.placement(slab) == null && !map.anyWritten(offset, length) && !map.damaged(slab);
    }

    /**
     * Makes a range that lies in one slab read as zeros.
     *
     * @param allocate whether the slab has to have memory afterwards
     * @param exact whether pages covered in part must become zeros in that part, so that it is an error if they are lost. Otherwise lost
     *     ones stay as they are
     */
    public void zero(ClientRequest client, long offset, int length, boolean allocate, boolean exact) {
        try {
            int how = (allocate ? ALLOCATE : 0) | (exact ? EXACT : 0);
            long end = offset + length;
            long first = (offset + PAGE - 1) & -PAGE;
            long last = end & -PAGE;
            if (first < last) {
                begin(client, first, (int) (last - first), how, NO_TICKET);
            }
            if (offset < first && (exact || !map.isLost(offset))) {
                begin(client, offset, (int) (Math.min(first, end) - offset), how, NO_TICKET);
            }
            if (last < end && last >= first && (exact || !map.isLost(last))) {
                begin(client, last, (int) (end - last), how, NO_TICKET);
            }
        } catch (RuntimeException | Error e) {
            client.fail(e);
        }
    }

    private void begin(ClientRequest client, long offset, int length, int how, long ticket) {
        int slab = map.slabOf(offset);
        Placement placement = map.placement(slab);
        boolean atDonor = atDonor(slab, offset, length);
        if ((how & EXACT) != 0 && map.damaged(slab) && map.partlyLost(offset, length)) {
            order.forget(offset, length, ticket);
            client.failAt(NbdError.EIO, map.firstLost(offset, length));
            return;
        }
        if ((placement == null || !atDonor) && !loop.lease().valid(client.startNanos())) {
            // No donor will be asked, so one has to say first that this server is the one to answer.
            order.forget(offset, length, ticket);
            loop.lease().ask(client, () -> begin(client, offset, length, how, NO_TICKET));
            return;
        }
        if (placement == null) {
            unmapped(slab, client, offset, length, how, ticket);
            return;
        }
        if (!order.begin(offset, length, ticket)) {
            awaitTurn(client, offset, length, ticket, later -> begin(client, offset, length, how, later));
            return;
        }
        // Looked at now that whoever adds a copy waits for this trim's end.
        Placement at = map.placement(slab);
        if (at != null && atDonor(slab, offset, length)) {
            if (length < PAGE) {
                // A part of a page: the rest has to be known for its seal.
                order.end(offset, length);
                writes.write(client, offset, length, zeros, 0);
            } else {
                sendWhole(client, at, offset, length, how);
            }
            return;
        }
        // What is neither marked as written nor as lost is zeros at its donors.
        boolean still;
        try {
            still = at != null && map.placement(slab) == at && !atDonor(slab, offset, length);
        } finally {
            order.end(offset, length);
        }
        if (still) {
            note(slab, how);
        } else {
            awaitTurn(client, offset, length, NO_TICKET, later -> begin(client, offset, length, how, later));
        }
    }

    /** Takes note of a slab that may be blank, or has to keep its memory all the same. */
    private void note(int slab, int how) {
        if ((how & ALLOCATE) == 0) {
            allocator.trimmed().add(slab);
        } else {
            allocator.trimmed().remove(slab);
        }
    }

    private void sendWhole(ClientRequest client, Placement at, long offset, int length, int how) {
        try {
            seals.beginZeros(offset, length);
        } catch (RuntimeException | Error e) {
            order.end(offset, length);
            throw e;
        }
        send(client, Operation.TRIM, at, offset, length, null, 0, how, null);
    }

    /** Whether the donor has to be told: it may hold bytes, or a mark that they are lost. */
    private boolean atDonor(int slab, long offset, int length) {
        return map.anyWritten(offset, length) || (map.damaged(slab) && map.anyLost(offset, length));
    }

    private void unmapped(int slab, ClientRequest client, long offset, int length, int how, long ticket) {
        boolean done = order.whileNothingIsWritten(offset, length, Long.MAX_VALUE, ticket, map::markBlankIfNowhere);
        if (!done) {
            awaitTurn(client, offset, length, ticket, later -> begin(client, offset, length, how, later));
        } else if ((how & ALLOCATE) != 0) {
            note(slab, how);
            loop.waits().whenMapped(allocator, slab, client, () -> {});
        }
    }

    @Override
    void undo(Change change) {
        // There are no bytes.
    }

    @Override
    void continues(Change change) {
        // Nothing is called blank before all copies are.
    }

    /**
     * {@inheritDoc} Pages are called blank now, not before: only when their donor does, whatever becomes of the request. Where newer
     * writes are on their way they stay marked as written, which costs a fetch of zeros.
     */
    @Override
    boolean applied(Change change) {
        boolean _ = order.whileNothingIsWritten(change.position, change.length, change.version, (offset, length) -> {
            map.markBlank(offset, length);
            return true;
        });
        note(map.slabOf(change.position), change.tag);
        // If the slab was lost before they were called blank, they are called lost, and have to be healed.
        Placement now = map.placement(map.slabOf(change.position));
        if (now == null) {
            return false;
        }
        for (int i = 0; i < now.size(); i++) {
            if (change.asked().has(now.member(i))) {
                return true;
            }
        }
        return false;
    }

    @Override
    void again(Change change) {
        begin(change.client(), change.position, change.length, change.tag, NO_TICKET);
    }
}
