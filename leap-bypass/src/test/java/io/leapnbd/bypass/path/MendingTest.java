package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.donor.protocol.Operation;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** For how long a page's copies are waited for when a write of it was begun, and nobody knows its end. */
class MendingTest {

    private static final int PAGE = 4096;
    private static final int SHIFT = 20;

    private final StateFile state = StateFile.inMemory(1L << SHIFT, SHIFT);
    private final AddressMap map = new AddressMap(state, 1L << SHIFT, SHIFT);
    private final WriteOrder order = new WriteOrder();
    private final PageSeals seals = PageSeals.of(map, order);
    private final Silent[] links = {new Silent(), new Silent()};
    private final Member live = new Member(0, UUID.randomUUID(), 0, 0);
    private final Member filling = new Member(1, UUID.randomUUID(), 0, 0);
    private final ByteBuf page = Unpooled.directBuffer(PAGE).writeZero(PAGE).setLong(8, 42);

    @AfterEach
    void close() throws IOException {
        page.release();
        state.close();
    }

    @Test
    void aCopyThatIsFilledIsNotWaitedForLongerThanACopyMaySayNothing() {
        map.map(0, Placement.of(live).withFilling(filling, 1));

        readAnOpenPage();

        assertThat(links[1].spareWrites).as("the live copy has the page").containsExactly(true);
        assertThat(links[0].spareWrites).as("no other copy is live").containsExactly(false);
    }

    @Test
    void oneOfTwoLiveCopiesIsNotWaitedForLongerThanThatEither() {
        map.map(0, Placement.of(1, List.of(live, filling)));

        readAnOpenPage();

        for (Silent link : links) {
            assertThat(link.spareWrites).containsExactly(true);
        }
    }

    /** Copies answer reads, and say nothing to writes. */
    private void readAnOpenPage() {
        map.markWritten(0, PAGE);
        assertThat(seals.begin(0, PAGE, page, 0)).isTrue();
        SteppedLoop eventLoop = new SteppedLoop(System::nanoTime);
        SlabLosses losses = new SlabLosses(
                map,
                new Versions(1),
                List.of(links[0].donor(), links[1].donor()),
                (offset, length) -> {},
                slab -> {},
                slab -> {});
        DeviceLoop loop = new DeviceLoop(
                eventLoop,
                new LatencyRecorders().openLoop(),
                new DonorLink[] {links[0], links[1]},
                true,
                TimeUnit.MINUTES.toNanos(1),
                TimeUnit.SECONDS.toNanos(1));
        Mending mending = new Mending(
                loop,
                map,
                order,
                new Versions(1),
                losses,
                new PlacementChanges(map, new Versions(1), losses, TimeUnit.SECONDS.toNanos(1), dropped -> {}),
                seals,
                new SealFigures(List.of(links[0].donor(), links[1].donor())));

        mending.behindTheBack(0, true);
        eventLoop.turn();

        assertThat(seals.isOpen(0)).as("nobody has answered").isTrue();
        for (Silent link : links) {
            link.answerWrites();
        }
        assertThat(seals.isOpen(0)).as("all copies are alike").isFalse();
    }

    /** A donor that has the page, and answers no write. */
    private final class Silent extends IdleLink {

        /** Of each write, whether it is spare. */
        private final List<Boolean> spareWrites = new ArrayList<>();

        private final List<LinkRequest> unanswered = new ArrayList<>();

        void answerWrites() {
            for (LinkRequest write : unanswered) {
                write.postNanos = write.startNanos;
                write.outcome = LinkRequest.Outcome.OK;
                write.completion.linkDone(write, write.startNanos);
            }
        }

        @Override
        public boolean ready() {
            return true;
        }

        @Override
        public void post(LinkRequest request) {
            if (request.operation == Operation.WRITE) {
                spareWrites.add(request.spare);
                unanswered.add(request);
            } else {
                request.postNanos = request.startNanos;
                Objects.requireNonNull(request.buffer).setBytes(request.bufferIndex, page, 0, PAGE);
                request.outcome = LinkRequest.Outcome.OK;
                request.completion.linkDone(request, request.startNanos);
            }
        }
    }
}
