package io.leapnbd.donor.tls;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.TestPool;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.ssl.SslHandler;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What a link over TLS keeps while a record of it has not arrived whole. The bound of a donor's direct memory counts on it. */
class TlsMemoryTest {

    private static final int RECORD = 16 << 10;

    @Test
    void aBufferOfWhichARecordHasNotArrivedWholeIsNotKept() throws Exception {
        TestPool pool = new TestPool();
        try (LinkTls lends = pool.donor("h1");
                LinkTls borrows = pool.server("h2")) {
            EmbeddedChannel donor = over(lends);
            EmbeddedChannel server = over(borrows);
            SslHandler handshake = donor.pipeline().get(SslHandler.class);
            long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            while (!handshake.handshakeFuture().isDone()) {
                assertThat(System.nanoTime()).isLessThan(deadline);
                pass(server, donor);
                pass(donor, server);
            }
            assertThat(handshake.handshakeFuture().isSuccess()).isTrue();

            server.writeOutbound(PooledByteBufAllocator.DEFAULT.directBuffer().writeZero(RECORD));
            ByteBuf whole = joined(server);
            ByteBuf first = PooledByteBufAllocator.DEFAULT.directBuffer(256 << 10);
            first.writeBytes(whole, whole.readableBytes() - 100);
            donor.writeInbound(first);
            assertThat(plaintext(donor)).isZero();
            assertThat(first.refCnt()).isZero();

            donor.writeInbound(whole);
            assertThat(plaintext(donor)).isEqualTo(RECORD);
            donor.finishAndReleaseAll();
            server.finishAndReleaseAll();
        }
    }

    private static EmbeddedChannel over(LinkTls tls) {
        return new EmbeddedChannel(tls.handler(PooledByteBufAllocator.DEFAULT, Duration.ofSeconds(60)));
    }

    private static void pass(EmbeddedChannel from, EmbeddedChannel to) {
        from.runPendingTasks();
        ByteBuf some;
        while ((some = from.readOutbound()) != null) {
            to.writeInbound(some);
        }
        to.runPendingTasks();
    }

    private static ByteBuf joined(EmbeddedChannel from) {
        ByteBuf all = PooledByteBufAllocator.DEFAULT.directBuffer();
        @Nullable ByteBuf some;
        while ((some = from.readOutbound()) != null) {
            all.writeBytes(some);
            some.release();
        }
        return all;
    }

    private static int plaintext(EmbeddedChannel of) {
        int bytes = 0;
        @Nullable ByteBuf some;
        while ((some = of.readInbound()) != null) {
            bytes += some.readableBytes();
            some.release();
        }
        return bytes;
    }
}
