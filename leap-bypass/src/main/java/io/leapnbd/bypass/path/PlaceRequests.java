package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.SlabCopies;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Tells donors that hold copies of a slab which generation they are of, and who holds the live ones (PLACE; docs/replicas.md, rule 1). One
 * round of questions; for one loop's thread.
 */
final class PlaceRequests {

    private final DeviceLoop loop;
    private final List<Member> told;
    private final Outcome[] outcomes;
    private final Consumer<PlaceRequests> end;
    private int open;

    private PlaceRequests(DeviceLoop loop, List<Member> told, Consumer<PlaceRequests> end) {
        this.loop = loop;
        this.told = told;
        this.end = end;
        outcomes = new Outcome[told.size()];
        open = told.size();
    }

    /**
     * Asks.
     *
     * @param told whom to tell
     * @param names who is live, from what they are told
     * @param generation of the placement
     * @param nanos how long each may take
     * @param end called on the loop, possibly before this returns
     */
    static void send(
            DeviceLoop loop,
            List<Member> told,
            List<Member> names,
            long generation,
            long nanos,
            Consumer<PlaceRequests> end) {
        PlaceRequests round = new PlaceRequests(loop, told, end);
        SlabCopies copies = SlabCopies.live(names.stream().map(Member::name).toList());
        for (int i = 0; i < told.size(); i++) {
            round.post(i, generation, copies, nanos);
        }
    }

    /** Likewise, when those that are told are the live ones. */
    static void send(DeviceLoop loop, List<Member> told, long generation, long nanos, Consumer<PlaceRequests> end) {
        send(loop, told, told, generation, nanos, end);
    }

    /** Likewise to a copy that is about to be filled: the names say that there are live ones. */
    static void sendFilling(
            DeviceLoop loop,
            Member fresh,
            List<Member> live,
            long generation,
            long nanos,
            Consumer<PlaceRequests> end) {
        PlaceRequests round = new PlaceRequests(loop, List.of(fresh), end);
        round.post(
                0,
                generation,
                SlabCopies.filling(live.stream().map(Member::name).toList()),
                nanos);
    }

    private void post(int i, long generation, SlabCopies copies, long nanos) {
        Member member = told.get(i);
        LinkRequest request;
        try {
            request = loop.newRequest();
            request.place(member, generation, copies);
        } catch (RuntimeException | Error e) {
            loop.defect(e);
            ended(i, Outcome.UNREACHABLE);
            return;
        }
        request.startNanos = loop.now();
        request.deadlineNanos = request.startNanos + nanos;
        request.completion = (done, now) -> ended(i, done);
        loop.post(request, member.donor());
        loop.link(member.donor()).flush();
    }

    private void ended(int i, Outcome how) {
        outcomes[i] = how;
        if (--open == 0) {
            end.accept(this);
        }
    }

    private void ended(int i, LinkRequest done) {
        Outcome how = done.outcome;
        ByteBuf body = done.buffer;
        if (body != null) {
            body.release();
        }
        loop.release(done);
        ended(i, how);
    }

    /** Those that have answered as wanted. */
    List<Member> acknowledged() {
        return with(Outcome.OK);
    }

    /** Those whose bytes turned out to be gone. */
    List<Member> gone() {
        return with(Outcome.LOST);
    }

    private List<Member> with(Outcome outcome) {
        List<Member> all = new ArrayList<>();
        for (int i = 0; i < outcomes.length; i++) {
            if (outcomes[i] == outcome) {
                all.add(told.get(i));
            }
        }
        return all;
    }

    /** The live copies of a placement. */
    static List<Member> live(Placement placement) {
        return placement.members().subList(0, placement.live());
    }
}
