package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.WriteWatch;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * How one loop reads from donors. A part of a request is looked up and posted on its link in the turn in which it was decoded;
 * its completion runs in the turn in which the donor's reply arrives.
 *
 * <p><b>Lost pages.</b> NBD has no partial success. A request that covers a page that is lost fails as a whole, with the offset of
 * the first such page where the client understands that. Linux does not: its driver asks for simple replies. So when the kernel has
 * merged a read-ahead of eight pages into one request, and one of them is lost, it is told of one error for all eight. No
 * page is given wrong bytes, and each of the seven others can be read by itself.
 *
 * <p>For the loop's thread.
 */
public final class ReadPath {

    /** Direct memory that a loop with links to two donors or more takes for reads that are asked of two. */
    public static final int HEDGE_BYTES = HedgeBuffers.BYTES;

    private static final long AGAIN_MICROS = 100;

    /** A donor that owes answers for so long is passed over by reads while another has the page. */
    private static final long SILENT_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    /** After all copies were asked in vain, the next turn begins so much later. */
    private static final long ALL_SILENT_MILLIS = 100;

    /** In a request's tag: times that what came did not fit; below it, times that no answer came. */
    private static final int UNFIT = 1 << 16;

    /** So often a page is read again before all its copies are looked at. */
    private static final int TRIES = 2;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final SlabLosses losses;
    private final WriteOrder order;
    private final PageSeals seals;
    private final Mending mending;
    private final ReadChoice choice;
    private final LinkCompletion ended = this::ended;

    private final ReadBudget budget;
    private final HedgeFigures figures = new HedgeFigures();

    /** Null as long as there is nobody else to ask. */
    private @Nullable Hedging hedging;

    /** One loop's. On that loop. */
    public ReadPath(DeviceLoop loop, AddressMap map, SlabLosses losses, WriteOrder order, Mending mending) {
        this(loop, map, losses, order, mending, new ReadChoice(loop, SILENT_NANOS), new ReadBudget(ReadBudget.ONE_IN));
    }

    /** Likewise, with another choice and budget. */
    ReadPath(
            DeviceLoop loop,
            AddressMap map,
            SlabLosses losses,
            WriteOrder order,
            Mending mending,
            ReadChoice choice,
            ReadBudget budget) {
        this.loop = loop;
        this.map = map;
        this.losses = losses;
        this.order = order;
        seals = mending.seals();
        this.mending = mending;
        this.choice = choice;
        this.budget = budget;
        if (loop.links() > 1) {
            hedging = newHedging();
        }
    }

    private Hedging newHedging() {
        return new Hedging(loop, map, losses, order, seals, choice, budget, figures, new HedgeEnds());
    }

    /** What was asked of donors in addition. Any thread. */
    public HedgeCounts hedges() {
        return figures.counts();
    }

    /** Whether nothing is under way of what was asked for in addition, as far as it has a buffer. */
    boolean idle() {
        return hedging == null || hedging.idle();
    }

    /** Reads a range that lies in one slab and fits one frame. */
    public void read(ClientRequest client, long offset, int length, ByteBuf into, int index) {
        try {
            if (((offset | length) & (Protocol.PAGE_SIZE - 1)) != 0) {
                PartialRead.begin(this, client, offset, length, into, index);
            } else {
                begin(client, offset, length, into, index, null, 0);
            }
        } catch (RuntimeException | Error e) {
            client.fail(e);
        }
    }

    private void begin(
            ClientRequest client,
            long offset,
            int length,
            ByteBuf into,
            int index,
            @Nullable Member failed,
            int attempts) {
        int slab = map.slabOf(offset);
        // In this order: AddressMap.placement says why.
        Placement placement = map.placement(slab);
        boolean written = map.anyWritten(offset, length);
        boolean lost = map.damaged(slab) && map.anyLost(offset, length);
        if (written && !lost && placement != null) {
            post(client, placement, choice.choose(placement, failed), offset, length, into, index, attempts);
        } else if (!loop.lease().valid(client.startNanos())) {
            loop.lease().ask(client, () -> read(client, offset, length, into, index));
        } else if (lost) {
            client.failAt(NbdError.EIO, map.firstLost(offset, length));
        } else if (map.blank(offset, length)) {
            into.setZero(index, length);
        } else if (loop.expired(client)) {
            client.failAt(NbdError.EIO, offset);
        } else {
            // It has changed under our eyes.
            loop.partLater(
                    client, () -> read(client, offset, length, into, index), AGAIN_MICROS, TimeUnit.MICROSECONDS);
        }
    }

    private void post(
            ClientRequest client,
            Placement placement,
            Member from,
            long offset,
            int length,
            ByteBuf into,
            int index,
            int attempts) {
        client.addPart();
        LinkRequest request = loop.newRequest();
        request.about(Operation.READ, from, offset, map.within(offset), length);
        request.buffer = into;
        request.bufferIndex = index;
        request.startNanos = client.startNanos();
        request.deadlineNanos = loop.deadline(client);
        request.completion = ended;
        request.attachment = client;
        request.tag = attempts;
        request.stamp = seals.kept() ? order.stamp(offset, length) : WriteWatch.BUSY;
        // One that was asked again has had others, and goes on until its client's deadline.
        request.spare = placement.live() > 1 || attempts % UNFIT > 0;
        choice.begun(from);
        if (placement.live() == 1) {
            loop.post(request, from.donor());
            return;
        }
        Hedging hedges = hedging;
        if (hedges == null) {
            // A second donor was added since.
            hedges = newHedging();
            hedging = hedges;
        }
        Member probe = choice.probe();
        long deadline = request.deadlineNanos;
        hedges.watch(request, placement, from);
        loop.post(request, from.donor());
        if (probe != null) {
            hedges.probe(probe, offset, length, deadline);
        }
    }

    private void ended(LinkRequest request, long now) {
        Member where = request.where;
        if (where != null) {
            long took = request.outcome == LinkRequest.Outcome.OK ? now - request.postNanos : -1;
            choice.ended(where, request.length, took, request.late, now);
        }
        Hedging hedges = hedging;
        if (hedges != null) {
            hedges.unwatch(request);
            if (hedges.firstEnded(request)) {
                return;
            }
        }
        endedAlone(request, now);
    }

    private void endedAlone(LinkRequest request, long now) {
        ClientRequest client = DeviceLoop.clientOf(request);
        try {
            switch (request.outcome) {
                case OK -> arrived(request, client, now);
                case LOST -> lost(request, client);
                case FENCED -> {
                    loop.release(request);
                    loop.endFenced(client);
                    return;
                }
                case UNREACHABLE -> unreachable(request, client);
                case NO_SPACE, STALE, REFUSED -> client.failAt(NbdError.EIO, request.position);
            }
        } catch (RuntimeException | Error e) {
            client.fail(e);
        }
        loop.release(request);
        client.endPart(now);
    }

    private void arrived(LinkRequest request, ClientRequest client, long now) {
        loop.done(client, request, now);
        ByteBuf into = request.buffer;
        if (into == null) {
            client.failAt(NbdError.EIO, request.position);
            return;
        }
        long end = request.position + request.length;
        long at = seals.open(request.position, request.length, into, request.bufferIndex);
        if (at == end) {
            return;
        }
        while (at < end) {
            int index = request.bufferIndex + (int) (at - request.position);
            unfit(request, client, at, into, index);
            at += Protocol.PAGE_SIZE;
            at = seals.open(at, (int) (end - at), into, index + Protocol.PAGE_SIZE);
        }
        loop.flush();
    }

    /** A page is not what it should be: docs/seals.md, rules 8 and 9. */
    private void unfit(LinkRequest request, ClientRequest client, long at, ByteBuf into, int index) {
        int tries = request.tag / UNFIT;
        Member from = request.where;
        boolean open = seals.isOpen(at);
        boolean counts = count(request, at, into, index);
        if ((open && !order.changing(at)) || tries == TRIES) {
            mending.decide(client, at, into, index, counts, this);
            return;
        }
        lookBehindTheBack(at, counts);
        begin(client, at, Protocol.PAGE_SIZE, into, index, from, (tries + 1) * UNFIT);
    }

    /** Whether a page that does not fit is the donor's fault; counts it then. */
    private boolean count(LinkRequest request, long at, ByteBuf into, int index) {
        // In this order: what is wrong was so while no write was near.
        boolean counts = request.stamp != WriteWatch.BUSY
                && seals.isWrong(at, into, index)
                && order.undisturbed(request.position, request.length, request.stamp);
        if (counts) {
            mending.countUnfit(request.where, at);
        }
        return counts;
    }

    private void lookBehindTheBack(long at, boolean counted) {
        Placement now = map.placement(map.slabOf(at));
        if (now != null && now.live() > 1 && (counted || order.doubtful(at, Protocol.PAGE_SIZE))) {
            mending.behindTheBack(at, counted);
        }
    }

    /** What a hedge needs of this path. */
    private final class HedgeEnds implements Hedging.Ends {

        @Override
        public LinkCompletion completion() {
            return ended;
        }

        @Override
        public void unfit(LinkRequest request) {
            ByteBuf into = request.data();
            long end = request.position + request.length;
            long at = seals.firstUnfit(request.position, request.length, into, request.bufferIndex);
            while (at < end) {
                int index = request.bufferIndex + (int) (at - request.position);
                lookBehindTheBack(at, count(request, at, into, index));
                at += Protocol.PAGE_SIZE;
                at = seals.firstUnfit(at, (int) (end - at), into, index + Protocol.PAGE_SIZE);
            }
        }

        @Override
        public void ended(LinkRequest request, long now) {
            endedAlone(request, now);
        }
    }

    /** The slab went while the read was under way: where the pages are now, or that they are lost, the map knows. */
    private void lost(LinkRequest request, ClientRequest client) {
        Member where = request.where;
        ByteBuf into = request.buffer;
        if (where == null || into == null || loop.expired(client)) {
            client.failAt(NbdError.EIO, request.position);
            return;
        }
        losses.takenBack(map.slabOf(request.position), where);
        begin(client, request.position, request.length, into, request.bufferIndex, null, request.tag);
        loop.flush();
    }

    /** The donor does not answer: the other copies are asked, in turns, for as long as the read may take. */
    private void unreachable(LinkRequest request, ClientRequest client) {
        Member where = request.where;
        ByteBuf into = request.buffer;
        if (where == null || into == null || !request.spare || loop.expired(client)) {
            client.failAt(NbdError.EIO, request.position);
            return;
        }
        long position = request.position;
        int length = request.length;
        int index = request.bufferIndex;
        int attempts = request.tag + 1;
        Placement now = map.placement(map.slabOf(position));
        if (now != null && attempts % UNFIT < now.live() + (now.has(where) ? 0 : 1)) {
            begin(client, position, length, into, index, where, attempts);
            loop.flush();
        } else if (now != null && allDown(now)) {
            client.failAt(NbdError.EIO, position);
        } else {
            loop.partLater(
                    client,
                    () -> begin(client, position, length, into, index, where, attempts - attempts % UNFIT),
                    ALL_SILENT_MILLIS,
                    TimeUnit.MILLISECONDS);
        }
    }

    private boolean allDown(Placement at) {
        for (int i = 0; i < at.live(); i++) {
            if (!loop.isDown(at.member(i).donor())) {
                return false;
            }
        }
        return true;
    }

    /** Where a page's bytes are to be had, if a donor has them. */
    public @Nullable Member holderOf(long offset) {
        int slab = map.slabOf(offset);
        Placement placement = map.placement(slab);
        if (placement == null || !map.anyWritten(offset, Protocol.PAGE_SIZE)) {
            return null;
        }
        boolean lost = map.damaged(slab) && map.anyLost(offset, Protocol.PAGE_SIZE);
        return lost ? null : choice.choose(placement, null);
    }

    /**
     * The end of the largest part that begins at {@code offset}: no further than the slab, the limit and {@code end}. Parts end
     * where pages do, so that a page is never changed by two parts of one write, and thus by two writes of one version.
     */
    public static long endOfPart(AddressMap map, long offset, long end, int limit) {
        long slabEnd = (offset | (map.slabSize() - 1)) + 1;
        return Math.min(Math.min(slabEnd, end), (offset + limit) & -Protocol.PAGE_SIZE);
    }
}
