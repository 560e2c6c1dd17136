package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.link.WriteWatch;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.loop.LoopAlarm;
import io.leapnbd.donor.protocol.Operation;
import java.util.ArrayDeque;

/**
 * Asks a second copy for what a client reads if the first one takes long, and takes the answer that is right first (docs/replicas.md, "Reads").
 *
 * <p><b>Buffers.</b> The first request writes where the client's reply is sent from, as if there were no hedge. The second one has a buffer of the loop's, and what it brings is
 * copied. When one has won, the other one is <i>called off</i>: from then on its answer goes to a place that nobody reads. That is possible as long as only this loop's
 * thread writes what a request brings, at the time when it comes ({@link io.leapnbd.bypass.link.DonorLink#onlyThisLoopWrites}). A read of which that is not so is not hedged. If it ceases to be so
 * meanwhile, the hedge cannot win.
 *
 * <p>For the loop's thread. A read that is not late costs an entry in a list.
 */
final class Hedging {

    private final DeviceLoop loop;
    private final AddressMap map;
    private final SlabLosses losses;
    private final WriteOrder order;
    private final PageSeals seals;
    private final ReadChoice choice;
    private final ReadBudget budget;
    private final Ends ends;
    private final HedgeFigures figures;
    private final HedgeBuffers buffers = new HedgeBuffers();
    private final ArrayDeque<Hedge> free = new ArrayDeque<>();
    private final ReadsUnderWay[] underWay = new ReadsUnderWay[HedgeBuffers.classes()];
    private final LinkCompletion secondEnded = this::secondEnded;
    private final LinkCompletion probeEnded = this::probeEnded;
    private final OverdueAlarm alarm;

    /** What becomes of a read that has one request. */
    interface Ends {

        /** The completion of the first request, by which it is known that nobody else has the request. */
        LinkCompletion completion();

        /** An answer has come that is not what is to be read, and another one is awaited: takes note of the pages that do not fit. */
        void unfit(LinkRequest request);

        /** The request has ended, and what it says counts. */
        void ended(LinkRequest request, long now);
    }

    /** For one loop with links to two donors or more. */
    Hedging(
            DeviceLoop loop,
            AddressMap map,
            SlabLosses losses,
            WriteOrder order,
            PageSeals seals,
            ReadChoice choice,
            ReadBudget budget,
            HedgeFigures figures,
            Ends ends) {
        this.loop = loop;
        this.map = map;
        this.losses = losses;
        this.order = order;
        this.seals = seals;
        this.choice = choice;
        this.budget = budget;
        this.figures = figures;
        this.ends = ends;
        for (int i = 0; i < underWay.length; i++) {
            underWay[i] = new ReadsUnderWay();
        }
        alarm = new OverdueAlarm(loop, this::dueNanos, this::ring);
    }

    /** A read of a placement with several live copies is about to be posted. */
    void watch(LinkRequest read, Placement placement, Member from) {
        if (read.length > HedgeBuffers.LONGEST) {
            return;
        }
        if (read.tag == 0) {
            budget.earn();
        }
        read.calledOffAnyTime = true;
        long patience = choice.patience(placement, from, read.length);
        if (patience != ReadChoice.FOREVER) {
            read.dueNanos = loop.now() + patience;
            underWay[HedgeBuffers.classOf(read.length)].add(read);
            alarm.added(read.dueNanos);
        }
    }

    /** A read has ended: it is watched no more. */
    void unwatch(LinkRequest read) {
        if (read.inDueList) {
            underWay[HedgeBuffers.classOf(read.length)].remove(read);
        }
    }

    /** When the first read has taken too long; {@link LoopAlarm#NEVER} if none is watched. */
    private long dueNanos() {
        long due = LoopAlarm.NEVER;
        for (ReadsUnderWay reads : underWay) {
            LinkRequest first = reads.first();
            if (first != null && (due == LoopAlarm.NEVER || first.dueNanos - due < 0)) {
                due = first.dueNanos;
            }
        }
        return due;
    }

    private void ring(long now) {
        for (ReadsUnderWay reads : underWay) {
            for (LinkRequest first = reads.first(); first != null && now - first.dueNanos >= 0; first = reads.first()) {
                reads.remove(first);
                late(first);
                Member from = first.where;
                if (first.late && from != null && choice.standsStillSince(from, first.postNanos)) {
                    allLate(from);
                }
            }
        }
        loop.flush();
    }

    /** A donor stands still: what else it was asked for will be late too, and need not wait to be. As far as more can be asked for. */
    private void allLate(Member from) {
        for (ReadsUnderWay reads : underWay) {
            LinkRequest next = reads.first();
            while (next != null && budget.any()) {
                LinkRequest read = next;
                next = read.dueAfter;
                Member where = read.where;
                if (where != null && where.donor() == from.donor() && buffers.any(read.length)) {
                    reads.remove(read);
                    late(read);
                }
            }
        }
    }

    private void late(LinkRequest read) {
        Member from = read.where;
        if (from == null || !read.completion.equals(ends.completion())) {
            // Another loop's link has it, or a link has failed to take it.
            return;
        }
        read.late = true;
        choice.late(from);
        Placement placement = map.placement(map.slabOf(read.position));
        Member other = placement == null ? null : choice.other(placement, from);
        if (other == null || !loop.link(from.donor()).onlyThisLoopWrites(read)) {
            return;
        }
        int buffer = buffers.take(read.length);
        if (buffer == HedgeBuffers.NONE) {
            figures.countWithheld();
        } else if (!budget.take()) {
            buffers.give(buffer);
            figures.countWithheld();
        } else {
            ask(read, other, buffer);
        }
    }

    private void ask(LinkRequest first, Member other, int buffer) {
        LinkRequest second = request(other, first.position, first.length, first.deadlineNanos);
        second.buffer = buffers.get(buffer);
        second.startNanos = first.startNanos;
        second.completion = secondEnded;
        second.tag = first.tag;
        second.stamp = seals.kept() ? order.stamp(first.position, first.length) : WriteWatch.BUSY;
        Hedge hedge = free.pollLast();
        if (hedge == null) {
            hedge = new Hedge();
        }
        hedge.begin(first, second, buffer);
        first.pair = hedge;
        second.pair = hedge;
        figures.countSent();
        loop.post(second, other.donor());
    }

    private LinkRequest request(Member at, long position, int length, long deadlineNanos) {
        LinkRequest request = loop.newRequest();
        request.about(Operation.READ, at, position, map.within(position), length);
        request.bufferIndex = 0;
        request.deadlineNanos = deadlineNanos;
        request.spare = true;
        request.calledOffAnyTime = true;
        choice.begun(at);
        return request;
    }

    /** Asks a slow donor for what a client reads elsewhere, to see how long it takes. */
    void probe(Member slow, long position, int length, long deadlineNanos) {
        if (length <= HedgeBuffers.LONGEST && budget.take()) {
            LinkRequest probe = request(slow, position, length, deadlineNanos);
            probe.buffer = buffers.unwanted();
            probe.startNanos = loop.now();
            probe.completion = probeEnded;
            figures.countProbe();
            loop.post(probe, slow.donor());
        }
    }

    private void probeEnded(LinkRequest probe, long now) {
        noteEnd(probe, now);
        Member slow = probe.where;
        if (slow != null && probe.outcome == Outcome.OK) {
            choice.probed(slow, now - probe.postNanos);
        }
        noteLoss(probe);
        loop.release(probe);
    }

    private void noteEnd(LinkRequest request, long now) {
        Member where = request.where;
        if (where != null) {
            long took = request.outcome == Outcome.OK ? now - request.postNanos : -1;
            choice.ended(where, request.length, took, request.late, now);
        }
    }

    private void noteLoss(LinkRequest request) {
        Member where = request.where;
        if (request.outcome == Outcome.LOST && where != null) {
            losses.takenBack(map.slabOf(request.position), where);
        }
    }

    /**
     * The first request of a read has ended.
     *
     * @return whether that is all; otherwise what it says counts
     */
    boolean firstEnded(LinkRequest first) {
        Hedge hedge = (Hedge) first.pair;
        if (hedge == null) {
            return false;
        }
        first.pair = null;
        hedge.first = null;
        if (hedge.decided) {
            noteLoss(first);
            loop.release(first);
            endIfOver(hedge);
            return true;
        }
        if (first.outcome == Outcome.FENCED || fits(first)) {
            hedge.decide();
            LinkRequest second = hedge.second;
            if (second != null && callOff(second)) {
                giveBuffer(hedge);
            }
            return false;
        }
        // The other one may do better.
        noteLoss(first);
        noteUnfit(first);
        loop.release(first);
        return true;
    }

    private void secondEnded(LinkRequest second, long now) {
        noteEnd(second, now);
        Hedge hedge = (Hedge) second.pair;
        if (hedge == null) {
            throw new IllegalStateException("a second request without a first");
        }
        second.pair = null;
        hedge.second = null;
        LinkRequest first = hedge.first;
        if (hedge.decided) {
            noteLoss(second);
            loop.release(second);
            endIfOver(hedge);
            return;
        }
        boolean right = fits(second) && opens(second);
        if (right && (first == null || callOff(first))) {
            win(hedge, second, now);
        } else if (first != null) {
            // It goes on alone.
            first.pair = null;
            hedge.first = null;
            if (!right) {
                noteLoss(second);
                noteUnfit(second);
            }
            loop.release(second);
            endIfOver(hedge);
        } else {
            neither(hedge, second, now);
        }
    }

    private void win(Hedge hedge, LinkRequest second, long now) {
        ClientRequest client = hedge.waiting();
        hedge.target().setBytes(hedge.index, second.data(), second.bufferIndex, second.length);
        figures.countWon();
        loop.done(client, second, now);
        hedge.decide();
        loop.release(second);
        giveBuffer(hedge);
        endIfOver(hedge);
        client.endPart(now);
    }

    /** Nothing of use came from either. What is done about one such answer is done about the second one, as if it had come to the client's buffer. */
    private void neither(Hedge hedge, LinkRequest second, long now) {
        if (second.outcome == Outcome.OK) {
            hedge.target().setBytes(hedge.index, second.data(), second.bufferIndex, second.length);
        } else if (second.outcome == Outcome.UNREACHABLE) {
            // The first one was asked in vain, too.
            second.tag++;
        }
        second.buffer = hedge.target();
        second.bufferIndex = hedge.index;
        second.attachment = hedge.waiting();
        hedge.decide();
        endIfOver(hedge);
        ends.ended(second, now);
    }

    private boolean fits(LinkRequest request) {
        return request.outcome == Outcome.OK
                && seals.firstUnfit(request.position, request.length, request.data(), request.bufferIndex)
                        == request.position + request.length;
    }

    /** The page stands in a buffer of this loop's, so that it may be opened before it is known whether it is wanted. */
    private boolean opens(LinkRequest request) {
        return seals.open(request.position, request.length, request.data(), request.bufferIndex)
                == request.position + request.length;
    }

    private void noteUnfit(LinkRequest request) {
        if (request.outcome == Outcome.OK) {
            ends.unfit(request);
        }
    }

    /** Whether what a request brings goes nowhere from now on. */
    private boolean callOff(LinkRequest request) {
        Member where = request.where;
        if (where == null || !loop.link(where.donor()).onlyThisLoopWrites(request)) {
            return false;
        }
        request.buffer = buffers.unwanted();
        request.bufferIndex = 0;
        request.attachment = null;
        return true;
    }

    private void giveBuffer(Hedge hedge) {
        if (hedge.buffer != HedgeBuffers.NONE) {
            buffers.give(hedge.buffer);
            hedge.buffer = HedgeBuffers.NONE;
        }
    }

    private void endIfOver(Hedge hedge) {
        if (hedge.over()) {
            giveBuffer(hedge);
            hedge.decide();
            free.addLast(hedge);
        }
    }

    /** Whether nothing is under way that this has begun. */
    boolean idle() {
        return buffers.allFree();
    }
}
