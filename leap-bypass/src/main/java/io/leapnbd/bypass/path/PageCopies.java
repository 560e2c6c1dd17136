package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A look at every live copy of one written page (docs/seals.md, rule 9). Who looks has made sure that no change of the page is under way, so
 * that its word says which bytes are right. For one loop's thread.
 */
final class PageCopies {

    private static final int PAGE = Protocol.PAGE_SIZE;
    private static final int NOBODY = -1;

    private final DeviceLoop loop;
    private final AddressMap map;
    private final PageSeals seals;
    private final SlabLosses losses;
    private final Placement at;
    private final long offset;
    private final Runnable end;
    private final ByteBuf bytes;
    private final Outcome[] outcomes;
    private int underWay;
    private int right = NOBODY;

    /**
     * Begins to read.
     *
     * @param at where the page is
     * @param offset of the page
     * @param deadlineNanos after which copies that have not answered are not waited for
     * @param end told when all have answered or will not; possibly before this returns
     */
    static void read(
            DeviceLoop loop,
            AddressMap map,
            PageSeals seals,
            SlabLosses losses,
            Placement at,
            long offset,
            long deadlineNanos,
            End end) {
        new PageCopies(loop, map, seals, losses, at, offset, end).post(deadlineNanos);
    }

    private PageCopies(
            DeviceLoop loop, AddressMap map, PageSeals seals, SlabLosses losses, Placement at, long offset, End end) {
        this.loop = loop;
        this.map = map;
        this.seals = seals;
        this.losses = losses;
        this.at = at;
        this.offset = offset;
        this.end = () -> end.looked(this);
        outcomes = new Outcome[at.live()];
        bytes = Unpooled.directBuffer(at.live() * PAGE, at.live() * PAGE);
        // All of it is compared.
        bytes.writerIndex(bytes.capacity());
    }

    /** Told of the end. */
    @FunctionalInterface
    interface End {
        void looked(PageCopies copies);
    }

    private void post(long deadlineNanos) {
        underWay = 1;
        for (int i = 0; i < at.live(); i++) {
            int copy = i;
            underWay++;
            LinkRequest request = loop.newRequest();
            request.about(Operation.READ, at.member(i), offset, map.within(offset), PAGE);
            request.buffer = bytes;
            request.bufferIndex = i * PAGE;
            request.startNanos = loop.now();
            request.deadlineNanos = deadlineNanos;
            request.spare = at.live() > 1;
            request.completion = (done, now) -> {
                outcomes[copy] = done.outcome;
                loop.release(done);
                ended();
            };
            loop.post(request, at.member(i).donor());
        }
        loop.flush();
        ended();
    }

    private void ended() {
        if (--underWay == 0) {
            for (int i = 0; i < outcomes.length; i++) {
                if (outcomes[i] == Outcome.LOST) {
                    losses.takenBack(map.slabOf(offset), at.member(i));
                }
            }
            judge();
            end.run();
        }
    }

    private void judge() {
        int best = PageSeals.NOT_ITS_BYTES;
        for (int i = 0; i < outcomes.length; i++) {
            if (outcomes[i] == Outcome.OK) {
                int rank = seals.rank(offset, bytes, i * PAGE);
                if (rank < best) {
                    best = rank;
                    right = i;
                }
            }
        }
    }

    /** Whether a newer server owns the export. */
    boolean fenced() {
        return has(Outcome.FENCED);
    }

    /** Whether another look may find what this one did not: a copy has not answered, or the slab is elsewhere by now. */
    boolean incomplete() {
        return has(Outcome.UNREACHABLE) || has(Outcome.LOST);
    }

    private boolean has(Outcome what) {
        for (Outcome outcome : outcomes) {
            if (outcome == what) {
                return true;
            }
        }
        return false;
    }

    /** Whether one has the bytes that are to be read. */
    boolean found() {
        return right != NOBODY;
    }

    /** All answers. */
    ByteBuf bytes() {
        return bytes;
    }

    /** Where the right ones begin in {@link #bytes}. */
    int rightIndex() {
        return right * PAGE;
    }

    /** The placement that was looked at. */
    Placement placement() {
        return at;
    }

    /** The copies that are not as they have to be: they differ from the right one, or fit nothing. */
    List<Member> unfit() {
        List<Member> all = new ArrayList<>();
        boolean known = !seals.isUnsealed(offset);
        for (int i = 0; i < outcomes.length && known; i++) {
            boolean as = right != NOBODY && ByteBufUtil.equals(bytes, rightIndex(), bytes, i * PAGE, PAGE);
            if (outcomes[i] == Outcome.OK && !as) {
                all.add(at.member(i));
            }
        }
        return all;
    }

    /** For messages. */
    @Override
    public @Nullable String toString() {
        return "copies of the page at byte " + offset + ", " + at;
    }
}
