package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Copies pieces of a slab, one at a time, each while no write is under way in its group (docs/replicas.md, "How a copy is added"). For one loop's
 * thread.
 */
final class FillLane implements FillTraffic.Piece {

    private static final int PAGE = Protocol.PAGE_SIZE;

    /** How often a piece is tried. The waits in between grow, and are 4.5 s together. */
    private static final int ATTEMPTS = 9;

    private static final long AGAIN_MICROS = 200;
    private static final long AGAIN_MILLIS = 50;
    private static final long LONGEST_AGAIN_MILLIS = 1_000;

    /** How often all copies are looked at before a page that is right at none of them is lost: for 2.5 s. */
    private static final int LOOKS = 7;

    private final FillTools tools;
    private final DeviceLoop loop;
    private final AddressMap map;
    private final WriteOrder order;
    private final PageSeals seals;
    private final Mending mending;
    private final Fill fill;
    private final int slab;
    private final Member target;
    private final ByteBuf buffer = Unpooled.directBuffer(Fill.GROUP, Fill.GROUP);
    private long at;
    private long end;
    private long ticket;
    private int open;
    private int attempts;
    private int looks;
    private boolean failed;
    private String why = "";
    private @Nullable Placement copied;
    private @Nullable Member source;
    private @Nullable Member avoid;

    /** Whether the copies are asked page by page: one of them calls a page lost. */
    private boolean pageByPage;

    /** A bit for each page of the group that is right at no copy, as of this attempt. */
    private long bad;

    FillLane(FillTools tools, Fill fill) {
        this.tools = tools;
        this.fill = fill;
        loop = tools.loop();
        map = tools.map();
        order = tools.order();
        mending = tools.mending();
        seals = mending.seals();
        slab = fill.slab();
        target = fill.target();
    }

    /** Goes on to the next piece. */
    void advance() {
        if (loop.closed()) {
            fill.fail("the server ends");
        }
        at = fill.problem() != null ? fill.end() : fill.take(tools.traffic().piece());
        if (at >= fill.end()) {
            buffer.release();
            fill.laneEnded();
            return;
        }
        end = fill.pieceEnd(at, tools.traffic().piece());
        attempts = 0;
        looks = 0;
        avoid = null;
        pageByPage = false;
        tools.traffic().await(this);
    }

    @Override
    public @Nullable Member source() {
        Placement now = map.placement(slab);
        return now == null ? null : tools.traffic().source(now, avoid);
    }

    @Override
    public int target() {
        return target.donor();
    }

    @Override
    public int bytes() {
        return (int) (end - at);
    }

    @Override
    public void begin(@Nullable Member from) {
        source = from;
        ticket = 0;
        enter();
    }

    private void enter() {
        if (loop.closed() || fill.problem() != null) {
            fill.fail("the server ends");
            order.forget(at, Fill.GROUP, ticket);
            next();
        } else if (order.beginAlone(at, ticket)) {
            copy();
        } else {
            ticket = ticket == 0 ? order.ticket() : ticket;
            loop.later(this::enter, AGAIN_MICROS, TimeUnit.MICROSECONDS);
        }
    }

    private void next() {
        tools.traffic().ended(this, source);
        advance();
    }

    private void copy() {
        Placement now = map.placement(slab);
        int place = now == null ? -1 : now.indexOf(target);
        if (now == null || place < 0 || now.state(place) != State.FILLING) {
            fill.fail("the copy at " + donorOf(target) + " is not wanted any more");
            order.endAlone(at);
            next();
            return;
        }
        failed = false;
        bad = 0;
        copied = now;
        open = 1;
        boolean even = order.doubtful(at, bytes()) || seals.anyOpen(at, bytes());
        List<Member> targets = even ? now.members() : List.of(target);
        Member from = source != null && isLive(now, source) ? source : now.primary();
        for (long run = at; run < end; ) {
            long after = map.endOfRun(run, end);
            if (map.anyLost(run, after - run)) {
                lose(run, (int) (after - run), now);
            } else if (!map.anyWritten(run, after - run)) {
                trimLost(run, after);
            } else if (pageByPage) {
                open++;
                look(run, run, (int) (after - run));
            } else {
                read(from, run, (int) (after - run), targets);
            }
            run = after;
        }
        loop.flush();
        ended(true, "");
    }

    private static boolean isLive(Placement now, Member member) {
        int place = now.indexOf(member);
        return place >= 0 && place < now.live();
    }

    /** Copies may have something of pages that are lost, which nobody may ever believe: a server without a state file would. */
    private void lose(long run, int length, Placement now) {
        long version = tools.versions().next();
        order.began(run, length, version);
        for (Member member : now.members()) {
            LinkRequest lose = request(Operation.LOSE, member, run, length);
            lose.version = version;
            lose.completion = (done, time) -> changed(done);
            post(lose, member);
        }
    }

    /** The target was told that pages are lost that are blank by now. */
    private void trimLost(long from, long to) {
        for (long page = from; page < to; page += PAGE) {
            if (fill.wasLostAtGrant(page)) {
                LinkRequest trim = request(Operation.TRIM, target, page, PAGE);
                trim.version = tools.versions().next();
                trim.completion = (done, time) -> changed(done);
                post(trim, target);
            }
        }
    }

    private void read(Member from, long run, int length, List<Member> targets) {
        LinkRequest read = request(Operation.READ, from, run, length);
        read.background = true;
        read.completion = (done, time) -> {
            Outcome outcome = done.outcome;
            loop.release(done);
            if (outcome == Outcome.OK) {
                check(run, run, length, targets);
            } else {
                avoid = from;
                pageByPage |= outcome == Outcome.REFUSED;
                ended(false, "donor " + donorOf(from) + " does not answer what is to be copied");
            }
        };
        post(read, from);
    }

    /** A page that is not what was written is looked for in all copies; from {@code from} on. */
    private void check(long from, long run, int length, List<Member> targets) {
        long runEnd = run + length;
        long unfit = seals.firstUnquiet(from, (int) (runEnd - from), buffer, (int) (from - at));
        if (unfit == runEnd) {
            write(run, length, targets);
            ended(true, "");
        } else {
            find(unfit, () -> check(unfit + PAGE, run, length, membersNow()));
        }
    }

    /** Each page of a run by itself, from {@code page} on. */
    private void look(long page, long run, int length) {
        if (page == run + length) {
            write(run, length, membersNow());
            ended(true, "");
        } else {
            find(page, () -> look(page + PAGE, run, length));
        }
    }

    private List<Member> membersNow() {
        Placement now = map.placement(slab);
        return now == null ? List.of(target) : now.members();
    }

    private void find(long page, Runnable then) {
        Placement now = map.placement(slab);
        if (now == null) {
            ended(false, "the slab is lost");
            return;
        }
        mending.look(now, page, loop.now() + tools.requestNanos(), copies -> {
            boolean found = copies.found();
            boolean nowhere = !found && !copies.incomplete() && !copies.fenced() && onlyTargetFills(now);
            if (looks == 0) {
                mending.countUnfit(copies, page);
            }
            if (found) {
                buffer.setBytes((int) (page - at), copies.bytes(), copies.rightIndex(), PAGE);
            } else {
                why = "no copy has the page at byte " + page + " as it was written";
                bad |= nowhere ? 1L << (page >>> Protocol.PAGE_SHIFT) : 0;
            }
            copies.bytes().release();
            if (found || nowhere) {
                then.run();
            } else {
                ended(false, why);
            }
        });
    }

    /** Whether no copy is in doubt, so that all that may have a page right were asked. */
    private boolean onlyTargetFills(Placement now) {
        return now.told() && now.live() == now.size() - 1 && now.has(target);
    }

    private void write(long run, int length, List<Member> targets) {
        if (bad != 0) {
            failed = true;
            return;
        }
        fill.copied(length);
        long version = tools.versions().next();
        for (Member to : targets) {
            LinkRequest write = request(Operation.WRITE, to, run, length);
            write.version = version;
            write.completion = (done, time) -> changed(done);
            post(write, to);
        }
        loop.flush();
    }

    private void changed(LinkRequest done) {
        boolean ok = done.outcome == Outcome.OK;
        Member where = done.where;
        String donor = where == null ? "?" : donorOf(where);
        loop.release(done);
        ended(ok, ok ? "" : "donor " + donor + " does not take what is copied");
    }

    /** All copies have these bytes now, so that it is known what became of writes that were cut short. */
    private void settle() {
        for (long page = at; page < end && map.placement(slab) == copied; page += PAGE) {
            if (map.isWritten(page) && !map.isLost(page) && seals.isOpen(page)) {
                seals.settle(page, buffer, (int) (page - at));
            }
        }
    }

    private LinkRequest request(byte operation, Member where, long offset, int length) {
        LinkRequest request = loop.newRequest();
        request.about(operation, where, offset, map.within(offset), length);
        request.buffer = buffer;
        request.bufferIndex = (int) (offset - at);
        request.startNanos = loop.now();
        request.deadlineNanos = request.startNanos + tools.requestNanos();
        request.spare = true;
        return request;
    }

    private void post(LinkRequest request, Member to) {
        open++;
        loop.post(request, to.donor());
    }

    /** One of the piece's requests has ended, or that they all were posted. */
    private void ended(boolean ok, String problem) {
        if (!ok) {
            failed = true;
            why = problem;
        }
        if (--open > 0) {
            return;
        }
        if (!failed) {
            settle();
        } else if (bad != 0 && ++looks == LOOKS) {
            // Nobody will ever read them. So that the copies say so too, the piece is done again.
            long group = at & -Fill.GROUP;
            for (long rest = bad; rest != 0; rest &= rest - 1) {
                tools.losses().pageLost(group + (long) Long.numberOfTrailingZeros(rest) * PAGE);
            }
            attempts = 0;
            looks = 0;
        }
        order.endAlone(at);
        if (!failed) {
            next();
        } else if (!loop.closed() && ++attempts < ATTEMPTS) {
            tools.traffic().ended(this, source);
            long millis = Math.min(LONGEST_AGAIN_MILLIS, AGAIN_MILLIS << (attempts - 1));
            loop.later(() -> tools.traffic().await(this), millis, TimeUnit.MILLISECONDS);
        } else {
            fill.fail(why);
            next();
        }
    }

    private String donorOf(Member member) {
        return loop.link(member.donor()).donor().toString();
    }
}
