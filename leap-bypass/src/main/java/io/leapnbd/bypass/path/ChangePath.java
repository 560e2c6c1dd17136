package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.nbd.spi.NbdError;
import java.util.concurrent.TimeUnit;

/**
 * What writes and trims have in common: their turn in the {@link WriteOrder}, a version, and an end that counts only if
 * the slab is still where it was. What ended at a member that is not of the present placement, well or not, is done again under the new
 * one, within its deadline: the old one's bytes are gone, and the new one's do not have the change.
 *
 * <p>For the loop's thread.
 */
abstract class ChangePath {

    static final long NO_TICKET = 0;

    private static final long TURN_MICROS = 200;

    final DeviceLoop loop;
    final AddressMap map;
    final WriteOrder order;
    final SlabAllocator allocator;

    private final SlabLosses losses;
    private final Versions versions;
    private final LinkCompletion ended = this::ended;

    ChangePath(
            DeviceLoop loop,
            AddressMap map,
            SlabLosses losses,
            WriteOrder order,
            Versions versions,
            SlabAllocator allocator) {
        this.loop = loop;
        this.map = map;
        this.losses = losses;
        this.order = order;
        this.versions = versions;
        this.allocator = allocator;
    }

    /** Does the rest of what a donor has done; whether the slab is still where it was. */
    abstract boolean applied(LinkRequest request, Member where);

    /** Does it all again, as a further part of the client's. */
    abstract void again(LinkRequest request, ClientRequest client);

    /** A request, as one more part of {@code client}, of a change that has begun; to be posted. */
    LinkRequest request(ClientRequest client, byte operation, Member where, long offset, int length) {
        LinkRequest request = loop.newRequest();
        request.operation = operation;
        request.where = where;
        request.incarnation = where.incarnation();
        request.slab = where.handle();
        request.offset = map.within(offset);
        request.length = length;
        // Drawn once the write has its pages, so that versions grow in the order in which writes to a page begin.
        request.version = versions.next();
        order.began(offset, length, request.version);
        request.position = offset;
        request.startNanos = client.startNanos();
        request.deadlineNanos = loop.deadline(client);
        request.completion = ended;
        request.attachment = client;
        client.addPart();
        return request;
    }

    private void ended(LinkRequest request, long now) {
        ClientRequest client = DeviceLoop.clientOf(request);
        try {
            if (request.outcome == Outcome.UNREACHABLE) {
                order.markUncertain(request.position, request.length);
            }
            order.end(request.position, request.length);
            settle(request, client, now);
        } catch (RuntimeException | Error e) {
            client.fail(e);
        }
        boolean fenced = request.outcome == Outcome.FENCED;
        loop.release(request);
        if (fenced) {
            loop.endFenced(client);
        } else {
            client.endPart(now);
        }
    }

    private void settle(LinkRequest request, ClientRequest client, long now) {
        Member where = request.where;
        if (where == null) {
            throw new IllegalStateException("a change of no slab");
        }
        switch (request.outcome) {
            case OK -> {
                loop.done(client, request, now);
                if (!applied(request, where)) {
                    retry(request, client);
                }
            }
            case LOST -> {
                losses.takenBack(map.slabOf(request.position), where);
                retry(request, client);
            }
            case NO_SPACE -> client.fail(NbdError.ENOSPC);
            case FENCED -> {
                // Its part ends later.
            }
            case UNREACHABLE, REFUSED -> client.fail(NbdError.EIO);
        }
    }

    private void retry(LinkRequest request, ClientRequest client) {
        if (loop.expired(client)) {
            client.fail(NbdError.EIO);
        } else {
            again(request, client);
            loop.flush();
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
