package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * A11: a page is read while its slab is lost and granted anew, again and again. Zeros would be those of the new slab, which has not got
 * the page yet.
 */
class LostPagesRaceTest {

    private static final int PAGE = 4096;
    private static final int SHIFT = 20;
    private static final int READS = 1_000_000;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final StateFile state = StateFile.inMemory(1L << SHIFT, SHIFT);
    private final AddressMap map = new AddressMap(state, 1L << SHIFT, SHIFT);
    private final AtomicBoolean over = new AtomicBoolean();

    /** The member that has the page. */
    private volatile Member filled = new Member(0, UUID.randomUUID(), 0, 0);

    @AfterEach
    void stop() throws IOException {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        state.close();
    }

    @Test
    void aPageWhoseSlabIsLostAndGrantedAnewNeverReadsAsZeros() throws Exception {
        map.map(0, Placement.of(filled));
        map.markWritten(0, PAGE);
        Thread loser = Thread.ofPlatform().start(this::loseAndFill);
        AtomicLong zeros = new AtomicLong();
        AtomicLong right = new AtomicLong();
        EventLoop loop = group.next();
        try {
            CompletableFuture<Integer> done = new CompletableFuture<>();
            loop.execute(() -> {
                read(loop, zeros, right);
                done.complete(0);
            });
            assertThat(done.get(60, TimeUnit.SECONDS)).isZero();
        } finally {
            over.set(true);
            loser.join();
        }
        assertThat(zeros).hasValue(0);
        assertThat(right.get()).isPositive();
    }

    private void loseAndFill() {
        for (int handle = 1; !over.get(); handle++) {
            Member gone = filled;
            assertThat(Objects.requireNonNull(map.remove(0, gone, () -> 1)).pagesLost())
                    .isEqualTo(1);
            Member fresh = new Member(0, gone.incarnation(), handle, handle);
            Placement placement = Placement.of(fresh);
            map.map(0, placement);
            Thread.onSpinWait();
            filled = fresh;
            map.markWritten(0, PAGE);
            assertThat(map.markHealed(0, placement, 1, 0, PAGE)).isTrue();
        }
    }

    private void read(EventLoop eventLoop, AtomicLong zeros, AtomicLong right) {
        DonorLink link = new Answering();
        SlabLosses losses = new SlabLosses(
                map, new Versions(1), List.of(link.donor()), (offset, length) -> {}, slab -> {}, slab -> {});
        DeviceLoop loop = new DeviceLoop(
                eventLoop,
                new LatencyRecorders().openLoop(),
                new DonorLink[] {link},
                true,
                TimeUnit.MINUTES.toNanos(1),
                TimeUnit.SECONDS.toNanos(1));
        WriteOrder order = new WriteOrder();
        Mending mending = new Mending(
                loop,
                map,
                order,
                new Versions(1),
                losses,
                new PlacementChanges(map, new Versions(1), losses, TimeUnit.SECONDS.toNanos(1), dropped -> {}),
                PageSeals.of(map, order),
                new SealFigures(List.of(link.donor())));
        ReadPath reads = new ReadPath(loop, map, losses, order, mending);
        ByteBuf into = Unpooled.directBuffer(PAGE);
        for (int i = 0; i < READS; i++) {
            into.setLong(0, -1);
            ClientRequest client = loop.begin(Operation.READ, System.nanoTime(), error -> {
                if (error == 0) {
                    (into.getLong(0) == 0 ? zeros : right).incrementAndGet();
                }
            });
            reads.read(client, 0, PAGE, into, 0);
            client.endSplitting();
        }
        into.release();
        loop.close();
    }

    /** A donor that answers at once: what it has, or that it has the slab no more. */
    private final class Answering extends IdleLink {

        @Override
        public boolean ready() {
            return true;
        }

        @Override
        public void post(LinkRequest request) {
            Member where = Objects.requireNonNull(request.where);
            // In this order: what has the page has it for as long as the slab is there.
            boolean has = filled == where;
            boolean here = map.isAt(0, where);
            request.postNanos = request.startNanos;
            Objects.requireNonNull(request.buffer).setLong(0, has ? 1 : 0);
            request.outcome = here ? LinkRequest.Outcome.OK : LinkRequest.Outcome.LOST;
            request.completion.linkDone(request, request.startNanos);
        }
    }
}
