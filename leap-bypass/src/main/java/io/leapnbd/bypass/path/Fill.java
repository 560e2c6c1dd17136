package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.SealTable;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Copies a slab to a filling copy, group by group (docs/replicas.md, "How a copy is added", step 3). A group is taken alone while it is
 * copied, so that no write is under way there. Several groups are under way at a time. For one loop's thread.
 */
final class Fill {

    /** Bytes that are copied at a time: a group of the {@link WriteOrder}. */
    static final int GROUP = 64 * Protocol.PAGE_SIZE;

    private static final int LANES = 4;
    private static final int ATTEMPTS = 50;
    private static final long AGAIN_MICROS = 200;
    private static final long AGAIN_MILLIS = 100;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final WriteOrder order;
    private final Versions versions;
    private final PageSeals seals;
    private final Mending mending;
    private final long requestNanos;
    private final int slab;
    private final Member target;
    private final long[] lostAtGrant;
    private final Consumer<Boolean> end;
    private long next;
    private long bytes;
    private int lanes = LANES;
    private boolean failed;

    /**
     * A fill that has not begun.
     *
     * @param target a copy that the map calls filling
     * @param lostAtGrant a bit for each page that the target calls lost since its grant
     * @param requestNanos how long a read or write of a group may take
     * @param end told whether the target has everything
     */
    Fill(
            DeviceLoop loop,
            AddressMap map,
            WriteOrder order,
            Versions versions,
            Mending mending,
            int slab,
            Member target,
            long[] lostAtGrant,
            long requestNanos,
            Consumer<Boolean> end) {
        this.loop = loop;
        this.map = map;
        this.order = order;
        this.versions = versions;
        this.mending = mending;
        seals = mending.seals();
        this.slab = slab;
        this.target = target;
        this.lostAtGrant = lostAtGrant;
        this.requestNanos = requestNanos;
        this.end = end;
        next = (long) slab * map.slabSize();
    }

    /** Begins. */
    void begin() {
        for (int i = 0; i < LANES; i++) {
            new Lane().advance();
        }
    }

    /** Bytes that were copied. */
    long bytes() {
        return bytes;
    }

    /** Where the next group begins that has something to be copied; the end of the slab if there is none. */
    private long take() {
        long slabEnd = Math.min(map.size(), (slab + 1L) * map.slabSize());
        while (next < slabEnd) {
            long at = next;
            next += GROUP;
            if (map.anyWritten(at, Math.min(GROUP, slabEnd - at)) || anyLostAtGrant(at)) {
                return at;
            }
        }
        return slabEnd;
    }

    private boolean anyLostAtGrant(long offset) {
        int word = (int) ((offset - (long) slab * map.slabSize()) / GROUP);
        return word < lostAtGrant.length && lostAtGrant[word] != 0;
    }

    private boolean wasLostAtGrant(long offset) {
        long page = (offset - (long) slab * map.slabSize()) >>> Protocol.PAGE_SHIFT;
        int word = (int) (page >>> 6);
        return word < lostAtGrant.length && (lostAtGrant[word] & 1L << page) != 0;
    }

    private void laneEnded() {
        if (--lanes == 0) {
            end.accept(!failed);
        }
    }

    /** One group at a time. */
    private final class Lane {

        private final ByteBuf buffer = Unpooled.directBuffer(GROUP, GROUP);
        private long group;
        private long groupEnd;
        private long ticket;
        private int open;
        private int attempts;
        private boolean groupFailed;
        private @Nullable Placement copied;

        void advance() {
            long slabEnd = Math.min(map.size(), (slab + 1L) * map.slabSize());
            failed |= loop.closed();
            group = failed ? slabEnd : take();
            if (group >= slabEnd) {
                buffer.release();
                laneEnded();
                return;
            }
            groupEnd = Math.min(slabEnd, group + GROUP);
            ticket = 0;
            attempts = 0;
            enter();
        }

        private void enter() {
            failed |= loop.closed();
            if (failed) {
                order.forget(group, GROUP, ticket);
                advance();
            } else if (order.beginAlone(group, ticket)) {
                copy();
            } else {
                ticket = ticket == 0 ? order.ticket() : ticket;
                loop.later(this::enter, AGAIN_MICROS, TimeUnit.MICROSECONDS);
            }
        }

        private void copy() {
            Placement now = map.placement(slab);
            int place = now == null ? -1 : now.indexOf(target);
            if (now == null || place < 0 || now.state(place) != State.FILLING) {
                fail();
                order.endAlone(group);
                advance();
                return;
            }
            groupFailed = false;
            copied = now;
            open = 1;
            int length = (int) (groupEnd - group);
            boolean even = order.doubtful(group, length) || seals.anyOpen(group, length);
            List<Member> targets = even ? now.members() : List.of(target);
            for (long at = group; at < groupEnd; ) {
                long after = map.endOfRun(at, groupEnd);
                boolean lost = map.anyLost(at, after - at);
                if (!lost && map.anyWritten(at, after - at)) {
                    read(now.primary(), at, (int) (after - at), targets);
                } else if (!lost) {
                    trimLost(at, after);
                }
                at = after;
            }
            loop.flush();
            ended(true);
        }

        /** The target was told that pages are lost that are blank by now. */
        private void trimLost(long from, long to) {
            for (long at = from; at < to; at += Protocol.PAGE_SIZE) {
                if (wasLostAtGrant(at)) {
                    LinkRequest trim = request(Operation.TRIM, target, at, Protocol.PAGE_SIZE);
                    trim.version = versions.next();
                    trim.completion = (done, now) -> changed(done);
                    post(trim, target);
                }
            }
        }

        private void read(Member source, long at, int length, List<Member> targets) {
            LinkRequest read = request(Operation.READ, source, at, length);
            read.background = true;
            read.completion = (done, now) -> {
                boolean ok = done.outcome == Outcome.OK;
                loop.release(done);
                if (ok) {
                    check(at, at, length, targets);
                } else {
                    ended(false);
                }
            };
            post(read, source);
        }

        /** A page that is not what was written is looked for in the other copies; from {@code from} on. */
        private void check(long from, long at, int length, List<Member> targets) {
            long end = at + length;
            long unfit = seals.firstUnquiet(from, (int) (end - from), buffer, (int) (from - group));
            Placement now = map.placement(slab);
            if (unfit == end) {
                write(at, length, targets);
                ended(true);
            } else if (now == null) {
                ended(false);
            } else {
                mending.look(now, unfit, loop.now() + requestNanos, copies -> {
                    mending.countUnfit(copies, unfit);
                    boolean found = copies.found();
                    if (found) {
                        buffer.setBytes((int) (unfit - group), copies.bytes(), copies.rightIndex(), Protocol.PAGE_SIZE);
                    }
                    copies.bytes().release();
                    if (found) {
                        check(unfit + Protocol.PAGE_SIZE, at, length, now.members());
                    } else {
                        ended(false);
                    }
                });
            }
        }

        private void write(long at, int length, List<Member> targets) {
            bytes += length;
            long version = versions.next();
            for (Member to : targets) {
                LinkRequest write = request(Operation.WRITE, to, at, length);
                write.version = version;
                write.completion = (done, now) -> changed(done);
                post(write, to);
            }
            loop.flush();
        }

        private void changed(LinkRequest done) {
            boolean ok = done.outcome == Outcome.OK;
            loop.release(done);
            ended(ok);
        }

        /** All copies have these bytes now, so that it is known what became of writes that were cut short. */
        private void settle() {
            for (long at = group; at < groupEnd && map.placement(slab) == copied; at += Protocol.PAGE_SIZE) {
                if (map.isWritten(at) && SealTable.open(seals.word(at))) {
                    seals.settle(at, buffer, (int) (at - group));
                }
            }
        }

        private LinkRequest request(byte operation, Member where, long at, int length) {
            LinkRequest request = loop.newRequest();
            request.about(operation, where, at, map.within(at), length);
            request.buffer = buffer;
            request.bufferIndex = (int) (at - group);
            request.startNanos = loop.now();
            request.deadlineNanos = request.startNanos + requestNanos;
            request.spare = true;
            return request;
        }

        private void post(LinkRequest request, Member to) {
            open++;
            loop.post(request, to.donor());
        }

        /** One of the group's requests has ended, or that they all were posted. */
        private void ended(boolean ok) {
            groupFailed |= !ok;
            if (--open > 0) {
                return;
            }
            if (!groupFailed) {
                settle();
            }
            order.endAlone(group);
            groupFailed &= !loop.closed();
            if (!groupFailed) {
                advance();
            } else if (++attempts < ATTEMPTS) {
                ticket = 0;
                loop.later(this::enter, AGAIN_MILLIS, TimeUnit.MILLISECONDS);
            } else {
                fail();
                advance();
            }
        }
    }

    private void fail() {
        failed = true;
    }

    /** For messages. */
    @Override
    public @Nullable String toString() {
        return "fill of slab " + slab + " at " + target;
    }
}
