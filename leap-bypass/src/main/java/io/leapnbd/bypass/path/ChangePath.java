package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What writes and trims have in common: their turn in the {@link WriteOrder}, one version for all copies, and an end that counts only if every
 * copy of the placement of that moment has done it (docs/replicas.md, rules 2, 3 and 10). A copy that is silent while a live one has answered is
 * left out first. A copy that was added meanwhile is asked too, with the same version. If the slab was lost meanwhile, all of it is done again, within
 * its deadline.
 *
 * <p>For the loop's thread.
 */
abstract class ChangePath {

    static final long NO_TICKET = 0;

    private static final long TURN_MICROS = 200;
    private static final long AGAIN_MILLIS = 100;

    final DeviceLoop loop;
    final AddressMap map;
    final WriteOrder order;
    final SlabAllocator allocator;
    final PageSeals seals;

    private final SlabLosses losses;
    private final Versions versions;
    private final PlacementChanges placing;
    private final LinkCompletion ended = this::ended;

    ChangePath(
            DeviceLoop loop,
            AddressMap map,
            SlabLosses losses,
            WriteOrder order,
            Versions versions,
            SlabAllocator allocator,
            PlacementChanges placing,
            PageSeals seals) {
        this.loop = loop;
        this.seals = seals;
        this.map = map;
        this.losses = losses;
        this.order = order;
        this.versions = versions;
        this.allocator = allocator;
        this.placing = placing;
    }

    /** A change is about to be sent to a copy that was added after it began. */
    abstract void continues(Change change);

    /** It will be done again from the beginning, and still has its turn: its bytes are its client's again. */
    abstract void undo(Change change);

    /** Does what remains after all copies have done it and its turn is over; false if it has to be done again. */
    abstract boolean applied(Change change);

    /** Does it all again, as a further part of the client's: the slab was lost meanwhile. */
    abstract void again(Change change);

    /**
     * Sends a change, which has its turn and its seals, to every copy, as one more part of {@code client}.
     *
     * @param at the placement, looked at after the change had its turn
     * @param whole the write of parts of pages that this is about, if it is
     */
    void send(
            ClientRequest client,
            byte operation,
            Placement at,
            long offset,
            int length,
            @Nullable ByteBuf from,
            int index,
            int tag,
            @Nullable PartialWrite whole) {
        Change change;
        try {
            change = loop.newChange();
            client.addPart();
        } catch (RuntimeException | Error e) {
            order.end(offset, length);
            throw e;
        }
        change.begin(client, at);
        change.operation = operation;
        change.position = offset;
        change.length = length;
        change.buffer = from;
        change.bufferIndex = index;
        change.tag = tag;
        change.whole = whole;
        change.startNanos = client.startNanos();
        // Drawn once the write has its pages, so that versions grow in the order in which writes to a page begin.
        change.version = versions.next();
        order.began(offset, length, change.version);
        postAll(change, at);
    }

    /** The last of them may end before its post returns, and the change with it. */
    private void postAll(Change change, Placement at) {
        int toAsk = change.toAsk();
        boolean spare = change.acknowledged() != 0 && change.acknowledgedByLive(at);
        for (int i = 0; toAsk != 0; i++) {
            if ((toAsk & 1 << i) != 0) {
                toAsk &= ~(1 << i);
                post(change, i, at.member(i), spare);
            }
        }
    }

    private void post(Change change, int place, Member where, boolean spare) {
        LinkRequest request = loop.newRequest();
        request.about(change.operation, where, change.position, map.within(change.position), change.length);
        request.version = change.version;
        request.buffer = change.buffer;
        request.bufferIndex = change.bufferIndex;
        request.startNanos = change.startNanos;
        request.deadlineNanos = loop.deadline(change.startNanos);
        request.completion = ended;
        request.attachment = change;
        request.spare = spare;
        change.posted(place, request);
        loop.post(request, where.donor());
    }

    private void ended(LinkRequest request, long now) {
        Change change = (Change) request.attachment;
        if (change == null) {
            throw new IllegalStateException("a request of no change");
        }
        boolean last = change.ended(request);
        if (last && request.outcome == LinkRequest.Outcome.OK) {
            loop.done(change.client(), request, now);
        }
        loop.release(request);
        if (!last) {
            change.spareTheRest();
            return;
        }
        try {
            settle(change, now);
        } catch (RuntimeException | Error e) {
            change.client().fail(e);
            failed(change, now);
        }
    }

    private void settle(Change change, long now) {
        int slab = map.slabOf(change.position);
        Placement asked = change.asked();
        if (change.fenced()) {
            order.end(change.position, change.length);
            loop.endFenced(change.client());
            loop.release(change);
            return;
        }
        for (int i = 0; i < asked.size(); i++) {
            if (change.isGone(i)) {
                losses.takenBack(slab, asked.member(i));
            }
        }
        if (change.refused()) {
            change.client().fail(NbdError.EIO);
            failed(change, now);
        } else {
            decide(change, slab, now);
        }
    }

    private void decide(Change change, int slab, long now) {
        Placement present = map.placement(slab);
        if (present == null) {
            conclude(change, false, now);
            return;
        }
        if (present != change.asked() && change.continueAt(present)) {
            continues(change);
            postAll(change, present);
            loop.flush();
            return;
        }
        if (map.isDone(slab, present, change.acknowledged())
                && (!map.damaged(slab)
                        || map.markHealed(slab, present, change.acknowledged(), change.position, change.length))) {
            conclude(change, true, now);
        } else if (map.placement(slab) != present) {
            decide(change, slab, now);
        } else if (change.acknowledgedByLive(present)) {
            placing.leaveOut(
                    slab, change.silent(), loop, loop.deadline(change.client()), done -> leftOut(change, slab, done));
        } else if (change.doneWhereItWas() && !loop.expired(change.client())) {
            loop.later(() -> askAgain(change, slab), AGAIN_MILLIS, TimeUnit.MILLISECONDS);
        } else {
            change.client().fail(NbdError.EIO);
            failed(change, now);
        }
    }

    /** If the others do not answer either, it is tried again, with its turn and its version, for as long as it may take. */
    private void leftOut(Change change, int slab, boolean done) {
        if (done) {
            decideGuarded(change, slab);
        } else if (loop.expired(change.client())) {
            change.client().fail(NbdError.EIO);
            failed(change, loop.now());
        } else {
            loop.later(() -> askAgain(change, slab), AGAIN_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    private void askAgain(Change change, int slab) {
        if (change.askSilentAgain()) {
            postAll(change, change.asked());
            loop.flush();
        } else {
            decideGuarded(change, slab);
        }
    }

    private void decideGuarded(Change change, int slab) {
        long now = loop.now();
        try {
            decide(change, slab, now);
        } catch (RuntimeException | Error e) {
            change.client().fail(e);
            failed(change, now);
        }
    }

    /** What every copy has done, or the slab is lost. */
    private void conclude(Change change, boolean done, long now) {
        try {
            if (done) {
                seals.commit(change.position, change.length);
            } else {
                undo(change);
            }
        } catch (RuntimeException | Error e) {
            change.client().fail(e);
            failed(change, now);
            return;
        }
        order.end(change.position, change.length);
        try {
            if (!done || !applied(change)) {
                if (loop.expired(change.client())) {
                    change.client().fail(NbdError.EIO);
                } else {
                    again(change);
                    loop.flush();
                }
            }
        } catch (RuntimeException | Error e) {
            change.client().fail(e);
        }
        end(change, now);
    }

    /** Ends a change that has failed. */
    private void failed(Change change, long now) {
        if (change.uncertain()) {
            order.markUncertain(change.position, change.length);
        }
        order.end(change.position, change.length);
        end(change, now);
    }

    private void end(Change change, long now) {
        ClientRequest client = change.client();
        loop.release(change);
        client.endPart(now);
    }

    /** Does a step of what has its turn; if it throws, {@code failed} gives the turn back. */
    void guarded(Runnable failed, Runnable step) {
        try {
            step.run();
        } catch (RuntimeException | Error e) {
            loop.defect(e);
            failed.run();
        }
    }

    /** Does a part of a request a little later: a change of one of its pages is under way that it must not overtake. */
    void awaitTurn(ClientRequest client, long offset, int length, long ticket, Turn part) {
        if (loop.expired(client)) {
            order.forget(offset, length, ticket);
            client.fail(NbdError.EIO);
            return;
        }
        long mine = ticket == NO_TICKET ? order.ticket() : ticket;
        loop.partLater(client, () -> part.take(mine), TURN_MICROS, TimeUnit.MICROSECONDS);
    }

    /** What is done when its turn may have come. */
    @FunctionalInterface
    interface Turn {
        void take(long ticket);
    }
}
