package io.leapnbd.donor.loop;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Await;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EventLoopsTest {

    private static final long WAIT_SECONDS = 30;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void socketsTimersAndTasksAreServed(boolean busyPoll) throws Exception {
        try (EventLoops loops = EventLoops.open(new LoopSettings(2, busyPoll, false, 0), "test")) {
            CompletableFuture<Byte> echoed = new CompletableFuture<>();
            Channel server = new ServerBootstrap()
                    .group(loops.group())
                    .channel(EpollServerSocketChannel.class)
                    .childHandler(new ChannelInitializer<Channel>() {
                        @Override
                        protected void initChannel(Channel channel) {
                            channel.pipeline().addLast(new Echo());
                        }
                    })
                    .bind(InetAddress.getLoopbackAddress(), 0)
                    .sync()
                    .channel();
            Channel client = new Bootstrap()
                    .group(loops.group())
                    .channel(EpollSocketChannel.class)
                    .handler(new ChannelInboundHandlerAdapter() {
                        @Override
                        public void channelRead(ChannelHandlerContext ctx, Object message) {
                            echoed.complete(((ByteBuf) message).readByte());
                            ((ByteBuf) message).release();
                        }
                    })
                    .connect((InetSocketAddress) server.localAddress())
                    .sync()
                    .channel();
            client.writeAndFlush(Unpooled.wrappedBuffer(new byte[] {42}));
            assertThat(echoed.get(WAIT_SECONDS, TimeUnit.SECONDS)).isEqualTo((byte) 42);

            CountDownLatch timer = new CountDownLatch(1);
            loops.group().next().schedule(timer::countDown, 1, TimeUnit.MILLISECONDS);
            assertThat(timer.await(WAIT_SECONDS, TimeUnit.SECONDS)).isTrue();
            assertThat(loops.group().next().submit(() -> 7).get(WAIT_SECONDS, TimeUnit.SECONDS))
                    .isEqualTo(7);
        }
    }

    @Test
    void oneLoopOfSeveralThatStandsStillIsNoticed() throws Exception {
        try (EventLoops loops = EventLoops.open(new LoopSettings(2, false, false, 0), "test")) {
            assertThat(loops.respond(TimeUnit.SECONDS.toNanos(WAIT_SECONDS))).isTrue();
            CountDownLatch end = new CountDownLatch(1);
            loops.group().next().execute(() -> {
                try {
                    end.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            assertThat(loops.respond(TimeUnit.MILLISECONDS.toNanos(50))).isFalse();
            end.countDown();
            assertThat(loops.respond(TimeUnit.SECONDS.toNanos(WAIT_SECONDS))).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aLongTurnIsSeenWhileItLastsAndCountedWhenItIsOver(boolean busyPoll) throws Exception {
        try (EventLoops loops = EventLoops.open(new LoopSettings(1, busyPoll, false, 0), "test")) {
            loops.group().next().submit(() -> {}).sync();
            LoopTurns turns = loops.turns().getFirst();
            long before = turns.slow();
            CountDownLatch end = new CountDownLatch(1);
            loops.group().next().execute(() -> awaitQuietly(end));
            Await.until("a turn that is under way is seen", () -> turns.longestNanos() > 20 * LoopTurns.SLOW_NANOS);
            end.countDown();
            Await.until("the turn is counted", () -> turns.slow() > before);
            assertThat(turns.longestNanos()).isGreaterThan(20 * LoopTurns.SLOW_NANOS);

            loops.forgetTurns();
            Await.until("it is forgotten", () -> turns.slow() == 0);
        }
    }

    private static final class Alarm implements LoopAlarm {

        private final CompletableFuture<Long> rung = new CompletableFuture<>();
        private long due = NEVER;

        @Override
        public long dueNanos() {
            return due;
        }

        @Override
        public void ring(long now) {
            due = NEVER;
            rung.complete(now);
            throw new IllegalStateException("as scripted");
        }
    }

    /** The loop has a timer of its own that is due later, and tasks come meanwhile. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anAlarmRingsWhenItIsDueAndNotBefore(boolean busyPoll) throws Exception {
        try (EventLoops loops = EventLoops.open(new LoopSettings(1, busyPoll, false, 0), "test")) {
            IoEventLoop loop = loops.group().next();
            assertThat(loop.isCompatible(LoopAlarm.class)).isTrue();
            assertThat(loop.schedule(() -> {}, 1, TimeUnit.HOURS).isDone()).isFalse();
            for (long after : new long[] {0, 200_000, 20_000_000}) {
                Alarm alarm = new Alarm();
                IoRegistration registered = loop.register(alarm).get(WAIT_SECONDS, TimeUnit.SECONDS);
                assertThat(registered.isValid()).isTrue();
                long due = System.nanoTime() + after;
                loop.execute(() -> alarm.due = due);
                for (int i = 0; i < 10; i++) {
                    loop.execute(() -> {});
                }
                assertThat(alarm.rung.get(WAIT_SECONDS, TimeUnit.SECONDS) - due).isNotNegative();
                assertThat(loop.submit(registered::cancel).get(WAIT_SECONDS, TimeUnit.SECONDS))
                        .isTrue();
            }
        }
    }

    @Test
    void anAlarmThatIsPutOffDoesNotRing() throws Exception {
        try (EventLoops loops = EventLoops.open(LoopSettings.of(1), "test")) {
            IoEventLoop loop = loops.group().next();
            Alarm alarm = new Alarm();
            loop.register(alarm).sync();
            long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(50);
            while (System.nanoTime() - end < 0) {
                loop.submit(() -> alarm.due = System.nanoTime() + TimeUnit.HOURS.toNanos(1))
                        .sync();
            }
            loop.submit(() -> alarm.due = LoopAlarm.NEVER).sync();
            assertThat(alarm.rung).isNotDone();
        }
    }

    @Test
    void waitingIsNoTurn() throws Exception {
        try (EventLoops loops = EventLoops.open(new LoopSettings(1, false, false, 0), "test")) {
            loops.group().next().submit(() -> {}).sync();
            LoopTurns turns = loops.turns().getFirst();
            Await.until("the loop waits", () -> !turns.underWay());
            long before = turns.longestNanos();
            long idle = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(before / 1_000_000 + 50);
            while (System.nanoTime() - idle < 0) {
                LockSupport.parkNanos(1_000_000);
            }
            assertThat(turns.longestNanos()).isEqualTo(before);
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            assertThat(latch.await(WAIT_SECONDS, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static final class Echo extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            ctx.writeAndFlush(message);
        }
    }
}
