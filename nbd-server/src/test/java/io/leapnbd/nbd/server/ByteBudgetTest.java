package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.DefaultEventLoop;
import io.netty.channel.EventLoop;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Who gets shared bytes, and in which order. */
class ByteBudgetTest {

    private static final long MIB = 1 << 20;

    private final AtomicLong footprint = new AtomicLong();
    private final BufferPlan plan = new BufferPlan(16, 128 << 10, 32 * MIB, 50 * MIB, 60 * MIB);
    private final ByteBudget budget = new ByteBudget(plan, footprint::get);
    private final EventLoop loop = new DefaultEventLoop();

    @AfterEach
    void stop() {
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private ConnectionCredit connection() {
        return new ConnectionCredit(budget, new LoopBuffers(budget, UnpooledByteBufAllocator.DEFAULT), loop, () -> {});
    }

    @Test
    void nobodyOvertakesOneThatWaits() {
        ConnectionCredit first = connection();
        ConnectionCredit large = connection();
        ConnectionCredit late = connection();
        assertThat(first.take(20 * MIB, false)).isTrue();
        assertThat(large.take(32 * MIB, false)).isFalse();
        assertThat(late.take(MIB, false)).isFalse();
        first.give(10 * MIB);
        assertThat(large.take(32 * MIB, false)).isFalse();
        assertThat(late.take(MIB, false)).isFalse();
        first.give(10 * MIB);
        assertThat(large.take(32 * MIB, false)).isTrue();
        assertThat(late.take(MIB, false)).isFalse();
        large.give(32 * MIB);
        assertThat(late.take(MIB, false)).isTrue();
        late.give(MIB);
        assertThat(budget.used()).isZero();
        assertThat(budget.waiting()).isZero();
    }

    @Test
    void aConnectionsOwnShareNeverWaits() {
        ConnectionCredit greedy = connection();
        ConnectionCredit waits = connection();
        assertThat(greedy.take(32 * MIB, false)).isTrue();
        assertThat(waits.take(MIB, false)).isFalse();
        ConnectionCredit small = connection();
        assertThat(small.take(128 << 10, false)).isTrue();
        assertThat(small.takeNow(1)).isFalse();
    }

    @Test
    void whoHasManyBytesMayNotHaveTheLastOnes() {
        ConnectionCredit[] greedy = {connection(), connection(), connection()};
        for (ConnectionCredit one : greedy) {
            int taken = 0;
            while (one.take(MIB, false)) {
                taken++;
            }
            assertThat(taken).isBetween(3, 17);
        }
        ConnectionCredit late = connection();
        assertThat(late.take(2 * MIB, false)).isTrue();
        // The greedy ones wait for themselves only.
        greedy[0].give(12 * MIB);
        assertThat(greedy[0].take(MIB, false)).isTrue();
    }

    @Test
    void oneThatIsGoneGivesUpItsPlaceAndItsBytes() {
        ConnectionCredit greedy = connection();
        ConnectionCredit gone = connection();
        ConnectionCredit next = connection();
        assertThat(greedy.take(32 * MIB, false)).isTrue();
        assertThat(gone.take(30 * MIB, true)).isFalse();
        assertThat(next.take(30 * MIB, true)).isFalse();
        greedy.give(32 * MIB);
        gone.stopWaiting();
        assertThat(next.take(30 * MIB, true)).isTrue();
        next.payloadEnded();
        next.give(30 * MIB);
        assertThat(budget.used()).isZero();
    }

    @Test
    void payloadsToComeHoldHalfAndAreServedInOrder() {
        ConnectionCredit[] writers = {connection(), connection(), connection()};
        assertThat(writers[0].take(10 * MIB, true)).isTrue();
        assertThat(writers[1].take(12 * MIB, true)).isFalse();
        assertThat(writers[2].take(2 * MIB, true)).isFalse();
        ConnectionCredit small = connection();
        assertThat(small.take(MIB, true))
                .as("small ones do not wait for large ones")
                .isTrue();
        small.payloadEnded();
        small.give(MIB);
        ConnectionCredit reader = connection();
        assertThat(reader.take(16 * MIB, false)).isTrue();
        writers[0].payloadEnded();
        assertThat(writers[1].take(12 * MIB, true)).isFalse();
        reader.give(16 * MIB);
        assertThat(writers[1].take(12 * MIB, true)).isTrue();
        assertThat(writers[2].take(2 * MIB, true)).isFalse();
        writers[1].payloadEnded();
        assertThat(writers[2].take(2 * MIB, true)).isTrue();
    }

    @Test
    void whatTheAllocatorHasTakenCountsToo() {
        ConnectionCredit first = connection();
        ConnectionCredit second = connection();
        footprint.set(55 * MIB);
        budget.sample();
        assertThat(first.take(MIB, false)).as("one at a time always goes on").isTrue();
        assertThat(second.take(MIB, false)).isFalse();
        footprint.set(20 * MIB);
        first.give(1);
        assertThat(second.take(MIB, false)).isTrue();
        footprint.set(61 * MIB);
        budget.sample();
        ConnectionCredit small = connection();
        assertThat(small.take(4096, false)).as("and so does one a connection").isTrue();
        assertThat(small.take(4096, false)).isFalse();
        small.stopWaiting();
    }
}
