package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What is done about a page that is not what was written, or of which nobody knows what it is (docs/seals.md, rule 9): its group is taken alone, all
 * copies are read, and those that differ from the right one are written anew. For one loop's thread.
 */
public final class Mending {

    private static final int PAGE = Protocol.PAGE_SIZE;

    /** Pages that nobody waits for and that are looked at at a time. What does not fit in is found again by the next read. */
    private static final int MOST_IN_BACKGROUND = 16;

    private static final int LOOKS = 3;
    private static final long TURN_MICROS = 200;
    private static final long AGAIN_MILLIS = 20;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final WriteOrder order;
    private final Versions versions;
    private final SlabLosses losses;
    private final PlacementChanges placing;
    private final PageSeals seals;
    private final SealFigures figures;
    private final Set<Long> inBackground = new HashSet<>();

    /** One loop's. */
    public Mending(
            DeviceLoop loop,
            AddressMap map,
            WriteOrder order,
            Versions versions,
            SlabLosses losses,
            PlacementChanges placing,
            PageSeals seals,
            SealFigures figures) {
        this.loop = loop;
        this.map = map;
        this.order = order;
        this.versions = versions;
        this.losses = losses;
        this.placing = placing;
        this.seals = seals;
        this.figures = figures;
    }

    /** The seals that it goes by. */
    public PageSeals seals() {
        return seals;
    }

    /**
     * Reads every live copy of a page of which nobody changes anything meanwhile.
     *
     * @param at where the page is
     * @param untilNanos after which copies that have not answered are not waited for
     * @param end told when all have answered or will not; possibly before this returns
     */
    void look(Placement at, long offset, long untilNanos, PageCopies.End end) {
        PageCopies.read(loop, map, seals, losses, at, offset, untilNanos, end);
    }

    /** A copy has answered bytes that do not fit, and no write was near: counts it. */
    public void countUnfit(@Nullable Member copy, long offset) {
        if (copy != null) {
            figures.countUnfit(copy.donor(), offset);
        }
    }

    /** Copies that were looked at while nobody changed the page differ from the right one, or fit nothing. */
    void countUnfit(PageCopies copies, long offset) {
        if (!seals.isOpen(offset)) {
            copies.unfit().forEach(member -> figures.countUnfit(member.donor(), offset));
        }
    }

    /**
     * Looks at the copies of a page that nobody waits for.
     *
     * @param counted whether what did not fit was counted already
     */
    public void behindTheBack(long offset, boolean counted) {
        if (inBackground.size() < MOST_IN_BACKGROUND && inBackground.add(offset)) {
            new Mend(offset, null, null, 0, null, counted, loop.deadline(loop.now())).enter();
        }
    }

    /**
     * Reads a page for a client, as one more part of its request, when no write is under way there.
     *
     * @param counted whether what did not fit was counted already
     * @param reads where the read goes on if the page holds no data by then
     */
    void decide(ClientRequest client, long offset, ByteBuf into, int index, boolean counted, ReadPath reads) {
        client.addPart();
        new Mend(offset, client, into, index, reads, counted, loop.deadline(client)).enter();
    }

    /** One page. */
    private final class Mend {

        private final long offset;
        private final @Nullable ClientRequest client;
        private final @Nullable ByteBuf into;
        private final int index;
        private final @Nullable ReadPath reads;
        private final boolean counted;
        private final long deadlineNanos;
        private long ticket;
        private int looks;
        private int writes;
        /** Copies that have not done the write. */
        private List<Member> missing = List.of();

        /** Those of them that did not answer. */
        private List<Member> silent = List.of();

        Mend(
                long offset,
                @Nullable ClientRequest client,
                @Nullable ByteBuf into,
                int index,
                @Nullable ReadPath reads,
                boolean counted,
                long deadlineNanos) {
            this.offset = offset;
            this.client = client;
            this.into = into;
            this.index = index;
            this.reads = reads;
            this.counted = counted;
            this.deadlineNanos = deadlineNanos;
        }

        void enter() {
            if (loop.closed() || loop.now() - deadlineNanos >= 0) {
                order.forget(offset, PAGE, ticket);
                fail();
            } else if (order.beginAlone(offset, ticket)) {
                ticket = 0;
                guarded(this::look);
            } else {
                ticket = ticket == 0 ? order.ticket() : ticket;
                loop.later(this::enter, TURN_MICROS, TimeUnit.MICROSECONDS);
            }
        }

        /** A throw ends this, and gives the group back. */
        private void guarded(Runnable part) {
            try {
                part.run();
            } catch (RuntimeException | Error e) {
                loop.defect(e);
                order.endAlone(offset);
                fail();
            }
        }

        private void look() {
            Placement now = map.placement(map.slabOf(offset));
            if (now == null || !map.isWritten(offset)) {
                order.endAlone(offset);
                if (client != null && into != null && reads != null) {
                    reads.read(client, offset, PAGE, into, index);
                }
                end();
            } else {
                looks++;
                Mending.this.look(now, offset, deadlineNanos, copies -> guarded(() -> looked(copies)));
            }
        }

        private void looked(PageCopies copies) {
            if (copies.fenced()) {
                copies.bytes().release();
                order.endAlone(offset);
                if (client != null) {
                    loop.endFenced(client);
                } else {
                    end();
                }
            } else if (copies.found()) {
                if (into != null) {
                    into.setBytes(index, copies.bytes(), copies.rightIndex(), PAGE);
                    seals.openRanked(offset, into, index);
                }
                mend(copies);
            } else {
                if (!counted && looks == 1) {
                    countUnfit(copies, offset);
                }
                copies.bytes().release();
                order.endAlone(offset);
                if (looks < LOOKS || copies.incomplete()) {
                    again();
                    return;
                }
                fail();
            }
        }

        /** If a write was begun whose end is not known, all copies are written, so that it is known from then on. */
        private void mend(PageCopies copies) {
            boolean open = seals.isOpen(offset);
            List<Member> unfit = copies.unfit();
            List<Member> targets = open ? copies.placement().members() : unfit;
            if (!counted && looks == 1) {
                countUnfit(copies, offset);
            }
            if (targets.isEmpty()) {
                settled(copies, open);
                return;
            }
            long version = versions.next();
            order.began(offset, PAGE, version);
            writes = targets.size();
            missing = new ArrayList<>();
            silent = new ArrayList<>();
            for (Member target : targets) {
                LinkRequest write = loop.newRequest();
                write.about(Operation.WRITE, target, offset, map.within(offset), PAGE);
                write.version = version;
                write.buffer = copies.bytes();
                write.bufferIndex = copies.rightIndex();
                write.startNanos = loop.now();
                write.deadlineNanos = deadlineNanos;
                write.spare = anotherIsLive(copies.placement(), target);
                write.completion = (done, now) -> guarded(() -> written(copies, open, target, done));
                loop.post(write, target.donor());
            }
            loop.flush();
        }

        /** A copy that does not answer is then left out, and nobody waits for it as long as a client may. */
        private boolean anotherIsLive(Placement of, Member target) {
            return of.live() > (of.indexOf(target) < of.live() ? 1 : 0);
        }

        private void written(PageCopies copies, boolean open, Member target, LinkRequest done) {
            Outcome outcome = done.outcome;
            boolean ok = outcome == Outcome.OK;
            if (outcome == Outcome.LOST) {
                losses.takenBack(map.slabOf(offset), target);
            }
            loop.release(done);
            if (ok && !open) {
                figures.countMended(target.donor());
            }
            if (!ok) {
                missing.add(target);
            }
            if (outcome == Outcome.UNREACHABLE) {
                silent.add(target);
            }
            if (--writes == 0) {
                settled(copies, open);
            }
        }

        private void settled(PageCopies copies, boolean open) {
            Placement asked = copies.placement();
            boolean everyCopy = missing.isEmpty() && map.placement(map.slabOf(offset)) == asked;
            if (open && everyCopy) {
                seals.settle(offset, copies.bytes(), copies.rightIndex());
            }
            copies.bytes().release();
            if (client != null && open && !everyCopy) {
                undecided(asked);
            } else {
                order.endAlone(offset);
                end();
            }
        }

        /**
         * The client is not told of bytes that the next look may not find. Copies that are silent are left out, as a write would do it, before the
         * next page of the group is looked at.
         */
        private void undecided(Placement asked) {
            boolean others = PlaceRequests.live(asked).stream().anyMatch(member -> !missing.contains(member));
            if (others && !silent.isEmpty() && silent.size() == missing.size()) {
                placing.leaveOut(map.slabOf(offset), silent, loop, deadlineNanos, done -> {
                    order.endAlone(offset);
                    again();
                });
            } else {
                order.endAlone(offset);
                again();
            }
        }

        private void again() {
            loop.later(this::enter, AGAIN_MILLIS, TimeUnit.MILLISECONDS);
        }

        private void fail() {
            if (client != null) {
                client.failAt(NbdError.EIO, offset);
            }
            end();
        }

        private void end() {
            if (client != null) {
                client.endPart();
                loop.flush();
            } else {
                boolean _ = inBackground.remove(offset);
            }
        }
    }
}
