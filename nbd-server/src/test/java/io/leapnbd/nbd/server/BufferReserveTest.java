package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BufferReserveTest {

    private static final int MIB = 1 << 20;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(3, EpollIoHandler.newFactory());

    @AfterEach
    void stop() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(20, TimeUnit.SECONDS);
    }

    private void onEachLoop(Runnable task) {
        for (EventExecutor loop : group) {
            loop.submit(task).syncUninterruptibly();
        }
    }

    private static void burst(BufferReserve reserve, int buffers) {
        List<ByteBuf> held = new ArrayList<>();
        for (int i = 0; i < buffers; i++) {
            held.add(reserve.allocator().directBuffer(100_000));
        }
        held.forEach(ByteBuf::release);
    }

    @Test
    void everyLoopFindsItsShareAndGivesNothingBack() {
        try (BufferReserve reserve = BufferReserve.open(group, 7 * MIB)) {
            assertThat(reserve.bytes()).isEqualTo(3 * 8 * MIB);
            onEachLoop(() -> burst(reserve, 60));
            assertThat(reserve.bytes()).isEqualTo(3 * 8 * MIB);
        }
    }

    @Test
    void aBurstBeyondTheReserveIsServedAndTheReserveIsKeptAfterIt() {
        try (BufferReserve reserve = BufferReserve.open(group, 4 * MIB)) {
            onEachLoop(() -> burst(reserve, 400));
            assertThat(reserve.bytes()).isBetween(3L * 4 * MIB, 6L * 4 * MIB);
        }
    }

    @Test
    void lettingItGoGivesTheMemoryBack() {
        BufferReserve reserve = BufferReserve.open(group, 16 * MIB);
        reserve.close();
        assertThat(reserve.bytes()).isLessThanOrEqualTo(3L * 4 * MIB);
    }
}
